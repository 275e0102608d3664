"""Heating and cooling of a building: the five-resistance, one-capacity model of ISO 13790, annex C.

Nodes are the air, the surfaces and the mass; the capacity sits at the mass and is stepped by Crank and Nicolson's
rule, so any step length will do. Demand is what holds the air between two set points; electricity follows from the
demand and a heat pump whose efficiency falls with the distance between the temperatures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.rules.twin.inputs import Floats

_MASS_AIR_FILM = 9.1  # W/(m2 K) between mass and surfaces, ISO 13790 12.2.2
_SURFACE_AIR_FILM = 3.45  # W/(m2 K) between surfaces and air
_SURFACES_PER_FLOOR = 4.5  # area of all surfaces over floor area
_AIR_HEAT = 0.33  # Wh/(m3 K)
_COLDEST_COP, _HOTTEST_COP = 1.0, 8.0


@dataclass(frozen=True)
class Building:
    """A building with one zone.

    Areas in m2, U values in W/(m2 K), ``capacity`` in kJ/(m2 K) of floor, air changes per hour, gains in W/m2 of floor
    while in use and not; set points in degrees C while in use, and how far they are let go outside of use (K).
    ``cop_heating`` holds at 7 degrees C outside and ``cop_cooling`` at 35; both change by ``cop_slope`` per K.
    ``heated`` and ``cooled`` say whether it is done with electricity. ``metered`` loads are already in the load.
    """

    name: str
    floor_area: float
    height: float = 3.5
    wall_area: float = 0.0
    wall_u: float = 0.5
    window_area: float = 0.0
    window_u: float = 2.2
    solar_share: float = 0.5
    capacity: float = 165.0
    air_changes: float = 0.6
    gains_use: float = 12.0
    gains_idle: float = 2.0
    heat_to: float = 18.0
    cool_to: float = 26.0
    setback: float = 6.0
    use_from: int = 8 * 60
    use_to: int = 18 * 60
    rest_days: bool = False
    cop_heating: float = 3.2
    cop_cooling: float = 3.4
    cop_slope: float = 0.06
    heated: bool = True
    cooled: bool = True
    metered: bool = False
    most_kw: float = 1e9


@dataclass(frozen=True, eq=False)
class Comfort:
    """What a building needs per step: kW of heat put in, kW of heat taken out, kW of electricity, and air in degrees C."""

    heating: Floats
    cooling: Floats
    electricity: Floats
    air: Floats


@dataclass(frozen=True)
class _Network:
    """Conductances in W/K, capacity in J/K, and areas, by the names of ISO 13790."""

    ventilation: float
    windows: float
    air_surface: float
    surface_mass: float
    mass_outside: float
    capacity: float
    mass_area: float
    surfaces: float

    @classmethod
    def of(cls, building: Building) -> _Network:
        surfaces = _SURFACES_PER_FLOOR * building.floor_area
        # Effective mass area from light (2.5) to heavy (3.5 m2 per m2 of floor), ISO 13790 table 12.
        heavy = min(max((building.capacity - 110) / (370 - 110), 0.0), 1.0)
        mass_area = (2.5 + heavy) * building.floor_area
        opaque = building.wall_area * building.wall_u
        surface_mass = _MASS_AIR_FILM * mass_area
        return cls(
            ventilation=_AIR_HEAT * building.air_changes * building.floor_area * building.height,
            windows=building.window_area * building.window_u,
            air_surface=_SURFACE_AIR_FILM * surfaces,
            surface_mass=surface_mass,
            mass_outside=1 / (1 / opaque - 1 / surface_mass) if 0 < opaque < surface_mass else opaque,
            capacity=building.capacity * 1000 * building.floor_area,
            mass_area=mass_area,
            surfaces=surfaces,
        )

    @property
    def loss(self) -> float:
        """Steady W per K between inside and outside, mass in balance: what a designer would write down."""
        walls = 1 / (1 / self.mass_outside + 1 / self.surface_mass) if self.mass_outside > 0 else 0.0
        inner = walls + self.windows
        return self.ventilation + (1 / (1 / inner + 1 / self.air_surface) if inner > 0 else 0.0)


def heat_loss(building: Building) -> float:
    """Return the steady heat loss in W per K between the air inside and outside."""
    return _Network.of(building).loss


def gains(building: Building, in_use: Floats, radiation: Floats) -> tuple[Floats, Floats]:
    """Return internal and solar heat gains in W; ``radiation`` is W/m2 on the windows, ``in_use`` is 0 to 1."""
    inside = (building.gains_idle + (building.gains_use - building.gains_idle) * in_use) * building.floor_area
    sun: Floats = radiation * building.window_area * building.solar_share
    return inside, sun


def simulate(
    building: Building,
    outside: Floats,
    internal: Floats,
    solar: Floats,
    in_use: Floats,
    hours: float,
    *,
    free: bool = False,
    start: float | None = None,
) -> Comfort:
    """Run the building through its steps; ``free`` lets it float without heating or cooling.

    ``outside`` in degrees C, gains in W, steps of ``hours``. The mass starts at ``start``, by default at the
    temperature it would have if the first step had lasted for ever between the set points.
    """
    net = _Network.of(building)
    at_mass = net.mass_area / net.surfaces * (0.5 * internal + solar)
    share = 1 - net.mass_area / net.surfaces - net.windows / (9.1 * net.surfaces)
    at_surface = share * (0.5 * internal + solar)
    at_air = 0.5 * internal
    low = building.heat_to - building.setback * (1 - in_use)
    high = building.cool_to + building.setback * (1 - in_use)
    mass = float(np.clip(outside[0], low[0], high[0])) if start is None else start
    heat, air = _steps(building, net, (outside, at_air, at_surface, at_mass, low, high), hours, mass, free=free)
    warm, cool = np.maximum(heat, 0) / 1000, np.maximum(-heat, 0) / 1000
    return Comfort(warm, cool, electricity(building, warm, cool, outside), air)


def _steps(
    building: Building, net: _Network, series: tuple[Floats, ...], hours: float, mass: float, *, free: bool
) -> tuple[Floats, Floats]:
    """Return the heat put in (W, negative when taken out) and the air temperature of each step.

    Plain floats in a loop: each step needs the mass of the last. The air answers linearly to heat, so the heat that
    reaches a set point follows from the answer to none and to ten watts per m2 (ISO 13790 C.4.2).
    """
    ve, es, sa, ms, em = net.ventilation, net.windows, net.air_surface, net.surface_mass, net.mass_outside
    h1, through = ve * sa / (ve + sa), sa / (ve + sa)
    h2 = h1 + es
    h3, inner = h2 * ms / (h2 + ms), ms / (h2 + ms)
    store = net.capacity / (3600 * hours)
    upper, lower = store + (h3 + em) / 2, store - (h3 + em) / 2
    limit = building.most_kw * 1000
    probe = 10.0 * building.floor_area

    def answer(out: float, to_air: float, to_surface: float, to_mass: float, before: float) -> tuple[float, float]:
        """Mass at the end of the step and mean air temperature, with ``to_air`` including heating or cooling."""
        reaching = through * to_air + h1 * out
        total = to_mass + em * out + inner * (to_surface + es * out + reaching)
        after = (before * lower + total) / upper
        mean = (after + before) / 2
        surface = (ms * mean + to_surface + es * out + reaching) / (ms + es + h1)
        return after, (sa * surface + ve * out + to_air) / (sa + ve)

    count = len(series[0])
    heats, airs = np.zeros(count), np.zeros(count)
    for step, (out, to_air, to_surface, to_mass, low, high) in enumerate(
        zip(*(item.tolist() for item in series), strict=True)
    ):
        after, idle = answer(out, to_air, to_surface, to_mass, mass)
        target = low if idle < low and building.heated else high if idle > high and building.cooled else idle
        if not free and target != idle:
            _, probed = answer(out, to_air + probe, to_surface, to_mass, mass)
            heat = min(max(probe * (target - idle) / (probed - idle), -limit), limit)
            after, idle = answer(out, to_air + heat, to_surface, to_mass, mass)
            heats[step] = heat
        airs[step], mass = idle, after
    return heats, airs


def electricity(building: Building, heating: Floats, cooling: Floats, outside: Floats) -> Floats:
    """Return kW of electricity for kW of heating and cooling at ``outside`` degrees C."""
    warm = np.clip(building.cop_heating + building.cop_slope * (outside - 7.0), _COLDEST_COP, _HOTTEST_COP)
    cool = np.clip(building.cop_cooling - building.cop_slope * (outside - 35.0), _COLDEST_COP, _HOTTEST_COP)
    result: Floats = heating / warm + cooling / cool
    return result
