"""Subscriptions: which change a wish means, and when it takes effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Tier
from tenants.rules.parks import Verification


class Change(StrEnum):
    """What a wish for a tier means for a park."""

    START = "start"
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    NONE = "none"


@dataclass(frozen=True)
class Held:
    """The tier a park holds, and since when."""

    tier: Tier
    since: datetime


@dataclass(frozen=True)
class Decision:
    """What is to be done. At ``at`` the held subscription ends and the new one starts."""

    change: Change
    at: datetime


def decide_change(verification: Verification, held: Held | None, wanted: Tier, now: datetime) -> Decision:
    """Decide what a park's wish for ``wanted`` means; Conflict ``park.not_verified`` until the park is accepted.

    A change takes effect at once. When the clock was set back behind the start of what is held, it takes effect at that
    start instead: a subscription cannot end before it begins.
    """
    if verification is not Verification.VERIFIED:
        raise Conflict("park.not_verified", msg("园区尚未通过审核，暂不能订阅。请等待审核，或按审核意见补充材料。"))
    if held is None:
        return Decision(Change.START, now)
    if held.tier is wanted:
        return Decision(Change.NONE, held.since)
    change = Change.UPGRADE if wanted.covers(held.tier) else Change.DOWNGRADE
    return Decision(change, max(now, held.since))
