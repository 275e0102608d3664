"""Emission factors: a number with its unit, edition, year and source, and the tables they are looked up in.

Fuels follow GB/T 32150 and the guides under it: net calorific value × carbon per unit of heat × oxidised share ×
44/12. Grid electricity has three figures a year: the average, the average without the non-fossil power traded in the
market (the residual mix), and fossil power alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg

NATION = "CN"
"""The region of a factor that holds in the whole country."""
AVERAGE = "electricity.average"
RESIDUAL = "electricity.residual"
FOSSIL = "electricity.fossil"
HEAT = "heat.default"
GRID = "grid"
"""What the codes of editions of grid factors begin with."""
CO2_PER_CARBON = Decimal(44) / Decimal(12)
"""The ratio of molar masses that GB/T 32150 uses."""

KILOGRAMS = Decimal("0.000000001")
"""The digits that a factor keeps, in kg: the ratio 44/12 has no end, and a record freezes what it was counted with."""


class Base(StrEnum):
    """What a factor is per: the unit in which an activity of its item is counted."""

    KWH = "kWh"
    GJ = "GJ"
    TONNE = "t"
    NORMAL_CUBIC_METRE = "Nm3"


@dataclass(frozen=True)
class FuelProperties:
    """What a fuel's factor is made of: GJ per tonne (per 10,000 Nm³ for a gas), tC per TJ, and per cent oxidised."""

    ncv_gj: Decimal
    carbon_tc_per_tj: Decimal
    oxidation_percent: Decimal

    @property
    def tonnes(self) -> Decimal:
        """Return tCO2 per tonne (per 10,000 Nm³ for a gas)."""
        carbon = self.ncv_gj * self.carbon_tc_per_tj / 1000
        return carbon * self.oxidation_percent / 100 * CO2_PER_CARBON


@dataclass(frozen=True)
class Factor:
    """Kilograms of CO2 equivalent per ``base`` unit of ``item``, as one edition gives it for one region."""

    edition: str
    item: str
    region: str
    kg: Decimal
    base: Base
    year: int
    source: str
    fuel: FuelProperties | None = None

    @property
    def label(self) -> str:
        """Return the edition, item and region in one word, as logs and documents name a factor."""
        return f"{self.edition}/{self.item}/{self.region}"


UNITS: Mapping[str, tuple[Decimal, Base]] = {
    "kgCO2/kWh": (Decimal(1), Base.KWH),
    "tCO2/MWh": (Decimal(1), Base.KWH),
    "tCO2/GJ": (Decimal(1000), Base.GJ),
    "kgCO2/GJ": (Decimal(1), Base.GJ),
    "tCO2/t": (Decimal(1000), Base.TONNE),
    "tCO2e/t": (Decimal(1000), Base.TONNE),
    "kgCO2/t": (Decimal(1), Base.TONNE),
    "tCO2/10^4Nm3": (Decimal("0.1"), Base.NORMAL_CUBIC_METRE),
    "kgCO2/Nm3": (Decimal(1), Base.NORMAL_CUBIC_METRE),
}
"""Units in which a source prints a factor: kilograms in one of them, and per what."""


class FactorTable:
    """The factors of any number of editions; a factor is one edition's word on an item in a region."""

    def __init__(self, factors: Iterable[Factor]) -> None:
        self._known = {(factor.edition, factor.item, factor.region): factor for factor in factors}

    def __iter__(self) -> Iterator[Factor]:
        return iter(self._known.values())

    @property
    def editions(self) -> tuple[str, ...]:
        """Return the codes of the editions, in their order in the table."""
        return tuple(dict.fromkeys(edition for edition, _, _ in self._known))

    def items(self, edition: str) -> tuple[Factor, ...]:
        """Return the factors of one edition."""
        return tuple(factor for factor in self._known.values() if factor.edition == edition)

    def find(self, edition: str, item: str, region: str = NATION) -> Factor:
        """Return a factor; for a region that the edition does not give, the nation's.

        Raises Invalid ``factor.unknown`` with what the edition does hold.
        """
        known = self._known.get((edition, item, region)) or self._known.get((edition, item, NATION))
        if known is None:
            message = msg("因子版本“{edition}”中没有“{item}”。请换一个版本或活动类型。", edition=edition, item=item)
            raise Invalid("factor.unknown", message, errors=[FieldError("item", "factor.unknown", message)])
        return known

    def grid(self, year: int, item: str = AVERAGE, region: str = NATION) -> Factor:
        """Return the factor of the newest published year that is not after ``year``, the grid's unless told otherwise.

        Factors appear about two years late, so a year's own one is often not there yet; which year was used stands
        in the factor. Raises Invalid for a year before the first.
        """
        years = {factor.year: factor.edition for factor in self._known.values() if factor.item == item}
        past = [known for known in years if known <= year]
        if not past:
            message = msg("没有“{item}”在 {year} 年及以前的排放因子。请导入相应版本。", item=item, year=year)
            raise Invalid("factor.no_year", message, errors=[FieldError("item", "factor.no_year", message)])
        return self.find(years[max(past)], item, region)
