"""Simple alarms: thresholds with hysteresis and heartbeats. Each crossing is one alarm, whoever looks and however often.

An alarm is raised when a value has lain beyond its threshold for as long as the rule waits, and ends when a value lies back by
the hysteresis. A heartbeat is missed when nothing came for as long as the rule waits, and ends with the next reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum

from tenants.kernel.clock import CHINA

MOST_STEPS = 5


class AlarmKind(StrEnum):
    """What is looked for."""

    ABOVE = "above"
    BELOW = "below"
    SILENT = "silent"


@dataclass(frozen=True)
class AlarmRule:
    """A rule. ``hold`` is how long a value must lie beyond ``threshold``, or nothing come, before it is an alarm."""

    kind: AlarmKind
    threshold: float | None
    hysteresis: float
    hold: timedelta

    def beyond(self, value: float) -> bool:
        """Tell whether a value lies beyond the threshold."""
        if self.threshold is None:
            return False
        return value > self.threshold if self.kind is AlarmKind.ABOVE else value < self.threshold

    def back(self, value: float) -> bool:
        """Tell whether a value lies back on the good side by the hysteresis."""
        if self.threshold is None:
            return True
        if self.kind is AlarmKind.ABOVE:
            return value <= self.threshold - self.hysteresis
        return value >= self.threshold + self.hysteresis


@dataclass(frozen=True)
class AlarmState:
    """Where a rule stands: crossings so far, since when values lie beyond, whether an alarm is on, what was seen last."""

    crossings: int = 0
    beyond_since: datetime | None = None
    is_on: bool = False
    seen_until: datetime | None = None


@dataclass(frozen=True)
class Change:
    """An alarm that was raised (``raised``) or ended, with the value and its moment."""

    raised: bool
    crossing: int
    at: datetime
    value: float | None


def look(
    rule: AlarmRule, state: AlarmState, points: Sequence[tuple[datetime, float]]
) -> tuple[AlarmState, list[Change]]:
    """Return the state after ``points``, in order of their stamps, and what changed. Points seen before are passed over."""
    changes: list[Change] = []
    for at, value in points:
        if state.seen_until is not None and at <= state.seen_until:
            continue
        state = replace(state, seen_until=at)
        if state.is_on:
            if rule.back(value):
                state = replace(state, is_on=False, beyond_since=None)
                changes.append(Change(False, state.crossings, at, value))
        elif not rule.beyond(value):
            state = replace(state, beyond_since=None)
        else:
            since = state.beyond_since or at
            state = replace(state, beyond_since=since)
            if at - since >= rule.hold:
                state = replace(state, is_on=True, crossings=state.crossings + 1)
                changes.append(Change(True, state.crossings, at, value))
    return state, changes


def listen(
    rule: AlarmRule, state: AlarmState, last_at: datetime | None, began_at: datetime, now: datetime
) -> tuple[AlarmState, list[Change]]:
    """Return the state of a heartbeat and what changed: ``last_at`` is when something came last, or the rule ``began_at``."""
    last = max(last_at, began_at) if last_at is not None else began_at
    silent = now - last >= rule.hold
    if silent and not state.is_on:
        state = replace(state, is_on=True, crossings=state.crossings + 1, beyond_since=last)
        return state, [Change(True, state.crossings, last + rule.hold, None)]
    if not silent and state.is_on:
        return replace(state, is_on=False, beyond_since=None), [Change(False, state.crossings, last, None)]
    return state, []


def told_from(at: datetime, quiet_from: time | None, quiet_until: time | None) -> datetime:
    """Return from when an alarm is told: at once, or at the end of the quiet hours that ``at`` falls into.

    Quiet hours are by the clocks of parks, and may pass midnight.
    """
    if quiet_from is None or quiet_until is None or quiet_from == quiet_until:
        return at
    local = at.astimezone(CHINA)
    clock = local.time()
    over_night = quiet_from > quiet_until
    quiet = clock >= quiet_from or clock < quiet_until if over_night else quiet_from <= clock < quiet_until
    if not quiet:
        return at
    end = datetime.combine(local.date(), quiet_until, CHINA)
    return end if end > local else end + timedelta(days=1)


def step_due(told_at: datetime, steps: Sequence[int], level: int) -> datetime | None:
    """Return when an alarm that nobody has acknowledged goes up from ``level``; None at the top.

    ``steps`` are minutes from the telling: ``(15, 60)`` goes up after a quarter of an hour and after an hour.
    """
    return told_at + timedelta(minutes=steps[level]) if level < len(steps) else None
