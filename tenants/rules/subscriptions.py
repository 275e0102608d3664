"""Subscriptions: which change a wish means, and when it takes effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Tier
from tenants.rules.days import Alignment, BilledEvery, Span, anchor_of, first_moment, local_day, period_around
from tenants.rules.parks import Verification


class Change(StrEnum):
    """What a wish for a tier means for a park."""

    START = "start"
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    TERMS = "terms"
    """The same tier, billed otherwise."""
    KEEP = "keep"
    """The tier it has, which was to end or to change: it goes on instead."""
    NONE = "none"


class When(StrEnum):
    """When a change is to take effect."""

    NOW = "now"
    PERIOD_END = "period_end"


@dataclass(frozen=True)
class Held:
    """The tier a park holds, and since when; until ``ends_at`` if it is to end or change. ``anchor`` is the day from
    which its periods derive, None for that of the calendar.
    """

    tier: Tier
    since: datetime
    ends_at: datetime | None = None
    every: BilledEvery = BilledEvery.MONTH
    alignment: Alignment = Alignment.CALENDAR
    anchor: date | None = None

    def period_at(self, moment: datetime) -> Span:
        """Return the whole period that contains a moment."""
        anchor = self.anchor or anchor_of(local_day(self.since), self.every, self.alignment)
        return period_around(anchor, self.every, local_day(moment))

    def period_end(self, now: datetime) -> datetime:
        """Return when the period that runs at ``now`` ends."""
        return first_moment(self.period_at(max(now, self.since)).end)


@dataclass(frozen=True)
class Decision:
    """What is to be done. At ``at`` the held subscription ends and the new one starts."""

    change: Change
    at: datetime


def decide_change(
    verification: Verification,
    held: Held | None,
    wanted: Tier,
    now: datetime,
    *,
    when: When = When.NOW,
    every: BilledEvery | None = None,
    alignment: Alignment | None = None,
) -> Decision:
    """Decide what a park's wish for ``wanted`` means; Conflict ``park.not_verified`` until the park is accepted.

    Without ``every`` and ``alignment`` the held ones stay. When the clock was set back behind the start of what is held,
    a change takes effect at that start: a subscription cannot end before it begins.
    """
    if verification is not Verification.VERIFIED:
        raise Conflict("park.not_verified", msg("园区尚未通过审核，暂不能订阅。请等待审核，或按审核意见补充材料。"))
    if held is None:
        return Decision(Change.START, now)
    otherwise = (every or held.every, alignment or held.alignment) != (held.every, held.alignment)
    if held.tier is wanted and not otherwise:
        return Decision(Change.NONE if held.ends_at is None else Change.KEEP, held.since)
    at = max(now, held.since) if when is When.NOW else held.period_end(now)
    if held.tier is wanted:
        return Decision(Change.TERMS, at)
    return Decision(Change.UPGRADE if wanted.covers(held.tier) else Change.DOWNGRADE, at)
