"""Measures of the path to zero: what each costs a year, what it saves of the site's own ledger, and in which order.

Money is in yuan a year at constant prices. A measure's capital is spread over its life by the annuity
i / (1 − (1 + i)^−n) and renewed when the life ends, so its yearly cost stays the same for as long as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg

MOST_MEASURES = 30
MOST_YEARS = 40


class Kind(StrEnum):
    """What sort of measure; the order is the one in which people should think of them."""

    EFFICIENCY = "efficiency"
    PV = "pv"
    STORAGE = "storage"
    ELECTRIFICATION = "electrification"
    GREEN_POWER = "green_power"
    OFFSET = "offset"

    @property
    def divisible(self) -> bool:
        """Tell whether any part of it can be taken in any year; what is built is built whole, and stays."""
        return self in {Kind.GREEN_POWER, Kind.OFFSET}


@dataclass(frozen=True)
class Measure:
    """A measure as a site plans it.

    ``saved_kwh`` is bought electricity a year that is not bought any more; electrification has a negative one, beside
    ``saved_fuel`` of the factor ``fuel`` (a label of the ledger) in its base unit. ``green_kwh`` is certified power
    that can be had a year, ``offset_t`` credits a year; both cost ``yearly_yuan`` for all of it. For the others
    ``yearly_yuan`` is upkeep less what is saved on bills, so it is often negative.
    """

    key: str
    name: str
    kind: Kind
    capex_yuan: Decimal = Decimal(0)
    yearly_yuan: Decimal = Decimal(0)
    life_years: int = 1
    saved_kwh: Decimal = Decimal(0)
    fuel: str | None = None
    saved_fuel: Decimal = Decimal(0)
    green_kwh: Decimal = Decimal(0)
    offset_t: Decimal = Decimal(0)
    first_year: int = 0
    """The year from which it can stand; 0 is at once."""


@dataclass(frozen=True)
class Baseline:
    """What the ledger says of the base year, market-based: all the measures can save is taken from this.

    ``grams`` is the whole, ``uncovered_kwh`` bought electricity without certificates, ``kg_per_kwh`` its residual mix,
    ``fuels`` the amount and the factor (kg per base unit) of every fuel by its label.
    """

    year: int
    grams: int
    uncovered_kwh: Decimal
    kg_per_kwh: Decimal
    fuels: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)

    @property
    def tonnes(self) -> Decimal:
        """Return the year's emissions in tonnes."""
        return Decimal(self.grams) / 1_000_000

    def abated(self, measure: Measure) -> Decimal:
        """Return tonnes a year that all of ``measure`` saves; negative when it makes more than it saves."""
        kilograms = (measure.saved_kwh + measure.green_kwh) * self.kg_per_kwh
        if measure.fuel is not None:
            kilograms += measure.saved_fuel * self.fuels[measure.fuel][1]
        return kilograms / 1000 + measure.offset_t


def annuity(rate: Decimal, years: int) -> Decimal:
    """Return the yearly share of a capital that pays it back with interest ``rate`` in ``years``."""
    return Decimal(1) / years if rate == 0 else rate / (1 - (1 + rate) ** -years)


def yearly_cost(measure: Measure, rate: Decimal) -> Decimal:
    """Return yuan a year of all of ``measure``, its capital included."""
    return measure.capex_yuan * annuity(rate, measure.life_years) + measure.yearly_yuan


@dataclass(frozen=True)
class Step:
    """One step of the abatement curve: tonnes a year, and yuan for each of them."""

    measure: Measure
    tonnes: Decimal
    yuan_per_tonne: Decimal


def abatement_curve(measures: Sequence[Measure], baseline: Baseline, rate: Decimal) -> tuple[Step, ...]:
    """Return the measures that save something, cheapest tonne first; offsets come after all of them."""
    steps = [
        Step(measure, tonnes, yearly_cost(measure, rate) / tonnes)
        for measure in measures
        if (tonnes := baseline.abated(measure)) > 0
    ]
    return tuple(sorted(steps, key=lambda s: (s.measure.kind is Kind.OFFSET, s.yuan_per_tonne, s.measure.key)))


def check_measures(measures: Sequence[Measure], baseline: Baseline) -> None:
    """Refuse measures that save what the ledger does not hold, or the same key twice; Invalid per measure and field."""
    errors: list[FieldError] = []

    def fault(place: int, name: str, message: Message) -> None:
        errors.append(FieldError(f"measures[{place}].{name}", "measure.invalid", message))

    if len(measures) > MOST_MEASURES:
        fault(MOST_MEASURES, "key", msg("最多 {most} 项措施。", most=MOST_MEASURES))
    seen: set[str] = set()
    for place, measure in enumerate(measures):
        if measure.key in seen:
            fault(place, "key", msg("措施编号重复。"))
        seen.add(measure.key)
        if measure.fuel is not None and measure.fuel not in baseline.fuels:
            fault(place, "fuel", msg("基准年台账中没有“{fuel}”。", fuel=measure.fuel))
        elif measure.fuel is not None and measure.saved_fuel > baseline.fuels[measure.fuel][0]:
            fault(place, "saved_fuel", msg("超过基准年用量 {most}。", most=_plain(baseline.fuels[measure.fuel][0])))
        if measure.saved_kwh > baseline.uncovered_kwh:
            most = _plain(baseline.uncovered_kwh)
            fault(place, "saved_kwh", msg("超过基准年未抵扣的外购电量 {most} kWh。", most=most))
    if errors:
        raise Invalid("measures.invalid", msg("措施中有 {count} 处需要修改。", count=len(errors)), errors=errors)


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
