"""Slots of instruments: which times of a day can be booked at all. What is still free, the database knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg

MOST_SLOTS = 8
"""Slots one booking may take in a row."""
FURTHEST = timedelta(days=180)
"""How far ahead a slot can be booked."""
LONGEST_SEARCH = timedelta(days=62)

IsOpen = Callable[[date], bool]
"""Tells whether providers work on a day; refuses loudly where the calendar is not known yet."""


@dataclass(frozen=True)
class Hours:
    """An instrument's day in Asia/Shanghai: open from ``opens`` to ``closes`` (full hours), in slots of whole hours."""

    opens: int
    closes: int
    slot_minutes: int

    def problem(self) -> str | None:
        """Return what is wrong with these hours, or None."""
        if not 0 <= self.opens < self.closes <= 24:
            return "hours"
        if self.slot_minutes <= 0 or self.slot_minutes % 60 or (self.closes - self.opens) * 60 % self.slot_minutes:
            return "slot_minutes"
        return None


@dataclass(frozen=True)
class Span:
    """A stretch of time on one instrument, half-open."""

    instrument_id: UUID
    starts_at: datetime
    ends_at: datetime


def day_starts(hours: Hours, day: date) -> Iterator[datetime]:
    """Yield the instants at which the slots of ``day`` start, with Shanghai's offset."""
    opens = datetime.combine(day, time(), CHINA) + timedelta(hours=hours.opens)
    step = timedelta(minutes=hours.slot_minutes)
    for number in range((hours.closes - hours.opens) * 60 // hours.slot_minutes):
        yield opens + number * step


def slot_starts(hours: Hours, from_: datetime, to: datetime, is_open: IsOpen) -> Iterator[datetime]:
    """Yield the starts of all slots that lie within ``[from_, to)``, in order."""
    day = from_.astimezone(CHINA).date()
    length = timedelta(minutes=hours.slot_minutes)
    while datetime.combine(day, time(), CHINA) < to:
        if is_open(day):
            yield from (start for start in day_starts(hours, day) if from_ <= start and start + length <= to)
        day += timedelta(days=1)


def check_span(hours: Hours, starts_at: datetime, slots: int, now: datetime, is_open: IsOpen) -> datetime:
    """Return the end of a booking of ``slots`` slots from ``starts_at``.

    Raises Invalid when the instrument cannot be booked then, with the reason and the nearest valid choice.
    """
    if starts_at <= now:
        raise Invalid("slot.past", msg("所选时段已开始或已过去。请选择晚于现在的时段。"))
    if starts_at - now > FURTHEST:
        raise Invalid("slot.too_far", msg("最多可提前 {days} 天预约。请选择更近的时段。", days=FURTHEST.days))
    local = starts_at.astimezone(CHINA)
    day = local.date()
    if not is_open(day):
        raise Invalid(
            "slot.closed_day",
            msg("{day} 不是工作日，仪器不开放。最近的工作日是 {next}。", day=day, next=_next_open(day, is_open)),
        )
    starts = list(day_starts(hours, day))
    length = timedelta(minutes=hours.slot_minutes)
    if local < starts[0] or local >= starts[-1] + length:
        raise Invalid(
            "slot.outside_hours",
            msg("仪器开放时间为 {opens}:00 至 {closes}:00。请在此时间内选择。", opens=hours.opens, closes=hours.closes),
        )
    if local not in starts:
        nearest = min(starts, key=lambda start: abs(start - local))
        raise Invalid(
            "slot.off_grid",
            msg("时段从整档开始（每档 {minutes} 分钟）。最近的开始时间是 {nearest}。",
                minutes=hours.slot_minutes, nearest=f"{nearest:%H:%M}"),
        )  # fmt: skip
    ends_at = local + slots * length
    if ends_at > starts[-1] + length:
        most = len(starts) - starts.index(local)
        raise Invalid("slot.past_closing", msg("所选时长超过闭馆时间。从该时间起最多可选 {most} 档。", most=most))
    return ends_at.astimezone(starts_at.tzinfo)


def free_starts(
    hours: Hours, span: Span, taken: list[tuple[datetime, datetime]], is_open: IsOpen
) -> Iterator[datetime]:
    """Yield the starts of the slots within ``span`` that none of ``taken`` (half-open) overlaps."""
    length = timedelta(minutes=hours.slot_minutes)
    busy = sorted(taken)
    first = 0
    for start in slot_starts(hours, span.starts_at, span.ends_at, is_open):
        while first < len(busy) and busy[first][1] <= start:
            first += 1
        if first == len(busy) or busy[first][0] >= start + length:
            yield start


def _next_open(day: date, is_open: IsOpen) -> date:
    following = day + timedelta(days=1)
    while not is_open(following):
        following += timedelta(days=1)
    return following
