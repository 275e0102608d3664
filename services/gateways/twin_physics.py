"""The physics around the optimum: wind, buildings, trucks and yard before it, power flow and emissions after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from services.gateways.power_flow import solve_power_flow
from services.gateways.yard import simulate_yard
from services.rules.twin.building import Building, Comfort, gains, heat_loss, simulate
from services.rules.twin.calendar import Calendar
from services.rules.twin.dispatch import Dispatch
from services.rules.twin.emissions import Emissions, emissions_of
from services.rules.twin.equipment import Equipment, Purpose
from services.rules.twin.inputs import Floats, LoadSeries, Tariff, TwinRequest
from services.rules.twin.logistics import Drive, Haulage, YardResult, charging_load, haul, idle_tonnes, open_days
from services.rules.twin.network import GridCheck, check_grid, injections
from services.rules.twin.photovoltaics import facade_radiation
from services.rules.twin.weather_year import Weather, air_density, at_steps
from services.rules.twin.wind_power import hub_wind, wind_power

_SATURDAY = 5


@dataclass(frozen=True, eq=False)
class BuildingYear:
    """A building through the horizon, its loss in W/K, and what one kelvin milder set points would save in kWh."""

    building: Building
    comfort: Comfort
    loss: float
    milder_saves_kwh: float


@dataclass(frozen=True, eq=False)
class Physics:
    """What the equipment does, in kW per step: ``wind`` generated, ``added`` on top of the metered load."""

    wind: Floats
    added: Floats
    buildings: tuple[BuildingYear, ...]
    charging: Floats
    hauls: tuple[Haulage, ...]
    yard: YardResult | None
    truck_tonnes: float


def run_physics(request: TwinRequest, calendar: Calendar) -> Physics:
    """Run everything that does not depend on what is optimised."""
    equipment = request.equipment or Equipment()
    rest = _rest_days(calendar, request.tariff)
    buildings = tuple(_building(item, request.weather, calendar, rest) for item in equipment.buildings)
    charging = np.zeros(request.horizon.steps)
    hauls = []
    for fleet in equipment.fleets:
        active = open_days(calendar, fleet.days, rest)
        hauls.append(haul(fleet, active))
        charging += charging_load(fleet, calendar, active)
    yard = None
    if equipment.yard is not None:
        active_days = int(open_days(calendar, equipment.yard.days, rest).sum())
        yard = simulate_yard(equipment.yard, active_days, request.seed)
    added = charging + sum((item.comfort.electricity for item in buildings if not item.building.metered), start=0.0)
    return Physics(
        wind=_wind(request, calendar, equipment),
        added=np.asarray(added, dtype=np.float64),
        buildings=buildings,
        charging=charging,
        hauls=tuple(hauls),
        yard=yard,
        truck_tonnes=_truck_tonnes(equipment, hauls, yard),
    )


def with_load(request: TwinRequest, physics: Physics) -> TwinRequest:
    """Return the request with the equipment's electricity added to the metered load."""
    if not physics.added.any():
        return request
    series = request.load
    return replace(request, load=LoadSeries(series.kw + physics.added, series.source, series.sha256, series.notes))


def _rest_days(calendar: Calendar, tariff: Tariff) -> Floats:
    """Return 1 for each day of rest."""
    return np.array(
        [
            float((day.weekday() >= _SATURDAY or day in tariff.rest_dates) and day not in tariff.work_dates)
            for day in calendar.days
        ]
    )


def _wind(request: TwinRequest, calendar: Calendar, equipment: Equipment) -> Floats:
    plant, weather = equipment.wind, request.weather
    if plant is None:
        return np.zeros(request.horizon.steps)
    speed = hub_wind(weather.wind, weather.wind_height, plant)
    hourly = wind_power(speed, air_density(weather.altitude + plant.hub_height, weather.temperature), plant)
    result: Floats = hourly[calendar.weather_hour]
    return result


def _building(building: Building, weather: Weather, calendar: Calendar, rest: Floats) -> BuildingYear:
    hours = calendar.horizon.hours
    minute = calendar.minute
    if building.use_from < building.use_to:
        inside = (minute >= building.use_from) & (minute < building.use_to)
    else:
        inside = (minute >= building.use_from) | (minute < building.use_to)
    days = np.ones_like(rest) if building.rest_days else 1 - rest
    in_use: Floats = np.where(inside, days[calendar.day], 0.0)
    outside = at_steps(weather.temperature, calendar)
    internal, solar = gains(building, in_use, facade_radiation(weather)[calendar.weather_hour])
    comfort = simulate(building, outside, internal, solar, in_use, hours)
    milder = replace(building, heat_to=building.heat_to - 1, cool_to=building.cool_to + 1)
    less = simulate(milder, outside, internal, solar, in_use, hours)
    saved = float((comfort.electricity - less.electricity).sum()) * hours
    return BuildingYear(building, comfort, heat_loss(building), saved)


def _truck_tonnes(equipment: Equipment, hauls: list[Haulage], yard: YardResult | None) -> float:
    """Tonnes of CO2 of what trucks burn, on the road and while they wait."""
    kg = {drive: float(value) for drive, value, _ in equipment.drive_kg}
    burnt = sum(item.used * kg[item.drive] for item in hauls if item.drive is not Drive.ELECTRIC)
    waiting = idle_tonnes(yard) * kg[Drive.DIESEL] if yard is not None else 0.0
    return (burnt + waiting) / 1000


def check_network(request: TwinRequest, physics: Physics, flow: Dispatch) -> GridCheck | None:
    """Solve the power flow of every step of a scenario and judge it; None for a park without a grid of its own."""
    network = (request.equipment or Equipment()).network
    if network is None:
        return None
    taken = injections(
        network,
        {
            "load": flow.load,
            "pv": flow.pv - physics.wind - flow.curtailed,
            "wind": physics.wind,
            "battery": flow.charge - flow.discharge,
        },
    )
    return check_grid(network, solve_power_flow(network, taken), request.horizon.hours)


def scenario_emissions(request: TwinRequest, physics: Physics, bought_kwh: float) -> Emissions:
    """Count a scenario's emissions by scope and purpose. ``request`` holds the whole load."""
    equipment, hours = request.equipment or Equipment(), request.horizon.hours
    energy = sum(float(item.comfort.electricity.sum()) for item in physics.buildings) * hours
    charging = float(physics.charging.sum()) * hours
    consumed = float(request.load.kw.sum()) * hours
    return emissions_of(
        bought_kwh,
        request.factor.kg_per_kwh,
        {
            Purpose.PRODUCTION: max(consumed - energy - charging, 0.0),
            Purpose.LOGISTICS: charging,
            Purpose.ENERGY: min(energy, consumed),
        },
        equipment.fuels,
        physics.truck_tonnes,
    )


def physics_document(request: TwinRequest, physics: Physics, checks: Mapping[str, GridCheck]) -> dict[str, object]:
    """Return what ``kpis.json`` says of the equipment; parts a park does not have are left out."""
    equipment, hours = request.equipment or Equipment(), request.horizon.hours
    document: dict[str, object] = {}
    if equipment.wind is not None:
        kwh = float(physics.wind.sum()) * hours
        rated = equipment.wind.rated_kw * equipment.wind.count
        document["wind"] = {
            "wind_kwh": round(kwh, 3),
            "rated_kw": rated,
            "full_load_hours": round(kwh / rated, 1),
            "mean_hub_wind_m_s": round(
                float(hub_wind(request.weather.wind, request.weather.wind_height, equipment.wind).mean()), 2
            ),
        }
    if physics.buildings:
        document["buildings"] = [_building_document(item, hours) for item in physics.buildings]
    if physics.hauls or physics.yard is not None:
        document["logistics"] = {
            "fleets": [
                {"name": item.name, "drive": item.drive.value, "trips": round(item.trips, 1), "km": round(item.km, 1),
                 "used": round(item.used, 3)}
                for item in physics.hauls
            ],
            "yard": None if physics.yard is None else asdict(physics.yard),
            "truck_t": round(physics.truck_tonnes, 3),
        }  # fmt: skip
    if checks:
        document["grid"] = {name: _grid_document(check) for name, check in checks.items()}
    return document


def _building_document(item: BuildingYear, hours: float) -> dict[str, object]:
    comfort = item.comfort
    return {
        "name": item.building.name,
        "heat_loss_w_per_k": round(item.loss, 1),
        "heating_kwh": round(float(comfort.heating.sum()) * hours, 1),
        "cooling_kwh": round(float(comfort.cooling.sum()) * hours, 1),
        "electricity_kwh": round(float(comfort.electricity.sum()) * hours, 1),
        "peak_kw": round(float(comfort.electricity.max()), 2),
        "coldest_air_c": round(float(comfort.air.min()), 2),
        "hottest_air_c": round(float(comfort.air.max()), 2),
        "milder_by_1k_saves_kwh": round(item.milder_saves_kwh, 1),
    }


def _grid_document(check: GridCheck) -> dict[str, object]:
    return {
        "sound": check.sound,
        "losses_kwh": check.losses_kwh,
        "transformers": [asdict(item) for item in check.transformers],
        "feeders": [asdict(item) for item in check.feeders],
        "buses": [asdict(item) for item in check.buses],
    }
