"""``park.json``: everything a twin run is asked, as a versioned document.

The schema (``park_schema``) is what the form, the API and the console share. Prices are decimal strings or numbers in
yuan; shares are between 0 and 1. A load is given as a CSV file beside the document, as values, or by the demo profile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from services.rules.twin.calendar import make_horizon
from services.rules.twin.inputs import (
    Battery,
    BatteryHabit,
    Days,
    EmissionFactor,
    FeedIn,
    FeedInMode,
    Horizon,
    LoadSeries,
    Period,
    PvPlant,
    Site,
    Sizing,
    Tariff,
    TwinRequest,
    Window,
)
from tenants.kernel.errors import FieldError, Invalid, TooLarge
from tenants.kernel.messages import Message, msg

MAX_BYTES = 4 * 1024 * 1024
MAX_DAYS = 366
_CLOCK = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)$|^24:00$")

Share = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[float, Field(ge=0, le=1e6)]
Cost = Annotated[float, Field(ge=0, le=1e6)]
Price = Annotated[Decimal, Field(gt=0, le=100, max_digits=12)]
Charge = Annotated[Decimal, Field(ge=0, le=10**8, max_digits=16)]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class Part(BaseModel):
    """Base of every part: unknown names, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


class SitePart(Part):
    """Where the park is."""

    name: Text
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    timezone: str = "Asia/Shanghai"

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("timezone") from error
        return value


class PeriodPart(Part):
    """A calendar year, or local days ``[from, to)``."""

    year: int | None = Field(default=None, ge=1990, le=2100)
    first: date | None = Field(default=None, alias="from")
    until: date | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _one(self) -> Self:
        first, until = self.days() if self.year or (self.first and self.until) else (None, None)
        if first is None or until is None or (self.year and (self.first or self.until)):
            raise ValueError("period")
        if not 0 < (until - first).days <= MAX_DAYS:
            raise ValueError("period")
        return self

    def days(self) -> tuple[date, date]:
        """Return the first day and the day after the last."""
        if self.year:
            return date(self.year, 1, 1), date(self.year + 1, 1, 1)
        if self.first is None or self.until is None:
            raise ValueError("period")
        return self.first, self.until


class WeatherPart(Part):
    """A typical meteorological year that is on the machine."""

    builtin: Literal["703165TY", "723170TYA"]


class MixPart(Part):
    """Shares of the demo park's firms."""

    textile: Share = 0.45
    food: Share = 0.30
    workshops: Share = 0.25

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.textile + self.food + self.workshops <= 0:
            raise ValueError("mix")
        return self


class ProfilePart(Part):
    """A generated load."""

    annual_kwh: float = Field(gt=0, le=1e10)
    seed: int = Field(default=1, ge=0, le=2**32 - 1)
    mix: MixPart = MixPart()


class LoadPart(Part):
    """Exactly one way to give the load; ``csv`` is a path relative to the document."""

    csv: str | None = Field(default=None, min_length=1, max_length=200)
    values_kw: tuple[Annotated[float, Field(ge=0, le=1e7)], ...] | None = None
    profile: ProfilePart | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(item is not None for item in (self.csv, self.values_kw, self.profile)) != 1:
            raise ValueError("load")
        return self


class PvPart(Part):
    """Existing PV; with ``kwp`` 0 it says how additional PV would be mounted."""

    kwp: Size = 0
    tilt: float = Field(default=20, ge=0, le=90)
    azimuth: float = Field(default=180, ge=0, le=360)
    losses: float = Field(default=0.14, ge=0, lt=1)
    dc_ac_ratio: float = Field(default=1.2, ge=0.5, le=3)
    temperature_coefficient: float = Field(default=-0.0037, ge=-0.02, le=0)


class BatteryPart(Part):
    """Existing battery; with ``kwh`` 0 it says what kind would be added."""

    kwh: Size = 0
    kw: Size = 0
    efficiency: float = Field(default=0.9, ge=0.3, le=0.999)
    soc_min: Share = 0.1
    soc_max: Share = 0.95
    soc_start: Share | None = None
    habit: BatteryHabit = BatteryHabit.VALLEY_PEAK

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        start = self.soc_min if self.soc_start is None else self.soc_start
        if not self.soc_min <= start <= self.soc_max or self.soc_min >= self.soc_max:
            raise ValueError("soc")
        if (self.kwh > 0) != (self.kw > 0):
            raise ValueError("battery")
        return self


class WindowPart(Part):
    """Hours of the day in some months; ``to`` may be 24:00, and before ``from`` to pass midnight."""

    period: Period
    start: str = Field(alias="from", pattern=_CLOCK)
    end: str = Field(alias="to", pattern=_CLOCK)
    months: frozenset[Annotated[int, Field(ge=1, le=12)]] = frozenset(range(1, 13))
    days: Days = Days.ALL


class TariffPart(Part):
    """Time-of-use prices per kWh, and the second part: demand per kW and month, or a capacity charge per month."""

    prices: dict[Period, Price]
    windows: tuple[WindowPart, ...] = Field(default=(), max_length=200)
    demand_yuan_per_kw_month: Charge = Decimal(0)
    capacity_yuan_per_month: Charge = Decimal(0)
    rest_dates: frozenset[date] = frozenset()
    work_dates: frozenset[date] = frozenset()

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if {Period.FLAT, *(window.period for window in self.windows)} - set(self.prices):
            raise ValueError("prices")
        return self


class FeedInPart(Part):
    """What becomes of surplus PV."""

    mode: FeedInMode = FeedInMode.NONE
    price: Annotated[Decimal, Field(ge=0, le=100, max_digits=12)] = Decimal(0)


class FactorPart(Part):
    """Emission factor of bought electricity, with its edition, year and source."""

    kg_per_kwh: Annotated[Decimal, Field(ge=0, le=5, max_digits=12)]
    edition: Text
    year: int = Field(ge=1990, le=2100)
    source: Text


class SizingPart(Part):
    """Bounds and costs of additions."""

    pv_max_kwp: Size = 0
    battery_max_kwh: Size = 0
    battery_max_kw: Size | None = None
    pv_yuan_per_kwp: Cost = 3000
    battery_yuan_per_kwh: Cost = 900
    battery_yuan_per_kw: Cost = 250
    pv_life_years: float = Field(default=20, ge=1, le=50)
    battery_life_years: float = Field(default=10, ge=1, le=50)
    discount_rate: float = Field(default=0.06, ge=0, le=0.5)
    upkeep_share: Share = 0.01
    subsidy_share: Share = 0


class ParkDocument(Part):
    """The whole document."""

    format: Literal["park/1"] = "park/1"
    site: SitePart
    period: PeriodPart
    step_minutes: Literal[15, 30, 60] = 15
    weather: WeatherPart
    load: LoadPart
    pv: PvPart = PvPart()
    battery: BatteryPart = BatteryPart()
    tariff: TariffPart
    feed_in: FeedInPart = FeedInPart()
    emission_factor: FactorPart
    sizing: SizingPart | None = None
    seed: int = Field(default=0, ge=0, le=2**32 - 1)

    def horizon(self) -> Horizon:
        """Return the steps that the load must have."""
        return make_horizon(*self.period.days(), self.step_minutes, self.site.timezone)

    def canonical(self) -> str:
        """Return the document as JSON that does not depend on spaces, order or left-out defaults."""
        plain = self.model_dump(mode="json", by_alias=True)
        return json.dumps(_ordered(plain), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def park_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``park.json``."""
    return ParkDocument.model_json_schema(by_alias=True)


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
        errors = tuple(
            FieldError(_path(item["loc"]), _code(item["type"]), _text(item["type"], item.get("ctx", {})))
            for item in error.errors(include_url=False, include_input=False)[:50]
        )
        raise Invalid(
            "park.invalid", msg("园区文件有 {count} 处需要修改。", count=error.error_count()), errors=errors
        ) from error


def to_request(document: ParkDocument, load: LoadSeries) -> TwinRequest:
    """Turn a document and its load into the engine's request."""
    battery = document.battery.model_dump()
    battery["soc_start"] = document.battery.soc_min if battery["soc_start"] is None else battery["soc_start"]
    return TwinRequest(
        site=Site(document.site.name, document.site.latitude, document.site.longitude),
        horizon=document.horizon(),
        weather=document.weather.builtin,
        load=load,
        pv=PvPlant(**document.pv.model_dump()),
        battery=Battery(**battery),
        tariff=_tariff(document.tariff),
        feed_in=FeedIn(document.feed_in.mode, document.feed_in.price),
        factor=EmissionFactor(**document.emission_factor.model_dump()),
        sizing=_sizing(document.sizing),
        seed=document.seed,
        canonical=document.canonical(),
    )


def _tariff(part: TariffPart) -> Tariff:
    return Tariff(
        prices=dict(part.prices),
        windows=tuple(
            Window(item.months, item.days, _minute(item.start), _minute(item.end), item.period) for item in part.windows
        ),
        demand_yuan_per_kw=part.demand_yuan_per_kw_month,
        capacity_yuan_per_month=part.capacity_yuan_per_month,
        rest_dates=part.rest_dates,
        work_dates=part.work_dates,
    )


def _sizing(part: SizingPart | None) -> Sizing | None:
    if part is None:
        return None
    values = part.model_dump()
    if values["battery_max_kw"] is None:
        values["battery_max_kw"] = values["battery_max_kwh"]
    return Sizing(**values)


def _minute(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def _ordered(value: object) -> object:
    """Sort what was a set, so that the same document always reads the same."""
    if isinstance(value, Mapping):
        return {
            key: sorted(item) if key in {"months", "rest_dates", "work_dates"} else _ordered(item)
            for key, item in value.items()
        }
    return [_ordered(item) for item in value] if isinstance(value, list | tuple) else value


def _refuse(name: str) -> float:
    raise ValueError(name)


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for item in location:
        text += f"[{item}]" if isinstance(item, int) else f".{item}" if text else item
    return text or "document"


def _code(kind: str) -> str:
    return {"missing": "field.missing", "extra_forbidden": "field.unknown"}.get(kind, "field.value")


def _text(kind: str, context: Mapping[str, Any]) -> Message:
    limits = ("ge", "gt", "le", "lt")
    if kind == "missing":
        return msg("缺少此项，请补上。")
    if kind == "extra_forbidden":
        return msg("没有这一项，请删除或检查拼写。")
    if kind in {"literal_error", "enum"}:
        return msg("取值只能是：{expected}。", expected=context.get("expected", ""))
    for name in limits:
        if name in context:
            sign = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}[name]
            return msg("数值应 {sign} {limit}，请修改。", sign=sign, limit=context[name])
    if kind == "value_error":
        return _reason(str(context.get("error", "")))
    return msg("格式不对，请按园区文件说明填写。")


def _reason(name: str) -> Message:
    reasons = {
        "timezone": msg("时区名称不存在，请填写如 Asia/Shanghai 的名称。"),
        "period": msg("请只填 year，或同时填 from 与 to，时段为 1 至 366 天。"),
        "load": msg("请在 csv、values_kw、profile 中恰好填写一项。"),
        "mix": msg("各类企业占比之和应大于 0。"),
        "soc": msg("荷电状态应满足 soc_min ≤ soc_start ≤ soc_max 且 soc_min < soc_max。"),
        "battery": msg("储能的 kwh 与 kw 应同时大于 0 或同时为 0。"),
        "prices": msg("电价表应包含 flat 以及所有时段用到的价格。"),
    }
    return reasons.get(name, msg("格式不对，请按园区文件说明填写。"))
