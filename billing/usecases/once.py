"""Where a proof or a contract is used already, in words for the person who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenants.kernel.context import Reach
from tenants.kernel.messages import Message, msg
from tenants.kernel.work import Work
from tenants.usecases import onboarding


def place_of(work: Work, use: Mapping[str, Any] | None) -> Message:
    """Return what a use is called; to staff with its park, to a park only for uses of its own (others are None)."""
    if use is None:
        return msg("其他单位的业务")
    label = use["label"] or use["used_for"]
    if work.actor.reach is not Reach.STAFF:
        return msg("“{label}”", label=label)
    park = onboarding.park_names(work, park_ids=[use["tenant_id"]]).get(use["tenant_id"], str(use["tenant_id"]))
    return msg("{park}的“{label}”", park=park, label=label)
