"""From a document and its files to the engine's request: everything is checked, and all that is wrong is said at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import BinaryIO, TypeVar

import numpy as np

from services.formats import park
from services.formats.park import ParkDocument, parse_park
from services.formats.park_load import MeterPart, meter_of
from services.formats.park_processes import to_process, to_variation
from services.gateways.climate import read_climate
from services.gateways.emission_factors import built_in
from services.gateways.load_files import read_load_csv, series_from_values
from services.gateways.meter_files import add_meters, read_meter
from services.gateways.weather import read_builtin_weather
from services.gateways.weather_files import MAX_BYTES as MOST_WEATHER_BYTES
from services.gateways.weather_files import Station, read_epw, read_weather_csv
from services.gateways.workdays import is_workday
from services.rules.carbon.factors import AVERAGE, NATION, Factor
from services.rules.slots import IsOpen
from services.rules.twin.calendar import make_calendar, standard_offset_hours
from services.rules.twin.climate import StatedWind
from services.rules.twin.demo_load import Mix, demo_load
from services.rules.twin.equipment import Equipment, FuelUse, Purpose
from services.rules.twin.inputs import EmissionFactor, LoadSeries, Tariff, TwinRequest
from services.rules.twin.logistics import Drive
from services.rules.twin.weather_year import Weather
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg

Opener = Callable[[str], AbstractContextManager[BinaryIO]]
T = TypeVar("T")
_SATURDAY = 5
_FUEL_OF = {Drive.DIESEL: "fuel.diesel", Drive.GASOLINE: "fuel.gasoline", Drive.LNG: "fuel.lng"}


@dataclass
class _Findings:
    """What is wrong so far; reading goes on, so that one look finds everything."""

    problems: list[Problem] = field(default_factory=list)

    def take(self, read: Callable[[], T], at: str) -> T | None:
        """Return what ``read`` returns, or note what it refuses under the path ``at`` where it names no field."""
        try:
            return read()
        except Problem as problem:
            if not problem.errors:
                problem = type(problem)(problem.code, problem.message, errors=[_named(problem, at)])
            self.problems.append(problem)
            return None

    def tell(self) -> None:
        """Raise what was found: one problem as it is, several as one."""
        if len(self.problems) == 1:
            raise self.problems[0]
        if self.problems:
            errors = [error for problem in self.problems for error in problem.errors]
            raise Invalid("park.invalid", msg("园区文件有 {count} 处需要修改。", count=len(errors)), errors=errors)


def _named(problem: Problem, at: str) -> FieldError:
    return FieldError(at, problem.code, problem.message)


def read_request(data: bytes, open_file: Opener, is_open: IsOpen | None = None) -> TwinRequest:
    """Check a document and the files it names; ``open_file`` opens one by the name it has in the document.

    ``is_open`` tells of days that an operator recorded, None for the published calendar alone. Raises Invalid with every
    wrong field or row, or TooLarge.
    """
    document = parse_park(data)
    if is_open is not None:
        document = _with_recorded_days(document, is_open)
    found = _Findings()
    load = _load(document, open_file, found)
    weather = found.take(lambda: _weather(document, open_file), _weather_field(document))
    factor = found.take(lambda: _factor(document), "emission_factor.edition")
    tariff = found.take(lambda: _tariff(document), "tariff.holidays")
    equipment = _equipment(document, found)
    if weather is not None and document.wind is not None and not weather.wind_known:
        found.problems.append(_no_wind())
    found.tell()
    if load is None or weather is None or factor is None or tariff is None:
        raise AssertionError("what could not be read was told above")
    return TwinRequest(
        site=park.site_of(document),
        horizon=document.horizon(),
        weather=weather,
        load=load,
        pv=park.pv_of(document.pv),
        battery=park.battery_of(document.battery),
        tariff=tariff,
        feed_in=park.feed_in_of(document.feed_in),
        factor=factor,
        sizing=park.sizing_of(document.sizing),
        seed=document.seed,
        canonical=document.canonical(),
        equipment=equipment,
        processes=tuple(to_process(part) for part in document.processes),
        carbon_yuan_per_t=document.carbon_yuan_per_t,
        variations=tuple(to_variation(part) for part in document.scenarios),
    )


def _no_wind() -> Invalid:
    wrong = msg(
        "气象文件没有风速，不能计算风电。请在 CSV 中加 wind 列（米/秒，10 米高），或改用 EPW 文件，或选内置气候的城市（city）。"
    )
    return Invalid("weather.no_wind", wrong, errors=[FieldError("weather.csv", "weather.no_wind", wrong)])


def _weather_field(document: ParkDocument) -> str:
    part = document.weather
    return next(f"weather.{name}" for name in ("builtin", "city", "epw", "csv") if getattr(part, name) is not None)


def _weather(document: ParkDocument, open_file: Opener) -> Weather:
    part, site = document.weather, document.site
    if part.builtin is not None:
        return _builtin(part.builtin)
    if part.city is not None:
        stated = StatedWind(part.wind_m_s, part.wind_source) if part.wind_m_s and part.wind_source else None
        return read_climate(part.city, document.seed, stated)
    if part.epw is not None:
        return read_epw(_content(open_file, part.epw), part.epw)
    if part.csv is None:
        raise AssertionError("the document's own check lets exactly one way through")
    offset = standard_offset_hours(document.horizon())
    station = Station(site.name, site.latitude, site.longitude, offset)
    return read_weather_csv(_content(open_file, part.csv), station, part.csv)


@cache
def _builtin(name: str) -> Weather:
    """Read a file of the installation once: every order of a run asks for it."""
    return read_builtin_weather(name)


def _content(open_file: Opener, name: str) -> bytes:
    try:
        with open_file(name) as stream:
            return stream.read(MOST_WEATHER_BYTES + 1)
    except Invalid as problem:  # openers name the load's field
        raise Invalid("file.missing", problem.message) from problem


def _load(document: ParkDocument, open_file: Opener, found: _Findings) -> LoadSeries | None:
    part = document.load
    if part.meters is None:
        return found.take(lambda: _one_load(document, open_file), "load")
    series = [
        found.take(lambda n=number, m=meter: _meter(document, open_file, n, m), f"load.meters[{number}].csv")  # type: ignore[misc]
        for number, meter in enumerate(part.meters)
    ]
    whole = [item for item in series if item is not None]
    return add_meters(whole) if len(whole) == len(series) else None


def _meter(document: ParkDocument, open_file: Opener, number: int, part: MeterPart) -> LoadSeries:
    at = f"load.meters[{number}]"
    spec = meter_of(part, number, document.step_minutes, document.site.timezone)
    if spec.interval > document.step_minutes:
        wrong = msg(
            "电表间隔 {interval} 分钟长于步长，会掩盖尖峰；请把 step_minutes 改为不小于它。", interval=spec.interval
        )
        raise Invalid("load.interval", wrong, errors=[FieldError(f"{at}.interval_minutes", "load.interval", wrong)])
    try:
        stream = open_file(part.csv)
    except Invalid as problem:
        errors = [FieldError(f"{at}.csv", problem.code, problem.message)]
        raise Invalid(problem.code, problem.message, errors=errors) from problem
    with stream as opened:
        return read_meter(opened, document.horizon(), spec, name=part.csv, field_name=f"{at}.csv")


def _one_load(document: ParkDocument, open_file: Opener) -> LoadSeries:
    horizon, part = document.horizon(), document.load
    if part.csv is not None:
        with open_file(part.csv) as stream:
            return read_load_csv(stream, horizon, name=part.csv)
    if part.values_kw is not None:
        values = np.array(part.values_kw, dtype=np.float64)
        return series_from_values(values, horizon, name="values_kw", field_name="load.values_kw")
    profile = part.profile
    if profile is None:
        raise AssertionError("the document's own check lets exactly one way through")
    mix = Mix(profile.mix.textile, profile.mix.food, profile.mix.workshops)
    generated = demo_load(make_calendar(horizon), seed=profile.seed, annual_kwh=profile.annual_kwh, mix=mix)
    series = series_from_values(generated, horizon, name="profile", field_name="load.profile")
    return LoadSeries(series.kw, series.source, series.sha256, (str(msg("由演示负荷生成器按种子产生，不是实测。")),))


def _factor(document: ParkDocument) -> EmissionFactor:
    part = document.emission_factor
    if part.kg_per_kwh is not None and part.year is not None and part.source is not None:
        return EmissionFactor(part.kg_per_kwh, part.edition, part.year, part.source)
    factor = _looked_up(part.edition, AVERAGE, part.region, at="emission_factor.edition")
    return EmissionFactor(factor.kg, factor.edition, factor.year, factor.source)


def _looked_up(edition: str, item: str, region: str, *, at: str) -> Factor:
    """Return a factor of the platform's editions; its refusal names the field at ``at`` and the editions there are."""
    try:
        return built_in().find(edition, item, region)
    except Invalid as problem:
        known = "、".join(built_in().editions)
        wrong = msg("没有该因子。可用的版本：{known}；燃料名称见说明。", known=known)
        raise Invalid(problem.code, wrong, errors=[FieldError(at, problem.code, wrong)]) from problem


def _tariff(document: ParkDocument) -> Tariff:
    """Return the tariff; China's days of rest that are no weekend, and weekends that are worked, join its own."""
    tariff = park.tariff_of(document.tariff)
    if document.tariff.holidays == "none":
        return tariff
    try:
        rest, work = _differing(document, is_workday)
    except Invalid as problem:
        wrong = msg(
            "{year} 年的节假日安排尚未载入。请把 holidays 改为 none，并在 rest_dates 与 work_dates 中列出。",
            year=document.period.days()[0].year,
        )
        errors = [FieldError("tariff.holidays", "tariff.no_calendar", wrong)]
        raise Invalid("tariff.no_calendar", wrong, errors=errors) from problem
    return replace(tariff, rest_dates=_joined(tariff.rest_dates, rest), work_dates=_joined(tariff.work_dates, work))


def _with_recorded_days(document: ParkDocument, is_open: IsOpen) -> ParkDocument:
    """Return the document with China's days of rest and shifted workdays written out where they are not the published ones.

    They are then part of what the run's fingerprint is of, so a day recorded meanwhile is another question.
    """
    tariff = document.tariff
    if tariff.holidays == "none":
        return document
    try:
        rest, work = _differing(document, is_open)
    except Invalid:
        return document  # refused below, with the field
    try:
        if (rest, work) == _differing(document, is_workday):
            return document
    except Invalid:
        pass  # a year that only the operator knows
    written = {"holidays": "none", "rest_dates": tariff.rest_dates | rest, "work_dates": tariff.work_dates | work}
    return document.model_copy(update={"tariff": tariff.model_copy(update=written)})


def _differing(document: ParkDocument, is_open: IsOpen) -> tuple[set[date], set[date]]:
    """Return the weekdays of the period that are no workdays, and its weekends that are; Invalid for a year not known."""
    first, until = document.period.days()
    days = [first + timedelta(days=number) for number in range((until - first).days)]
    worked = {day: is_open(day) for day in days}
    rest = {day for day in days if day.weekday() < _SATURDAY and not worked[day]}
    return rest, {day for day in days if day.weekday() >= _SATURDAY and worked[day]}


def _joined(own: frozenset[date], found: set[date]) -> frozenset[date]:
    return own | found


def _equipment(document: ParkDocument, found: _Findings) -> Equipment:
    fleets, yard = park.logistics_of(document.logistics)
    fuels = [
        found.take(lambda n=number: _fuel(document, n), f"fuels[{number}].fuel")  # type: ignore[misc]
        for number in range(len(document.fuels))
    ]
    drives = {fleet.drive for fleet in fleets} | ({Drive.DIESEL} if yard is not None else set())
    kilograms = [
        found.take(lambda d=drive: _drive(document, d), "fuel_edition")  # type: ignore[misc]
        for drive in sorted(drives & set(_FUEL_OF))
    ]
    return Equipment(
        wind=park.wind_of(document.wind),
        buildings=tuple(park.building_of(item) for item in document.buildings),
        network=park.network_of(document.network),
        fleets=fleets,
        yard=yard,
        fuels=tuple(item for item in fuels if item is not None),
        drive_kg=tuple(item for item in kilograms if item is not None),
    )


def _fuel(document: ParkDocument, number: int) -> FuelUse:
    part = document.fuels[number]
    factor = _looked_up(document.fuel_edition, f"fuel.{part.fuel}", NATION, at=f"fuels[{number}].fuel")
    if factor.base.value != part.unit.value:
        wrong = msg("该燃料应以 {unit} 计量，请换算后填写。", unit=factor.base.value)
        raise Invalid("fuel.unit", wrong, errors=[FieldError(f"fuels[{number}].unit", "fuel.unit", wrong)])
    return FuelUse(part.fuel, part.amount, part.unit.value, Purpose(part.purpose.value), factor.kg, factor.edition)


def _drive(document: ParkDocument, drive: Drive) -> tuple[str, Decimal, str]:
    factor = _looked_up(document.fuel_edition, _FUEL_OF[drive], NATION, at="fuel_edition")
    return drive.value, factor.kg, factor.edition
