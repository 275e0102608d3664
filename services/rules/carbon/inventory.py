"""A year's inventory: every record's share of the year by month and heading, location-based and market-based.

Whole grams throughout: a record that reaches over the end of a month is split by days with the largest remainder, so
the months sum to the year and the years to the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from services.rules.carbon.certificates import Certificate, Cover, cover
from services.rules.carbon.factors import Factor
from services.rules.carbon.quantities import split
from services.rules.carbon.records import Category, Record
from tenants.rules.days import add_months

_MONTHS = 12
_MICRO = 1_000_000


@dataclass(frozen=True)
class Heading:
    """One heading's grams in each month of the year, with their sign. Records are those with a share in the year."""

    category: Category
    months: tuple[int, ...]
    records: int

    @property
    def grams(self) -> int:
        """Return the year's."""
        return sum(self.months)


@dataclass(frozen=True)
class Line:
    """What one factor was used for: quantity in its unit and grams with their sign, in the year."""

    category: Category
    factor: Factor
    base_quantity: Decimal
    grams: int


@dataclass(frozen=True)
class Inventory:
    """A year of a site. ``market_months`` are the electricity's grams by the market-based method."""

    year: int
    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]
    residuals: tuple[Factor, ...]
    """The residual mixes of the records, for what no certificate covers."""
    market_months: tuple[int, ...]
    bought_kwh: Decimal
    own_kwh: Decimal
    cover: Cover

    def of(self, category: Category) -> Heading:
        """Return a heading; one of zeros where nothing was recorded."""
        found = (heading for heading in self.headings if heading.category is category)
        return next(found, Heading(category, (0,) * _MONTHS, 0))

    @property
    def scope1(self) -> int:
        """Grams that the site emitted itself."""
        return sum(heading.grams for heading in self.headings if heading.category.scope == 1)

    @property
    def scope2_location(self) -> int:
        """Grams of bought power and heat, less what was passed on, with the grid's average."""
        return sum(heading.grams for heading in self.headings if heading.category.scope == 2)

    @property
    def scope2_market(self) -> int:
        """The same with certificates, and the residual mix for the rest."""
        return self.scope2_location - sum(h.grams for h in self.headings if h.category.electric) + self.market

    @property
    def market(self) -> int:
        """Grams of electricity by the market-based method."""
        return sum(self.market_months)

    @property
    def total_location(self) -> int:
        """Grams of the year, location-based: the figure of GB/T 32150."""
        return self.scope1 + self.scope2_location

    @property
    def total_market(self) -> int:
        """Grams of the year, market-based."""
        return self.scope1 + self.scope2_market

    @property
    def months(self) -> tuple[int, ...]:
        """Location-based grams of each month, all headings."""
        return tuple(sum(heading.months[place] for heading in self.headings) for place in range(_MONTHS))


def take_inventory(year: int, records: Iterable[Record], certificates: Sequence[Certificate] = ()) -> Inventory:
    """Take the inventory of ``year``; ``records`` are those that stand, of any years."""
    taken = _Taken()
    for record in records:
        taken.add(record, year)
    bought, own = (Decimal(sum(each)) / _MICRO for each in (taken.bought, taken.own))
    covered = cover(year, list(certificates), bought, own)
    return Inventory(
        year=year,
        headings=tuple(
            Heading(category, tuple(taken.months[category]), taken.count[category])
            for category in Category
            if category in taken.months
        ),
        lines=tuple(
            Line(category, factor, quantity, amount) for (category, factor), (quantity, amount) in taken.lines.items()
        ),
        residuals=tuple(taken.residuals),
        market_months=_market(taken, covered),
        bought_kwh=bought,
        own_kwh=own,
        cover=covered,
    )


def months_of(record: Record) -> list[tuple[date, int]]:
    """Return the first day of every month that a record touches, with its days in it."""
    found, month = [], record.start.replace(day=1)
    while month < record.end:
        after = add_months(month, 1, 1)
        found.append((month, (min(after, record.end) - max(month, record.start)).days))
        month = after
    return found


class _Taken:
    def __init__(self) -> None:
        self.months: dict[Category, list[int]] = {}
        self.count: dict[Category, int] = {}
        self.lines: dict[tuple[Category, Factor], tuple[Decimal, int]] = {}
        self.bought = [0] * _MONTHS  # in millionths of a kWh
        self.own = [0] * _MONTHS
        self.residual = [Decimal(0)] * _MONTHS  # grams of what is bought, at the residual mix
        self.own_residual = [Decimal(0)] * _MONTHS
        self.sold = [0] * _MONTHS
        self.residuals: dict[Factor, None] = {}

    def add(self, record: Record, year: int) -> None:
        spread = months_of(record)
        days = [each for _, each in spread]
        shares = split(record.signed, days) if record.signed >= 0 else [-part for part in split(-record.signed, days)]
        micro = split(int(record.base_quantity * _MICRO), days)
        inside = [place for place, (month, _) in enumerate(spread) if month.year == year]
        if not inside:
            return
        months = self.months.setdefault(record.category, [0] * _MONTHS)
        self.count[record.category] = self.count.get(record.category, 0) + 1
        for place in inside:
            month = spread[place][0].month - 1
            months[month] += shares[place]
            self._electric(record, month, micro[place], shares[place])
        key = (record.category, record.factor)
        quantity, amount = self.lines.get(key, (Decimal(0), 0))
        added = Decimal(sum(micro[place] for place in inside)) / _MICRO
        self.lines[key] = (quantity + added, amount + sum(shares[place] for place in inside))

    def _electric(self, record: Record, month: int, micro_kwh: int, amount: int) -> None:
        if not record.category.electric:
            return
        if record.category is Category.SOLD_ELECTRICITY:
            self.sold[month] += amount
            return
        residual = record.residual or record.factor
        self.residuals[residual] = None
        micro, at_residual = (
            (self.bought, self.residual) if record.category is Category.ELECTRICITY else (self.own, self.own_residual)
        )
        micro[month] += micro_kwh
        at_residual[month] += Decimal(micro_kwh) / _MICRO * residual.kg * 1000


def _market(taken: _Taken, covered: Cover) -> tuple[int, ...]:
    """Return each month's grams of electricity: what certificates leave over, at the residual mix.

    Certificates are retired for a year, so they cover the same share of every month; own power whose certificates were
    sold joins what is bought by the same rule.
    """
    bought, own = (Decimal(sum(each)) / _MICRO for each in (taken.bought, taken.own))
    taken_share = Decimal(covered.given_away) / own if own else Decimal(0)
    needed = bought + covered.given_away
    left_share = 1 - Decimal(covered.used) / needed if needed else Decimal(0)
    exact = [(taken.residual[month] + taken.own_residual[month] * taken_share) * left_share for month in range(_MONTHS)]
    total = int(sum(exact, Decimal(0)).to_integral_value(ROUND_HALF_UP))
    weights = [int(each * 1000) for each in exact]
    parts = split(total, weights) if any(weights) else [0] * _MONTHS
    return tuple(part + sold for part, sold in zip(parts, taken.sold, strict=True))
