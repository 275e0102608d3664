"""Slots of instruments: which times of a day can be booked at all. What is still free, the database knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from uuid import UUID

from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg

MOST_SLOTS = 8
"""Slots one booking may take in a row."""
FURTHEST = timedelta(days=180)
"""How far ahead a slot can be booked."""
LONGEST_SEARCH = timedelta(days=92)
LONGEST_BUFFER = 24 * 60
"""Minutes kept free before or after a booking, at most."""
MOST_UNITS = 50
"""Units of one kind that one instrument may stand for."""
NEARBY_DAYS = 14
"""How far around a refused time a valid one is looked for."""

IsOpen = Callable[[date], bool]
"""Tells whether providers work on a day; refuses loudly where the calendar is not known yet."""


@dataclass(frozen=True)
class Hours:
    """An instrument's day in Asia/Shanghai, and how it may be booked.

    Open from ``opens`` to ``closes`` (full hours), in slots of whole hours. A booking takes ``min_slots`` to
    ``max_slots`` of them and keeps its unit busy ``before_minutes`` earlier and ``after_minutes`` longer, which may lie
    outside the opening hours; it is asked for at least ``min_notice_minutes`` and at most ``max_notice_days`` ahead.
    """

    opens: int
    closes: int
    slot_minutes: int
    min_slots: int = 1
    max_slots: int = MOST_SLOTS
    before_minutes: int = 0
    after_minutes: int = 0
    min_notice_minutes: int = 0
    max_notice_days: int = FURTHEST.days
    units: int = 1

    def problem(self) -> str | None:
        """Return what is wrong with these hours, or None."""
        if not 0 <= self.opens < self.closes <= 24:
            return "hours"
        if self.slot_minutes <= 0 or self.slot_minutes % 60 or (self.closes - self.opens) * 60 % self.slot_minutes:
            return "slot_minutes"
        return self._limits()

    def _limits(self) -> str | None:
        """Return which of the limits is unusable, or None."""
        fitting = min(MOST_SLOTS, (self.closes - self.opens) * 60 // self.slot_minutes)
        limits = {
            "min_slots": 1 <= self.min_slots <= fitting,
            "max_slots": self.min_slots <= self.max_slots <= MOST_SLOTS,
            "before_minutes": 0 <= self.before_minutes <= LONGEST_BUFFER,
            "after_minutes": 0 <= self.after_minutes <= LONGEST_BUFFER,
            "min_notice_minutes": 0 <= self.min_notice_minutes < self.max_notice_days * 24 * 60,
            "max_notice_days": 1 <= self.max_notice_days <= FURTHEST.days,
            "units": 1 <= self.units <= MOST_UNITS,
        }
        return next((name for name, holds in limits.items() if not holds), None)

    @property
    def shortest(self) -> timedelta:
        """The least that may be booked."""
        return timedelta(minutes=self.slot_minutes * self.min_slots)

    def occupied(self, starts_at: datetime, ends_at: datetime) -> tuple[datetime, datetime]:
        """Return the time a booking keeps its unit busy: itself and both buffers."""
        return starts_at - timedelta(minutes=self.before_minutes), ends_at + timedelta(minutes=self.after_minutes)


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
    """Yield the starts within ``[from_, to)`` at which the shortest booking fits, in order."""
    day = from_.astimezone(CHINA).date()
    while (midnight := datetime.combine(day, time(), CHINA)) < to:
        if is_open(day):
            closes = midnight + timedelta(hours=hours.closes)
            yield from (
                start
                for start in day_starts(hours, day)
                if from_ <= start and start + hours.shortest <= min(to, closes)
            )
        day += timedelta(days=1)


def check_span(hours: Hours, starts_at: datetime, slots: int, now: datetime, is_open: IsOpen) -> datetime:
    """Return the end of a booking of ``slots`` slots from ``starts_at``.

    Raises Invalid when the instrument cannot be booked then, with the reason and the nearest valid start.
    """
    try:
        _check_length(hours, slots)
        _check_notice(hours, starts_at, now)
        return _check_day(hours, starts_at, slots, is_open)
    except Invalid as problem:
        asked = replace(hours, min_slots=max(hours.min_slots, min(slots, hours.max_slots)))
        nearest = nearest_start(asked, starts_at, now, is_open) or nearest_start(hours, starts_at, now, is_open)
        if nearest is None or problem.code in {"slot.too_short", "slot.too_long"}:
            raise
        when = f"{nearest:%Y-%m-%d %H:%M}"
        found = msg("{reason}最近可预约的开始时间是 {nearest}。", reason=problem.message, nearest=when)
        raise Invalid(problem.code, found) from problem


def nearest_start(hours: Hours, wanted: datetime, now: datetime, is_open: IsOpen) -> datetime | None:
    """Return the valid start nearest to ``wanted`` within fourteen days of it; None where there is none.

    Days of a year without a calendar are left out. Whether it is still free, the database knows.
    """
    earliest = now + max(timedelta(minutes=hours.min_notice_minutes), timedelta(microseconds=1))
    latest = now + timedelta(days=hours.max_notice_days)
    wanted = min(max(wanted, earliest), latest)
    reach = timedelta(days=NEARBY_DAYS)
    from_, to = max(earliest, wanted - reach), wanted + reach
    starts = (start for start in slot_starts(hours, from_, to, known_days(is_open)) if start <= latest)
    return min(starts, key=lambda start: abs(start - wanted), default=None)


def _check_length(hours: Hours, slots: int) -> None:
    if slots < hours.min_slots:
        raise Invalid(
            "slot.too_short",
            msg("该仪器每次至少预约 {least} 档（每档 {minutes} 分钟）。请选择不少于 {least} 档。",
                least=hours.min_slots, minutes=hours.slot_minutes),
        )  # fmt: skip
    if slots > hours.max_slots:
        raise Invalid(
            "slot.too_long", msg("该仪器每次最多预约 {most} 档。请选择不多于 {most} 档。", most=hours.max_slots)
        )


def _check_notice(hours: Hours, starts_at: datetime, now: datetime) -> None:
    if starts_at <= now:
        raise Invalid("slot.past", msg("所选时段已开始或已过去。请选择晚于现在的时段。"))
    if starts_at - now < timedelta(minutes=hours.min_notice_minutes):
        raise Invalid("slot.too_soon", msg("该仪器须至少提前 {minutes} 分钟预约。", minutes=hours.min_notice_minutes))
    if starts_at - now > timedelta(days=hours.max_notice_days):
        raise Invalid("slot.too_far", msg("最多可提前 {days} 天预约。请选择更近的时段。", days=hours.max_notice_days))


def _check_day(hours: Hours, starts_at: datetime, slots: int, is_open: IsOpen) -> datetime:
    local = starts_at.astimezone(CHINA)
    day = local.date()
    if not is_open(day):
        raise Invalid("slot.closed_day", msg("{day} 不是工作日，仪器不开放。", day=day))
    starts = list(day_starts(hours, day))
    length = timedelta(minutes=hours.slot_minutes)
    if local < starts[0] or local >= starts[-1] + length:
        raise Invalid(
            "slot.outside_hours",
            msg("仪器开放时间为 {opens}:00 至 {closes}:00。请在此时间内选择。", opens=hours.opens, closes=hours.closes),
        )
    if local not in starts:
        raise Invalid("slot.off_grid", msg("时段从整档开始（每档 {minutes} 分钟）。", minutes=hours.slot_minutes))
    ends_at = local + slots * length
    if ends_at > starts[-1] + length:
        most = len(starts) - starts.index(local)
        raise Invalid("slot.past_closing", msg("所选时长超过闭馆时间。从该时间起最多可选 {most} 档。", most=most))
    return ends_at.astimezone(starts_at.tzinfo)


def known_days(is_open: IsOpen) -> IsOpen:
    """Return what tells whether a day is worked and known to be: days of a year without a calendar are not."""

    def open_for_sure(day: date) -> bool:
        try:
            return is_open(day)
        except Invalid:
            return False

    return open_for_sure
