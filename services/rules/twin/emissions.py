"""Tonnes of CO2 of a scenario, by scope and by what they were for: production, logistics, energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.rules.twin.equipment import FuelUse, Purpose


@dataclass(frozen=True)
class Emissions:
    """Tonnes. Scope 1 is what is burnt in the park, scope 2 bought electricity (location-based)."""

    scope_1: float
    scope_2: float
    by_purpose: Mapping[str, float]

    @property
    def total(self) -> float:
        """Both scopes."""
        return self.scope_1 + self.scope_2


def fuel_tonnes(fuel: FuelUse) -> float:
    """Tonnes of CO2 of a fuel."""
    return float(fuel.amount * fuel.kg_per_unit) / 1000


def emissions_of(
    bought_kwh: float,
    kg_per_kwh: Decimal,
    consumed_kwh: Mapping[Purpose, float],
    fuels: Sequence[FuelUse],
    truck_tonnes: float,
) -> Emissions:
    """Count a scenario. Bought electricity is shared among purposes by what each consumed over the horizon.

    ``truck_tonnes`` is the CO2 of fuels burnt by trucks, waiting included. Power fed in earns no credit.
    """
    scope_2 = bought_kwh * float(kg_per_kwh) / 1000
    total = sum(consumed_kwh.values())
    parts = {purpose: scope_2 * consumed_kwh.get(purpose, 0.0) / total if total > 0 else 0.0 for purpose in Purpose}
    for fuel in fuels:
        parts[fuel.purpose] += fuel_tonnes(fuel)
    parts[Purpose.LOGISTICS] += truck_tonnes
    scope_1 = sum(fuel_tonnes(fuel) for fuel in fuels) + truck_tonnes
    return Emissions(scope_1, scope_2, {purpose.value: tonnes for purpose, tonnes in parts.items()})
