"""The parts of ``park.json`` that every run has: place, time, weather, load, PV, battery, tariff, factor, sizing.

Descriptions stand in the published schema. Prices are decimal strings or numbers in yuan; shares are between 0 and 1.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from services.rules.twin.inputs import BatteryHabit, Days, FeedInMode, Mounting, Period

MAX_DAYS = 366
CLOCK = r"^([01]\d|2[0-3]):([0-5]\d)$|^24:00$"

Share = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[float, Field(ge=0, le=1e6)]
Cost = Annotated[float, Field(ge=0, le=1e6)]
Price = Annotated[Decimal, Field(gt=0, le=100, max_digits=12)]
Charge = Annotated[Decimal, Field(ge=0, le=10**8, max_digits=16)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(min_length=1, max_length=60)]
FileName = Annotated[str, Field(min_length=1, max_length=200, description="A path beside the document")]
Clock = Annotated[str, Field(pattern=CLOCK, description="HH:MM of the local day, up to 24:00")]


class Part(BaseModel):
    """Base of every part: unknown names, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


def known_zone(value: str) -> str:
    """Return a time zone's name; ValueError ``timezone`` for one that nobody knows."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("timezone") from error
    return value


class SitePart(Part):
    """Where the park is: degrees north and east, and the zone whose wall clock its tariff follows."""

    name: Text
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    timezone: str = "Asia/Shanghai"

    _known = field_validator("timezone")(known_zone)


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


WindMean = Annotated[float, Field(gt=0, le=20)]


class WeatherPart(Part):
    """Exactly one source of the year's 8,760 hours.

    ``epw`` and ``csv`` are files of the park's own; ``city`` is the built-in climate (an estimate from monthly means,
    shown as 气候估算); ``builtin`` is a measured typical year of elsewhere, for demonstrations. With a city, twelve monthly
    means of the wind at 10 m (m/s, January first) may be stated with their source, where the built-in ones are not the site's.
    """

    builtin: Literal["703165TY", "723170TYA"] | None = None
    city: Annotated[str, Field(pattern=r"^[a-z]+$", max_length=40)] | None = None
    epw: FileName | None = None
    csv: FileName | None = None
    wind_m_s: Annotated[tuple[WindMean, ...], Field(min_length=12, max_length=12)] | None = None
    wind_source: Annotated[str, Field(min_length=2, max_length=200)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(item is not None for item in (self.builtin, self.city, self.epw, self.csv)) != 1:
            raise ValueError("weather")
        if (self.wind_m_s is None) != (self.wind_source is None) or (self.wind_m_s and self.city is None):
            raise ValueError("weather_wind")
        return self


class ModuleKind(StrEnum):
    """PVWatts' kinds of modules; each stands for its temperature coefficient."""

    STANDARD = "standard"
    PREMIUM = "premium"
    THIN_FILM = "thin_film"


COEFFICIENTS = {ModuleKind.STANDARD: -0.0047, ModuleKind.PREMIUM: -0.0035, ModuleKind.THIN_FILM: -0.0020}


class PvPart(Part):
    """Existing PV; with ``kwp`` 0 it says how additional PV would be mounted.

    ``temperature_coefficient`` (per K) overrides the one of ``module``.
    """

    kwp: Size = 0
    tilt: float = Field(default=20, ge=0, le=90)
    azimuth: float = Field(default=180, ge=0, le=360)
    losses: float = Field(default=0.14, ge=0, lt=1)
    dc_ac_ratio: float = Field(default=1.2, ge=0.5, le=3)
    inverter_efficiency: float = Field(default=0.96, ge=0.7, le=0.999)
    module: ModuleKind = ModuleKind.STANDARD
    temperature_coefficient: float | None = Field(default=None, ge=-0.02, le=0)
    mounting: Mounting = Mounting.OPEN_RACK
    albedo: Share = 0.2


class BatteryPart(Part):
    """Existing battery; with ``kwh`` 0 it says what kind would be added."""

    kwh: Size = 0
    kw: Size = 0
    efficiency: float = Field(default=0.9, ge=0.3, le=0.999)
    soc_min: Share = 0.1
    soc_max: Share = 0.95
    soc_start: Share | None = None
    habit: BatteryHabit = BatteryHabit.VALLEY_PEAK
    wear_yuan_per_kwh: float = Field(default=0, ge=0, le=10)

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
    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")
    months: frozenset[Annotated[int, Field(ge=1, le=12)]] = frozenset(range(1, 13))
    days: Days = Days.ALL


class TariffPart(Part):
    """Time-of-use prices per kWh, and the second part: demand per kW and month (需量), or capacity (容量).

    Capacity is charged per kVA of ``transformer_kva`` and month, or as one sum a month. ``holidays`` ``china`` takes
    the official days of rest and the weekends worked in exchange; ``rest_dates`` and ``work_dates`` add to them.
    """

    prices: dict[Period, Price]
    windows: tuple[WindowPart, ...] = Field(default=(), max_length=200)
    demand_yuan_per_kw_month: Charge = Decimal(0)
    capacity_yuan_per_month: Charge = Decimal(0)
    capacity_yuan_per_kva_month: Charge = Decimal(0)
    transformer_kva: Decimal = Field(default=Decimal(0), ge=0, le=10**7, max_digits=12)
    holidays: Literal["none", "china"] = "none"
    rest_dates: frozenset[date] = frozenset()
    work_dates: frozenset[date] = frozenset()

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if {Period.FLAT, *(window.period for window in self.windows)} - set(self.prices):
            raise ValueError("prices")
        if (self.capacity_yuan_per_kva_month > 0) != (self.transformer_kva > 0):
            raise ValueError("capacity")
        return self


class FeedInPart(Part):
    """What becomes of surplus PV."""

    mode: FeedInMode = FeedInMode.NONE
    price: Annotated[Decimal, Field(ge=0, le=100, max_digits=12)] = Decimal(0)


class FactorPart(Part):
    """Emission factor of bought electricity: one of the platform's editions, or a number with year and source.

    Without a number, ``edition`` names a built-in one such as ``grid-2023``, and ``region`` is CN, an area (华东) or
    the first two digits of a province's code.
    """

    kg_per_kwh: Annotated[Decimal, Field(ge=0, le=5, max_digits=12)] | None = None
    edition: Text
    region: Annotated[str, Field(min_length=2, max_length=20)] = "CN"
    year: int | None = Field(default=None, ge=1990, le=2100)
    source: Text | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len({item is None for item in (self.kg_per_kwh, self.year, self.source)}) > 1:
            raise ValueError("factor")
        return self


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
    pv_degradation: float = Field(default=0, ge=0, le=0.1)
    battery_fade: float = Field(default=0, ge=0, le=0.1)
