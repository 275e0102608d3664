"""What a park has beyond load, PV and battery, as a run takes it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from services.rules.twin.building import Building
from services.rules.twin.logistics import Fleet, Yard
from services.rules.twin.network import Network
from services.rules.twin.wind_power import WindPlant


class Purpose(StrEnum):
    """Where energy and emissions belong: making things, moving them, or keeping the place running."""

    PRODUCTION = "production"
    LOGISTICS = "logistics"
    ENERGY = "energy"


@dataclass(frozen=True)
class FuelUse:
    """A fuel burnt over the horizon: kg of CO2 per unit from ``edition``, and where it belongs."""

    fuel: str
    amount: Decimal
    unit: str
    purpose: Purpose
    kg_per_unit: Decimal
    edition: str


@dataclass(frozen=True)
class Equipment:
    """All of it; ``drive_kg`` is kg of CO2 per tonne of the fuels that trucks burn, by drive."""

    wind: WindPlant | None = None
    buildings: tuple[Building, ...] = ()
    network: Network | None = None
    fleets: tuple[Fleet, ...] = ()
    yard: Yard | None = None
    fuels: tuple[FuelUse, ...] = ()
    drive_kg: tuple[tuple[str, Decimal, str], ...] = ()
