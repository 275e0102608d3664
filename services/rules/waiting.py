"""Waiting for a slot: what a place on the list wishes, where it stands, and for how long a freed slot is offered."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from services.rules.slot_holds import HoldOutcome, is_live
from services.rules.slots import Hours

MOST_DAYS = 62
"""Days that one wish may span."""
MOST_PLACES = 10
"""Places that one park has at an instrument at once."""
PASSED_FOR = timedelta(minutes=10)
"""How long a place that was passed over keeps nobody away; the clock looks at it again before that."""


class WaitingStep(StrEnum):
    """What is noted of a place. All but the first end it."""

    PASSED = "passed"
    OFFERED = "offered"
    LEFT = "left"
    OVER = "over"


class WaitingState(StrEnum):
    """Where a place stands."""

    WAITING = "waiting"
    OFFERED = "offered"
    BOOKED = "booked"
    DECLINED = "declined"
    LAPSED = "lapsed"
    LEFT = "left"
    OVER = "over"


_ANSWERED = {
    HoldOutcome.BOOKED: WaitingState.BOOKED,
    HoldOutcome.RELEASED: WaitingState.DECLINED,
    HoldOutcome.REPLACED: WaitingState.DECLINED,
    HoldOutcome.EXPIRED: WaitingState.LAPSED,
}
_ENDED = {WaitingStep.LEFT: WaitingState.LEFT, WaitingStep.OVER: WaitingState.OVER}


def state_of(
    end: WaitingStep | None, outcome: HoldOutcome | None, expires_at: datetime | None, now: datetime
) -> WaitingState:
    """Return where a place stands: by the step that ended it, and by what became of the hold that it was offered."""
    if end is None:
        return WaitingState.WAITING
    if end is not WaitingStep.OFFERED or expires_at is None:
        return _ENDED.get(end, WaitingState.LAPSED)
    if outcome is not None:
        return _ANSWERED[outcome]
    return WaitingState.OFFERED if is_live(outcome, expires_at, now) else WaitingState.LAPSED


def offered_until(hours: Hours, starts_at: datetime, offer_hours: int, now: datetime) -> datetime:
    """Return until when a freed slot is offered: ``offer_hours`` long, and no longer than it can be booked."""
    last = starts_at - timedelta(minutes=hours.min_notice_minutes)
    return min(now + timedelta(hours=offer_hours), last)
