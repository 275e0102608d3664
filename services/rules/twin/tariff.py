"""尖峰平谷: which period each step is in, what a kWh costs there, and the bill part by part."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.inputs import Days, FeedIn, Floats, Ints, Period, Tariff

PERIODS = tuple(Period)
_SATURDAY = 5
_KWH = Decimal("0.001")
_FEN = Decimal(1)


@dataclass(frozen=True, eq=False)
class Prices:
    """Per step: the index into PERIODS, yuan to buy a kWh, and yuan earned by a fed-in kWh.

    ``demand`` is yuan per kW of a month's peak; ``carbon`` is what the emissions of a bought kWh are held to cost: it
    decides, and stands on no bill.
    """

    period: Ints
    buy: Floats
    sell: Floats
    demand: float
    carbon: float = 0.0

    @property
    def cost(self) -> Floats:
        """Yuan per bought kWh while deciding."""
        return self.buy + self.carbon if self.carbon else self.buy


@dataclass(frozen=True)
class BillPart:
    """One line of a month's bill. ``kind`` is a Period, ``demand``, ``capacity`` or ``feed_in`` (a credit, ≤ 0)."""

    month: str
    kind: str
    quantity: Decimal
    unit_price: Decimal
    amount_fen: int


@dataclass(frozen=True)
class Bill:
    """The bill as the grid company would write it: its total is the sum of its rounded parts, always."""

    parts: tuple[BillPart, ...]

    @property
    def total_fen(self) -> int:
        """Sum of all parts."""
        return sum(part.amount_fen for part in self.parts)

    def by_kind(self) -> dict[str, int]:
        """Fen of each kind of part over all months."""
        totals: dict[str, int] = {}
        for part in self.parts:
            totals[part.kind] = totals.get(part.kind, 0) + part.amount_fen
        return totals


def rest_days(calendar: Calendar, tariff: Tariff) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell of each day whether it is one of rest: weekends and holidays, but not the weekends that are worked."""
    return np.array(
        [(d.weekday() >= _SATURDAY or d in tariff.rest_dates) and d not in tariff.work_dates for d in calendar.days]
    )


def step_prices(calendar: Calendar, tariff: Tariff, feed_in: FeedIn, carbon: float = 0.0) -> Prices:
    """Return the prices of each step; ``carbon`` is what the emissions of a bought kWh are held to cost."""
    rest = rest_days(calendar, tariff)[calendar.day]
    period = np.full(len(calendar.minute), PERIODS.index(Period.FLAT), dtype=np.int64)
    for window in tariff.windows:
        if window.start < window.end:
            inside = (calendar.minute >= window.start) & (calendar.minute < window.end)
        else:
            inside = (calendar.minute >= window.start) | (calendar.minute < window.end)
        inside &= np.isin(calendar.month_of_year, sorted(window.months))
        if window.days is not Days.ALL:
            inside &= rest == (window.days is Days.RESTDAYS)
        period[inside] = PERIODS.index(window.period)
    table = np.array([float(tariff.prices.get(item, Decimal("NaN"))) for item in PERIODS])
    sell = np.full(len(period), float(feed_in.paid))
    return Prices(period, table[period], sell, float(tariff.demand_yuan_per_kw), carbon)


def make_bill(
    calendar: Calendar, prices: Prices, tariff: Tariff, feed_in: FeedIn, imported_kw: Floats, exported_kw: Floats
) -> Bill:
    """Write the bill of metered import and export. Each part is rounded half up to the fen, once."""
    hours = calendar.horizon.hours
    parts: list[BillPart] = []
    for number, name in enumerate(calendar.months):
        here = calendar.month == number
        bought, sold, period = imported_kw[here] * hours, exported_kw[here] * hours, prices.period[here]
        for index in np.unique(period).tolist():
            kwh = float(bought[period == index].sum())
            parts.append(_part(name, PERIODS[index].value, kwh, tariff.prices[PERIODS[index]]))
        if tariff.demand_yuan_per_kw:
            parts.append(_part(name, "demand", float(imported_kw[here].max()), tariff.demand_yuan_per_kw))
        if tariff.capacity_yuan_per_month:
            parts.append(_part(name, "capacity", 1.0, tariff.capacity_yuan_per_month))
        if feed_in.paid:
            parts.append(_part(name, "feed_in", float(sold.sum()), -feed_in.paid))
    return Bill(tuple(parts))


def _part(month: str, kind: str, quantity: float, unit_price: Decimal) -> BillPart:
    metered = Decimal(repr(quantity)).quantize(_KWH, rounding=ROUND_HALF_UP)
    fen = (metered * unit_price * 100).quantize(_FEN, rounding=ROUND_HALF_UP)
    return BillPart(month, kind, metered, unit_price, int(fen))
