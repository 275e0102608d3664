"""What a twin run is asked: frozen, checked at the edge, the same for the console and for a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from services.rules.twin.equipment import Equipment
    from services.rules.twin.weather_year import Weather

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Period(StrEnum):
    """A time-of-use class of the tariff (尖峰平谷, and 深谷 where a province has it)."""

    SHARP = "sharp"
    PEAK = "peak"
    FLAT = "flat"
    VALLEY = "valley"
    DEEP_VALLEY = "deep_valley"


class Days(StrEnum):
    """The days a tariff window applies to."""

    ALL = "all"
    WORKDAYS = "workdays"
    RESTDAYS = "restdays"


class FeedInMode(StrEnum):
    """What becomes of PV power the park does not use itself."""

    NONE = "none"
    SURPLUS = "surplus"  # 余电上网
    FULL = "full"  # 全额上网: everything is fed in through a meter of its own


class Mounting(StrEnum):
    """How PV modules stand: in the open, or close to a roof where they run hotter."""

    OPEN_RACK = "open_rack"
    ROOF = "roof"


class BatteryHabit(StrEnum):
    """How an existing battery is run today, before anyone optimises it."""

    IDLE = "idle"
    VALLEY_PEAK = "valley_peak"


@dataclass(frozen=True)
class Site:
    """Where the park is; degrees north and east."""

    name: str
    latitude: float
    longitude: float


@dataclass(frozen=True)
class Horizon:
    """The steps of a run: ``start`` is an aware UTC instant, local midnight in ``timezone``."""

    start: datetime
    steps: int
    step_minutes: int
    timezone: str

    @property
    def hours(self) -> float:
        """Length of a step in hours."""
        return self.step_minutes / 60


@dataclass(frozen=True, eq=False)
class LoadSeries:
    """Mean electricity demand of each step in kW, with the SHA-256 of the file or values it was read from."""

    kw: Floats
    source: str
    sha256: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PvPlant:
    """A PV plant: ``kwp`` of modules at ``tilt`` (degrees from level) facing ``azimuth`` (180 is south).

    The defaults are PVWatts': a standard module's temperature coefficient (per K), 14 % losses, an inverter of 96 %.
    """

    kwp: float = 0.0
    tilt: float = 20.0
    azimuth: float = 180.0
    losses: float = 0.14
    dc_ac_ratio: float = 1.2
    temperature_coefficient: float = -0.0047
    inverter_efficiency: float = 0.96
    mounting: Mounting = Mounting.OPEN_RACK
    albedo: float = 0.2


@dataclass(frozen=True)
class Battery:
    """A battery; shares of ``kwh`` bound its state of charge, ``efficiency`` is for the round trip.

    ``wear_yuan_per_kwh`` is what a discharged kWh takes off the battery's life; it decides, and stands on no bill.
    """

    kwh: float = 0.0
    kw: float = 0.0
    efficiency: float = 0.9
    soc_min: float = 0.1
    soc_max: float = 0.95
    soc_start: float = 0.1
    habit: BatteryHabit = BatteryHabit.VALLEY_PEAK
    wear_yuan_per_kwh: float = 0.0

    @property
    def one_way(self) -> float:
        """Efficiency of charging, and equally of discharging."""
        return float(self.efficiency**0.5)

    @property
    def usable(self) -> float:
        """Share of ``kwh`` between the bounds."""
        return self.soc_max - self.soc_min


@dataclass(frozen=True)
class Process:
    """A process that may run at other hours than it does: once on each of ``days``, ``minutes`` long, at ``kw``.

    It may run between the minutes ``start`` and ``end`` of the local day (start > end passes midnight) and starts at
    ``usual_start`` today. An interruptible one may pause, but never runs for less than ``least_minutes``; of an
    ``adjustable`` one only the energy is given, its power may be anything up to ``kw``. It begins when the process
    named ``after`` has ended on that day.
    """

    name: str
    kw: float
    minutes: int
    start: int
    end: int
    usual_start: int
    days: Days = Days.ALL
    interruptible: bool = False
    least_minutes: int = 0
    adjustable: bool = False
    after: str | None = None


@dataclass(frozen=True)
class Window:
    """Minutes ``[start, end)`` of a local day in ``months`` that belong to ``period``; start > end passes midnight."""

    months: frozenset[int]
    days: Days
    start: int
    end: int
    period: Period


@dataclass(frozen=True)
class Tariff:
    """A two-part tariff. Later windows win over earlier ones; minutes in no window are ``flat``."""

    prices: Mapping[Period, Decimal]
    windows: tuple[Window, ...]
    demand_yuan_per_kw: Decimal = Decimal(0)
    capacity_yuan_per_month: Decimal = Decimal(0)
    rest_dates: frozenset[date] = frozenset()
    work_dates: frozenset[date] = frozenset()


@dataclass(frozen=True)
class FeedIn:
    """What may be fed in, and its price in yuan per kWh."""

    mode: FeedInMode = FeedInMode.NONE
    price: Decimal = Decimal(0)

    @property
    def paid(self) -> Decimal:
        """Yuan that a fed-in kWh earns."""
        return Decimal(0) if self.mode is FeedInMode.NONE else self.price


@dataclass(frozen=True)
class EmissionFactor:
    """Location-based factor of bought electricity in kgCO2/kWh, with where it comes from."""

    kg_per_kwh: Decimal
    edition: str
    year: int
    source: str


@dataclass(frozen=True)
class Sizing:
    """Bounds and costs of what may be added. ``subsidy_share`` of the investment is paid by others.

    PV loses ``pv_degradation`` of its yield and a battery ``battery_fade`` of its content each year of its life.
    """

    pv_max_kwp: float = 0.0
    battery_max_kwh: float = 0.0
    battery_max_kw: float = 0.0
    pv_yuan_per_kwp: float = 3000.0
    battery_yuan_per_kwh: float = 900.0
    battery_yuan_per_kw: float = 250.0
    pv_life_years: float = 20.0
    battery_life_years: float = 10.0
    discount_rate: float = 0.06
    upkeep_share: float = 0.01
    subsidy_share: float = 0.0
    pv_degradation: float = 0.0
    battery_fade: float = 0.0

    def _mean_share(self, loss: float, years: float) -> float:
        """Share of the first year's capacity over the life, each year weighted by its present value."""
        year = np.arange(round(years))
        weight = (1 + self.discount_rate) ** -(year + 1.0)
        return float(((1 - loss) ** year) @ weight / weight.sum()) if loss else 1.0

    @property
    def pv_share(self) -> float:
        """What an added kWp yields over its life, as a share of a new one."""
        return self._mean_share(self.pv_degradation, self.pv_life_years)

    @property
    def battery_share(self) -> float:
        """What an added kWh holds over its life, as a share of a new one."""
        return self._mean_share(self.battery_fade, self.battery_life_years)

    def _yearly(self, years: float) -> float:
        rate = self.discount_rate
        annuity = 1 / years if rate == 0 else rate / (1 - (1 + rate) ** -years)
        return annuity + self.upkeep_share

    @property
    def pv_yearly(self) -> float:
        """Yuan per kWp and year: annuity and upkeep."""
        return self.pv_yuan_per_kwp * self._yearly(self.pv_life_years)

    @property
    def battery_kwh_yearly(self) -> float:
        """Yuan per kWh of battery and year."""
        return self.battery_yuan_per_kwh * self._yearly(self.battery_life_years)

    @property
    def battery_kw_yearly(self) -> float:
        """Yuan per kW of battery and year."""
        return self.battery_yuan_per_kw * self._yearly(self.battery_life_years)


@dataclass(frozen=True)
class Variation:
    """A scenario: what of the park is multiplied, and whether the plant is today's or the one found best."""

    name: str
    plant: str = "sized"
    price_factors: Mapping[Period, Decimal] = field(default_factory=dict)
    demand_factor: Decimal = Decimal(1)
    feed_in_factor: Decimal = Decimal(1)
    load_factor: float = 1.0
    pv_factor: float = 1.0
    battery_factor: float = 1.0
    carbon_yuan_per_t: float | None = None


@dataclass(frozen=True, eq=False)
class TwinRequest:
    """Everything a run depends on. ``canonical`` is the canonical JSON of the document it was read from."""

    site: Site
    horizon: Horizon
    weather: Weather
    load: LoadSeries
    pv: PvPlant
    battery: Battery
    tariff: Tariff
    feed_in: FeedIn
    factor: EmissionFactor
    sizing: Sizing | None
    seed: int
    canonical: str
    equipment: Equipment | None = None
    processes: tuple[Process, ...] = ()
    carbon_yuan_per_t: float = 0.0
    variations: tuple[Variation, ...] = ()

    @property
    def carbon_yuan_per_kwh(self) -> float:
        """What the emissions of a bought kWh are held to cost while deciding."""
        return self.carbon_yuan_per_t * float(self.factor.kg_per_kwh) / 1000
