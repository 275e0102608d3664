"""The parts of ``park.json`` beyond load, PV and battery: wind, buildings, the park's grid, trucks and fuels."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from services.formats.park_parts import Clock, Name, Part, Share
from services.rules.twin.inputs import Days
from services.rules.twin.logistics import Drive

Watts = Annotated[float, Field(ge=0, le=20)]
Area = Annotated[float, Field(ge=0, le=1e6)]


class WindPart(Part):
    """``count`` turbines of one kind: a power curve of (m/s, kW), or the speeds of a generic one.

    Wind is taken to the hub by the power law with exponent ``shear``, and the curve is read at the density of the air.
    """

    count: int = Field(ge=1, le=1000)
    rated_kw: float = Field(gt=0, le=20_000)
    hub_height_m: float = Field(gt=0, le=250)
    shear: float = Field(default=0.14, ge=0, le=0.6)
    losses: float = Field(default=0.1, ge=0, lt=1)
    curve: Annotated[tuple[tuple[float, float], ...], Field(min_length=2, max_length=100)] | None = None
    cut_in_m_s: float = Field(default=3, gt=0, le=10)
    rated_m_s: float = Field(default=12, gt=0, le=25)
    cut_out_m_s: float = Field(default=25, gt=0, le=40)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.cut_in_m_s < self.rated_m_s < self.cut_out_m_s:
            raise ValueError("wind_speeds")
        if self.curve is not None and (
            any(later[0] <= earlier[0] for earlier, later in pairwise(self.curve))
            or any(speed < 0 or not 0 <= kw <= 1.1 * self.rated_kw for speed, kw in self.curve)
        ):
            raise ValueError("wind_curve")
        return self


class BuildingPart(Part):
    """A building that is heated or cooled with electricity, as five resistances and one capacity (ISO 13790).

    Areas in m2, U values in W/(m2 K), capacity in kJ/(m2 K) of floor (80 very light, 165 medium, 370 very heavy).
    ``metered`` says that its electricity is already in the load; otherwise it is added.
    """

    name: Name
    floor_area: float = Field(gt=0, le=1e6)
    height: float = Field(default=3.5, gt=0, le=50)
    wall_area: Area
    wall_u: Watts = 0.5
    window_area: Area
    window_u: Watts = 2.2
    solar_share: Share = 0.5
    capacity: float = Field(default=165, ge=20, le=1000)
    air_changes: float = Field(default=0.6, ge=0, le=20)
    gains_use: float = Field(default=12, ge=0, le=500)
    gains_idle: float = Field(default=2, ge=0, le=500)
    heat_to: float = Field(default=18, ge=-10, le=40)
    cool_to: float = Field(default=26, ge=0, le=50)
    setback: float = Field(default=6, ge=0, le=30)
    use_from: Clock = "08:00"
    use_to: Clock = "18:00"
    rest_days: bool = False
    cop_heating: float = Field(default=3.2, ge=0.8, le=8)
    cop_cooling: float = Field(default=3.4, ge=0.8, le=8)
    cop_slope: float = Field(default=0.06, ge=0, le=0.3)
    heated: bool = True
    cooled: bool = True
    metered: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.heat_to >= self.cool_to:
            raise ValueError("set_points")
        return self


class BusPart(Part):
    """A node of the park's grid; shares of the load and of the PV are relative to their sums over all buses."""

    name: Name
    kv: float = Field(gt=0, le=500)
    load_share: float = Field(default=0, ge=0, le=1e6)
    pv_share: float = Field(default=0, ge=0, le=1e6)


class TransformerPart(Part):
    """A transformer from an upper to a lower bus, by the figures of its plate."""

    name: Name
    upper: Name = Field(alias="from")
    lower: Name = Field(alias="to")
    kva: float = Field(gt=0, le=1e6)
    uk_percent: float = Field(default=6, ge=1, le=25)
    load_loss_kw: float = Field(default=0, ge=0, le=1e4)
    no_load_loss_kw: float = Field(default=0, ge=0, le=1e4)
    no_load_current_percent: float = Field(default=0.5, ge=0, le=10)

    @model_validator(mode="after")
    def _plausible(self) -> Self:
        if self.load_loss_kw > self.kva * self.uk_percent / 100 or self.no_load_loss_kw > self.kva:
            raise ValueError("transformer")
        return self


class FeederPart(Part):
    """A cable or overhead line between two buses of one voltage; figures per km and phase."""

    name: Name
    start: Name = Field(alias="from")
    end: Name = Field(alias="to")
    km: float = Field(gt=0, le=200)
    r_ohm_per_km: float = Field(gt=0, le=20)
    x_ohm_per_km: float = Field(default=0.1, ge=0, le=20)
    c_uf_per_km: float = Field(default=0, ge=0, le=5)
    ampacity_a: float = Field(gt=0, le=10_000)


class NetworkPart(Part):
    """The park's grid, fed at its first bus. Every bus must be reached from there."""

    buses: Annotated[tuple[BusPart, ...], Field(min_length=2, max_length=200)]
    transformers: Annotated[tuple[TransformerPart, ...], Field(max_length=100)] = ()
    feeders: Annotated[tuple[FeederPart, ...], Field(max_length=300)] = ()
    short_circuit_mva: float = Field(default=200, gt=0, le=1e6)
    source_pu: float = Field(default=1.0, ge=0.9, le=1.1)
    power_factor: float = Field(default=0.92, gt=0.3, le=1)
    battery_bus: Name | None = None
    wind_bus: Name | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        volts = {bus.name: bus.kv for bus in self.buses}
        ends = [(item.upper, item.lower) for item in self.transformers]
        ends += [(item.start, item.end) for item in self.feeders]
        named = {self.battery_bus, self.wind_bus} - {None}
        if len(volts) < len(self.buses):
            raise ValueError("bus_twice")
        if ({name for pair in ends for name in pair} | named) - set(volts):
            raise ValueError("bus_unknown")
        if any(volts[item.start] != volts[item.end] for item in self.feeders):
            raise ValueError("feeder_volts")
        if _reached(self.buses[0].name, ends) != set(volts):
            raise ValueError("bus_cut_off")
        if not any(bus.load_share for bus in self.buses):
            raise ValueError("no_load_share")
        return self


def _reached(first: str, ends: list[tuple[str, str]]) -> set[str]:
    found, waiting = {first}, [first]
    while waiting:
        here = waiting.pop()
        for start, end in ends:
            there = end if start == here else start if end == here else None
            if there is not None and there not in found:
                found.add(there)
                waiting.append(there)
    return found


class FleetPart(Part):
    """Trucks; ``per_100_km`` in litres (diesel, gasoline), kg (lng), or kWh from the charger (electric)."""

    name: Name
    drive: Drive
    trips_per_day: float = Field(gt=0, le=1e5)
    km: float = Field(gt=0, le=1e5)
    per_100_km: float = Field(gt=0, le=500)
    days: Days = Days.WORKDAYS
    charge_from: Clock = "22:00"
    charge_to: Clock = "06:00"


class YardPart(Part):
    """Docks where trucks queue: Poisson arrivals in opening hours, first come, first served."""

    docks: int = Field(ge=1, le=500)
    trucks_per_hour: float = Field(gt=0, le=1000)
    service_minutes: float = Field(gt=0, le=1440)
    variation: float = Field(default=0.5, ge=0, le=3)
    open_from: Clock = "08:00"
    open_to: Clock = "18:00"
    days: Days = Days.WORKDAYS
    idle_litres_per_hour: float = Field(default=1.5, ge=0, le=20)


class LogisticsPart(Part):
    """Trucks and the yard."""

    fleets: Annotated[tuple[FleetPart, ...], Field(max_length=20)] = ()
    yard: YardPart | None = None


class FuelUnit(StrEnum):
    """What a fuel is counted in; gases in normal cubic metres."""

    TONNE = "t"
    NORMAL_CUBIC_METRE = "Nm3"


class FuelPurpose(StrEnum):
    """Where a fuel's emissions belong in the report."""

    PRODUCTION = "production"
    LOGISTICS = "logistics"
    ENERGY = "energy"


class FuelPart(Part):
    """A fuel burnt over the period (scope 1), by its name in the platform's factors, such as ``natural_gas``."""

    fuel: Annotated[str, Field(pattern=r"^[a-z_]{2,40}$")]
    amount: Annotated[Decimal, Field(ge=0, le=10**9, max_digits=18)]
    unit: FuelUnit
    purpose: FuelPurpose = FuelPurpose.PRODUCTION
