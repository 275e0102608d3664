"""``park.json``: everything a twin run is asked, as a versioned document.

The schema (``park_schema``) is made from the parts, so that the form, the API and the console cannot drift from it.
``park/2`` has wind, buildings, the park's grid, logistics and fuels; a ``park/1`` reads the same as ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from services.formats.park_equipment import (
    BuildingPart,
    FuelPart,
    LogisticsPart,
    NetworkPart,
    WindPart,
)
from services.formats.park_load import LoadPart
from services.formats.park_parts import (
    COEFFICIENTS,
    BatteryPart,
    FactorPart,
    FeedInPart,
    Part,
    PeriodPart,
    PvPart,
    SitePart,
    SizingPart,
    TariffPart,
    WeatherPart,
)
from services.formats.park_processes import (
    MOST_PROCESSES,
    MOST_SCENARIOS,
    ProcessPart,
    ScenarioPart,
    check_processes,
)
from services.formats.park_texts import field_errors
from services.rules.twin.building import Building
from services.rules.twin.calendar import make_horizon
from services.rules.twin.inputs import Battery, FeedIn, Horizon, PvPlant, Site, Sizing, Tariff, Window
from services.rules.twin.logistics import Fleet, Yard
from services.rules.twin.network import Bus, Feeder, Network, Transformer
from services.rules.twin.wind_power import WindPlant, generic_curve
from tenants.kernel.errors import Invalid, TooLarge
from tenants.kernel.messages import msg

MAX_BYTES = 4 * 1024 * 1024
SCHEMA_ID = "/api/v1/schemas/park-2.json"
"""Where the schema is served, under the platform's own address."""
_SETS = {"months", "rest_dates", "work_dates"}


class ParkDocument(Part):
    """The whole document."""

    format: Literal["park/1", "park/2"] = "park/2"
    site: SitePart
    period: PeriodPart
    step_minutes: Literal[15, 30, 60] = 15
    weather: WeatherPart
    load: LoadPart
    pv: PvPart = PvPart()
    wind: WindPart | None = None
    battery: BatteryPart = BatteryPart()
    buildings: Annotated[tuple[BuildingPart, ...], Field(max_length=20)] = ()
    network: NetworkPart | None = None
    logistics: LogisticsPart | None = None
    fuels: Annotated[tuple[FuelPart, ...], Field(max_length=50)] = ()
    fuel_edition: Annotated[str, Field(min_length=1, max_length=40)] = "fuels-2015"
    tariff: TariffPart
    feed_in: FeedInPart = FeedInPart()
    emission_factor: FactorPart
    sizing: SizingPart | None = None
    processes: tuple[ProcessPart, ...] = Field(default=(), max_length=MOST_PROCESSES)
    scenarios: tuple[ScenarioPart, ...] = Field(default=(), max_length=MOST_SCENARIOS)
    carbon_yuan_per_t: float = Field(default=0, ge=0, le=1e5)
    seed: int = Field(default=0, ge=0, le=2**32 - 1)

    @field_validator("processes")
    @classmethod
    def _together(cls, value: tuple[ProcessPart, ...], info: ValidationInfo) -> tuple[ProcessPart, ...]:
        wrong = check_processes(value, info.data.get("step_minutes", 15))
        if wrong is not None:
            raise ValueError(wrong)
        return value

    @field_validator("scenarios")
    @classmethod
    def _named_apart(cls, value: tuple[ScenarioPart, ...]) -> tuple[ScenarioPart, ...]:
        if len({item.name for item in value}) < len(value):
            raise ValueError("scenario.names")
        return value

    @model_validator(mode="after")
    def _versioned(self) -> Self:
        if self.format == "park/1" and any((self.wind, self.buildings, self.network, self.logistics, self.fuels)):
            raise ValueError("format")
        names = [item.name for item in self.buildings]
        if len(names) > len(set(names)):
            raise ValueError("name_twice")
        return self

    def horizon(self) -> Horizon:
        """Return the steps that the load must have."""
        return make_horizon(*self.period.days(), self.step_minutes, self.site.timezone)

    def canonical(self) -> str:
        """Return the document as JSON that does not depend on spaces, order or left-out defaults."""
        plain = self.model_dump(mode="json", by_alias=True)
        return json.dumps(_ordered(plain), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def park_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of ``park.json``."""
    schema = ParkDocument.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}


def parse_park(data: bytes) -> ParkDocument:
    """Read a document; Invalid names every wrong field, TooLarge refuses before reading."""
    if len(data) > MAX_BYTES:
        raise TooLarge(
            "park.too_large", msg("园区文件超过 {limit} MB，请把负荷放到单独的 CSV 文件。", limit=MAX_BYTES >> 20)
        )
    try:
        plain = json.loads(data.decode("utf-8-sig"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Invalid("park.not_json", msg("园区文件不是完整的 JSON，请检查文件是否被截断。")) from error
    try:
        return ParkDocument.model_validate(plain)
    except ValidationError as error:
        raise Invalid(
            "park.invalid",
            msg("园区文件有 {count} 处需要修改。", count=error.error_count()),
            errors=field_errors(error),
        ) from error


def site_of(document: ParkDocument) -> Site:
    """Return where the park is."""
    return Site(document.site.name, document.site.latitude, document.site.longitude)


def pv_of(part: PvPart) -> PvPlant:
    """Return the PV plant; the kind of module stands for its temperature coefficient where none is given."""
    values = part.model_dump(exclude={"module"})
    if values["temperature_coefficient"] is None:
        values["temperature_coefficient"] = COEFFICIENTS[part.module]
    return PvPlant(**values)


def battery_of(part: BatteryPart) -> Battery:
    """Return the battery; it starts at its lower bound where nothing else is said."""
    values = part.model_dump()
    values["soc_start"] = part.soc_min if values["soc_start"] is None else values["soc_start"]
    return Battery(**values)


def tariff_of(part: TariffPart) -> Tariff:
    """Return the tariff with the document's own days; the calendar's are added where it is known."""
    return Tariff(
        prices=dict(part.prices),
        windows=tuple(
            Window(item.months, item.days, minute(item.start), minute(item.end), item.period) for item in part.windows
        ),
        demand_yuan_per_kw=part.demand_yuan_per_kw_month,
        capacity_yuan_per_month=part.capacity_yuan_per_month + part.capacity_yuan_per_kva_month * part.transformer_kva,
        rest_dates=part.rest_dates,
        work_dates=part.work_dates,
    )


def feed_in_of(part: FeedInPart) -> FeedIn:
    """Return what may be fed in."""
    return FeedIn(part.mode, part.price)


def sizing_of(part: SizingPart | None) -> Sizing | None:
    """Return the bounds; a battery's power is bounded by its energy in one hour where nothing else is said."""
    if part is None:
        return None
    values = part.model_dump()
    if values["battery_max_kw"] is None:
        values["battery_max_kw"] = values["battery_max_kwh"]
    return Sizing(**values)


def wind_of(part: WindPart | None) -> WindPlant | None:
    """Return the turbines with the curve given, or a generic one."""
    if part is None:
        return None
    curve = part.curve or generic_curve(part.rated_kw, part.cut_in_m_s, part.rated_m_s, part.cut_out_m_s)
    return WindPlant(part.count, part.rated_kw, part.hub_height_m, tuple(curve), part.shear, part.losses)


def building_of(part: BuildingPart) -> Building:
    """Return a building."""
    values = part.model_dump()
    values["use_from"], values["use_to"] = minute(part.use_from), minute(part.use_to)
    return Building(**values)


def network_of(part: NetworkPart | None) -> Network | None:
    """Return the park's grid, per cent as shares."""
    if part is None:
        return None
    return Network(
        buses=tuple(Bus(**item.model_dump()) for item in part.buses),
        transformers=tuple(
            Transformer(item.name, item.upper, item.lower, item.kva, item.uk_percent / 100, item.load_loss_kw,
                        item.no_load_loss_kw, item.no_load_current_percent / 100)
            for item in part.transformers
        ),
        feeders=tuple(
            Feeder(item.name, item.start, item.end, item.km, item.r_ohm_per_km, item.x_ohm_per_km, item.c_uf_per_km,
                   item.ampacity_a)
            for item in part.feeders
        ),
        short_circuit_mva=part.short_circuit_mva,
        source_pu=part.source_pu,
        power_factor=part.power_factor,
        battery_bus=part.battery_bus or part.buses[-1].name,
        wind_bus=part.wind_bus or part.buses[0].name,
    )  # fmt: skip


def logistics_of(part: LogisticsPart | None) -> tuple[tuple[Fleet, ...], Yard | None]:
    """Return the trucks and the yard."""
    if part is None:
        return (), None
    fleets = tuple(
        Fleet(item.name, item.drive, item.trips_per_day, item.km, item.per_100_km, item.days,
              minute(item.charge_from), minute(item.charge_to))
        for item in part.fleets
    )  # fmt: skip
    yard = part.yard
    if yard is None:
        return fleets, None
    return fleets, Yard(
        yard.docks, yard.trucks_per_hour, yard.service_minutes, yard.variation, minute(yard.open_from),
        minute(yard.open_to), yard.days, yard.idle_litres_per_hour,
    )  # fmt: skip


def minute(clock: str) -> int:
    """Return the minute of the day that a clock shows."""
    hour, minutes = clock.split(":")
    return int(hour) * 60 + int(minutes)


def _ordered(value: object) -> object:
    """Sort what was a set, so that the same document always reads the same."""
    if isinstance(value, Mapping):
        return {key: sorted(item) if key in _SETS else _ordered(item) for key, item in value.items()}
    return [_ordered(item) for item in value] if isinstance(value, list | tuple) else value


def _refuse(name: str) -> float:
    raise ValueError(name)
