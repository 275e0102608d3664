"""Periods are half-open, ``[start, end)``, and end where the clock on the wall of their own zone says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tenants.rules.days import add_months

DEFAULT_ZONE = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` until just before ``end``, both aware."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class Days:
    """From the day ``start`` until the day before ``end``; without ``end`` for good."""

    start: date
    end: date | None = None

    def __contains__(self, day: date) -> bool:
        return self.start <= day and (self.end is None or day < self.end)

    def overlaps(self, other: Days) -> bool:
        """Tell whether two spans share a day."""
        return (self.end is None or other.start < self.end) and (other.end is None or self.start < other.end)


def local_day(moment: date | datetime, timezone: str) -> date:
    """Return the day of an aware moment in a zone; a plain day is that day everywhere."""
    if isinstance(moment, datetime):
        return moment.astimezone(ZoneInfo(timezone)).date()
    return moment


def start_of_day(day: date, timezone: str) -> datetime:
    """Return the first moment of a day in a zone, as UTC."""
    return datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC)


def month_period(year: int, month: int, timezone: str = DEFAULT_ZONE) -> Period:
    """Return a calendar month of a zone."""
    first = date(year, month, 1)
    return Period(start_of_day(first, timezone), start_of_day(add_months(first, 1, first.day), timezone))


def month_of(moment: datetime, timezone: str = DEFAULT_ZONE) -> Period:
    """Return the calendar month of a zone that contains an aware moment."""
    day = local_day(moment, timezone)
    return month_period(day.year, day.month, timezone)


def month_before(moment: datetime, timezone: str = DEFAULT_ZONE) -> Period:
    """Return the calendar month of a zone before the one that contains an aware moment."""
    return month_of(month_of(moment, timezone).start - timedelta(days=1), timezone)


def parse_month(text: str, timezone: str = DEFAULT_ZONE) -> Period | None:
    """Return the month written ``YYYY-MM``, or None when the text is none."""
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        return None
    return month_period(first.year, first.month, timezone) if len(text) == len("YYYY-MM") else None


def month_name(moment: datetime, timezone: str = DEFAULT_ZONE) -> str:
    """Return the month of an aware moment as ``YYYY-MM``."""
    return f"{local_day(moment, timezone):%Y-%m}"


def anchored_period(anchor: date, index: int) -> Days:
    """Return the ``index``-th monthly period (from 0) after an anchor; clamped ends never shift later ones."""
    return Days(add_months(anchor, index, anchor.day), add_months(anchor, index + 1, anchor.day))


@dataclass(frozen=True, slots=True)
class CapYear:
    """The twelve months in which a yearly ceiling counts; ``label`` names it for good."""

    days: Days

    @property
    def label(self) -> str:
        """Return its first day, ``2026-01-01``."""
        return self.days.start.isoformat()


def cap_year(day: date, year_starts: str) -> CapYear:
    """Return the cap year of a day; ``year_starts`` is ``MM-DD`` (never 02-29, which most years lack)."""
    month, day_of_month = (int(part) for part in year_starts.split("-"))
    start = date(day.year, month, day_of_month)
    if day < start:
        start = start.replace(year=day.year - 1)
    return CapYear(Days(start, start.replace(year=start.year + 1)))


def microseconds(span: timedelta) -> int:
    """Return a span in whole microseconds, the exact unit in which levels are weighted."""
    return span // timedelta(microseconds=1)
