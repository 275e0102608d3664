"""Parts of ``park.json`` that say what may be run otherwise: shiftable processes, and scenarios to compare."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.rules.twin.inputs import Days, Period, Process, Variation
from tenants.kernel.messages import Message, msg

MOST_PROCESSES = 12
MOST_SCENARIOS = 20
CLOCK = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)$|^24:00$")
_DAY = 1440

Factor = Annotated[float, Field(ge=0, le=10)]
DecimalFactor = Annotated[Decimal, Field(ge=0, le=10, max_digits=8)]


class Part(BaseModel):
    """Base of every part: unknown names, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


class ProcessWindow(Part):
    """Between which clock times a process may run; ``to`` before ``from`` passes midnight, equal ones are a whole day."""

    start: str = Field(alias="from", pattern=CLOCK)
    end: str = Field(alias="to", pattern=CLOCK)


class ProcessPart(Part):
    """A process whose load is in the meter today, from ``usual_start`` on, and that may run at other hours."""

    name: str = Field(min_length=1, max_length=60)
    kw: float = Field(gt=0, le=1e5)
    run_minutes: int = Field(ge=15, le=_DAY)
    window: ProcessWindow
    usual_start: str = Field(pattern=CLOCK)
    days: Days = Days.ALL
    interruptible: bool = False
    min_run_minutes: int = Field(default=0, ge=0, le=_DAY)
    adjustable: bool = False
    follows: str | None = Field(default=None, min_length=1, max_length=60)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        item = to_process(self)
        end = item.end if item.end > item.start else item.end + _DAY
        usual = item.usual_start if item.usual_start >= item.start else item.usual_start + _DAY
        if item.minutes > end - item.start:
            raise ValueError("process.window")
        if usual + item.minutes > end:
            raise ValueError("process.usual")
        if item.least_minutes > item.minutes or (item.interruptible and item.adjustable):
            raise ValueError("process.run")
        return self


class ScenarioPart(Part):
    """The same park with some things multiplied, on today's plant or on the one found best."""

    name: str = Field(min_length=1, max_length=60)
    plant: Literal["existing", "sized"] = "sized"
    price_factors: dict[Period, DecimalFactor] = Field(default_factory=dict)
    demand_factor: DecimalFactor = Decimal(1)
    feed_in_factor: DecimalFactor = Decimal(1)
    load_factor: Factor = 1.0
    pv_factor: Factor = 1.0
    battery_factor: Factor = 1.0
    carbon_yuan_per_t: float | None = Field(default=None, ge=0, le=1e5)


def check_processes(parts: Sequence[ProcessPart], step_minutes: int) -> str | None:
    """Return what is wrong with the processes together, None when nothing is: a code of ``REASONS``."""
    names = [part.name for part in parts]
    if len(set(names)) < len(names):
        return "process.names"
    if any(part.follows is not None and (part.follows not in names or part.follows == part.name) for part in parts):
        return "process.follows"
    follows = {part.name: part.follows for part in parts}
    for name in names:
        at, seen = follows[name], 0
        while at is not None and seen <= len(names):
            at, seen = follows[at], seen + 1
        if seen > len(names):
            return "process.follows"
    stamps = [
        value
        for part in parts
        for item in (to_process(part),)
        for value in (item.minutes, item.start, item.end, item.usual_start, item.least_minutes)
    ]
    return "process.step" if any(value % step_minutes for value in stamps) else None


def to_process(part: ProcessPart) -> Process:
    """Return the engine's process."""
    return Process(
        name=part.name,
        kw=part.kw,
        minutes=part.run_minutes,
        start=minute_of(part.window.start),
        end=minute_of(part.window.end),
        usual_start=minute_of(part.usual_start),
        days=part.days,
        interruptible=part.interruptible,
        least_minutes=part.min_run_minutes,
        adjustable=part.adjustable,
        after=part.follows,
    )


def to_variation(part: ScenarioPart) -> Variation:
    """Return the engine's scenario."""
    return Variation(**part.model_dump())


def minute_of(clock: str) -> int:
    """Return the minute of the day of ``HH:MM``."""
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


REASONS: dict[str, Message] = {
    "process.window": msg("可运行时段短于一次运行的时长，请放宽 window 或缩短 run_minutes。"),
    "process.usual": msg("按 usual_start 开始的运行超出可运行时段，请修改 usual_start 或 window。"),
    "process.run": msg("min_run_minutes 不能长于 run_minutes；interruptible 与 adjustable 只能选一项。"),
    "process.names": msg("工序名称不能重复，请改名。"),
    "process.follows": msg("follows 应填写另一工序的名称，且不能循环。"),
    "process.step": msg("工序的时刻与时长应为步长（step_minutes）的整数倍，请修改。"),
    "scenario.names": msg("情景名称不能重复，请改名。"),
}
