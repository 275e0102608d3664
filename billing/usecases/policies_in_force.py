"""Which version of each programme counts at a moment: approved, come into effect, and the latest one in its window."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from billing.formats.documents import read_document
from billing.formats.policy import PolicyDocument, policy_json
from billing.rules.eligibility import timing
from billing.rules.exemptions import Exemption, subject_of
from billing.rules.terms import Policy
from billing.store.programme_queries import approved_versions
from tenants.kernel.work import Work


@dataclass(frozen=True)
class EffectivePolicy:
    """A version in force, with its programme's names for people."""

    policy: Policy
    name: str
    name_en: str

    @property
    def document(self) -> dict[str, Any]:
        """Return the version as the contract writes it."""
        return policy_json(self.policy)


def read_policy(document: Mapping[str, Any]) -> Policy:
    """Return the rules of the contract's ``Policy``. Raises Invalid with the path of every fault."""
    return read_document(PolicyDocument, document).to_rules()


@lru_cache(maxsize=256)
def _approved_policy(document: str) -> Policy:
    """Return the rules of an approved version, read once a process: its text never changes."""
    return read_policy(json.loads(document))


def policies_in_force(
    work: Work, *, at: datetime, exemptions: Sequence[Exemption] = ()
) -> tuple[EffectivePolicy, ...]:  # fmt: skip
    """Return one version per programme at most, by slug, for use cases that have asked for their own permission.

    A version that is approved already but whose window opens later does not yet supersede the one before it. A version
    whose window is over is among them where one of ``exemptions`` extends it to ``at``.
    """
    approved = [
        EffectivePolicy(_approved_policy(json.dumps(version.policy)), programme.name, programme.name_en)
        for programme, version in approved_versions(work.session, at)
    ]
    policies = [each.policy for each in approved]
    barred = timing(policies, at)
    extended = {subject_of(exemption, policies, barred, at) for exemption in exemptions}
    return tuple(each for index, each in enumerate(approved) if barred[index] is None or index in extended)
