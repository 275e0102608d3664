"""A week of free slots as a grid: days across, times down, instruments one below the other.

A slot without a free unit is taken: it can be waited for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from services.rules.slots import Hours
from services.usecases.bookings import SlotView
from services.usecases.instruments import InstrumentView
from tenants.kernel.clock import CHINA

DAYS = 7


@dataclass(frozen=True)
class InstrumentGrid:
    """One instrument's week: for each time of day, the slot of each day or None."""

    id: UUID
    name: str
    region_code: str
    hours: Hours
    times: tuple[tuple[str, tuple[SlotView | None, ...]], ...]


@dataclass(frozen=True)
class Week:
    """A week from Monday, with its neighbours (None before the present one)."""

    days: tuple[date, ...]
    instruments: tuple[InstrumentGrid, ...]
    before: str | None
    after: str

    @property
    def name(self) -> str:
        """The day that names the week in addresses."""
        return self.days[0].isoformat()


def monday_of(text: str | None, now: datetime) -> datetime:
    """Return the Monday of the week named by a day; of the coming week when none is named at a weekend."""
    today = now.astimezone(CHINA).date()
    try:
        chosen = date.fromisoformat(text or "")
    except ValueError:
        chosen = today + timedelta(days=2) if today.weekday() > 4 else today
    chosen = max(min(chosen, today + timedelta(days=180)), today)
    monday = chosen - timedelta(days=chosen.weekday())
    return datetime.combine(monday, time(), CHINA).astimezone(UTC)


def make_week(
    slots: Sequence[SlotView], instruments: Iterable[InstrumentView], monday: datetime, now: datetime
) -> Week:
    """Return the grid of a week's slots of these instruments."""
    first = monday.astimezone(CHINA).date()
    days = tuple(first + timedelta(days=number) for number in range(DAYS))
    by_instrument: dict[UUID, dict[str, dict[date, SlotView]]] = {}
    for slot in slots:
        local = slot.starts_at.astimezone(CHINA)
        by_instrument.setdefault(slot.instrument_id, {}).setdefault(f"{local:%H:%M}", {})[local.date()] = slot
    grids = tuple(
        InstrumentGrid(
            each.id,
            each.name,
            each.region_code,
            each.hours,
            tuple((at, tuple(free.get(day) for day in days)) for at, free in sorted(by_instrument[each.id].items())),
        )
        for each in instruments
        if each.id in by_instrument
    )
    this_monday = monday_of(None, now)
    earlier = (first - timedelta(days=DAYS)).isoformat() if monday > this_monday else None
    return Week(days, grids, earlier, (first + timedelta(days=DAYS)).isoformat())
