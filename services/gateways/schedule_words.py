"""A schedule in words: what to do, when, what it brings, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.rules.twin.advice import hours_of
from services.rules.twin.calendar import Calendar
from services.rules.twin.dispatch import Dispatch
from services.rules.twin.inputs import Process
from services.rules.twin.schedule import Move, Steps, Stretch, battery_stretches
from services.rules.twin.tariff import PERIODS, Prices

PERIOD_NAMES = {"sharp": "尖段", "peak": "峰段", "flat": "平段", "valley": "谷段", "deep_valley": "深谷段"}
_WORTH_SAYING_YUAN = 0.5
_SURPLUS_KWH = 1.0
_TOGETHER = "须随整体计划一并执行：单独执行会产生新的最大需量"


@dataclass(frozen=True)
class Said:
    """One thing to do: on which day, when, what, why, and what it brings; ``alone`` tells whether it stands by itself."""

    day: str
    hours: str
    text: str
    why: str
    saving_yuan: float
    avoided_kg: float
    alone: bool


def say_steps(
    steps: Steps, processes: Sequence[Process], flow: Dispatch, calendar: Calendar, prices: Prices
) -> list[Said]:
    """Return the moves and what the battery does in words, the one that saves most first."""
    said = [_said(move, processes[move.job.process], calendar) for move in steps.moves]
    if battery_stretches(flow, prices):
        hours = hours_of(calendar, flow.charge + flow.discharge)
        why = ["低价或有光伏余电时充，高价时放"]
        if steps.battery.demand > _WORTH_SAYING_YUAN:
            why.append(f"压低当月最大需量，少付 {steps.battery.demand:,.2f} 元需量电费")
        if not steps.battery_alone:
            why.append(_TOGETHER)
        days = " 至 ".join(dict.fromkeys([f"{calendar.days[0]}", f"{calendar.days[-1]}"]))
        said.append(
            Said(days, hours, "储能按计划充放", "；".join(why), _round(steps.battery.total, 2),
                 _round(steps.battery_avoided_kg, 1), steps.battery_alone)
        )  # fmt: skip
    return sorted(said, key=lambda item: -item.saving_yuan)


def say_battery(flow: Dispatch, calendar: Calendar, prices: Prices) -> list[tuple[str, str]]:
    """Return (day and times, what the battery does and why) for each stretch of charging or discharging."""
    found = []
    for way, stretch in battery_stretches(flow, prices):
        span = slice(stretch.first, stretch.until)
        price = float(prices.buy[span].mean())
        name = PERIOD_NAMES[PERIODS[int(prices.period[stretch.first])].value]
        surplus = float((flow.pv[span] - flow.load[span]).clip(0).sum())
        if way == "charge":
            why = "用光伏余电充电" if surplus > 0 else f"{name}电价 {price:.4f} 元/kWh，供电价更高时使用"
            text = f"充电 {stretch.kw:,.0f} kW"
        else:
            why = f"{name}电价 {price:.4f} 元/kWh，少买电并压低购电功率"
            text = f"放电 {stretch.kw:,.0f} kW"
        found.append((f"{_day(calendar, stretch)} {times(calendar, stretch)}", f"{text}：{why}"))
    return found


def times(calendar: Calendar, stretch: Stretch) -> str:
    """Return a stretch as clock times, such as ``08:00–10:15``."""
    first = int(calendar.minute[stretch.first])
    last = int(calendar.minute[stretch.until - 1]) + calendar.horizon.step_minutes
    return f"{first // 60:02d}:{first % 60:02d}–{last // 60:02d}:{last % 60:02d}"


def _day(calendar: Calendar, stretch: Stretch) -> str:
    return f"{calendar.days[int(calendar.day[stretch.first])]:%m-%d}"


def _said(move: Move, process: Process, calendar: Calendar) -> Said:
    before = "、".join(times(calendar, item) for item in move.before)
    after = "、".join(times(calendar, item) for item in move.after)
    day = f"{calendar.days[move.job.day]}"
    text = f"“{process.name}”（{process.kw:,.0f} kW）由 {before} 移到 {after}"
    why = _reasons(move)
    if process.after is not None:
        why.append(f"在“{process.after}”结束之后")
    if not why:
        why.append("为其他工序和储能让出时段，配合整体计划")
    if not move.alone:
        why.append(_TOGETHER)
    saving, avoided = _round(move.saves.total, 2), _round(move.avoided_kg, 1)
    return Said(day, after, text, "；".join(why), saving, avoided, move.alone)


def _round(value: float, digits: int) -> float:
    return round(value, digits) + 0.0


def _reasons(move: Move) -> list[str]:
    why = []
    if move.saves.demand > _WORTH_SAYING_YUAN:
        why.append(f"压低当月最大需量，少付 {move.saves.demand:,.2f} 元需量电费")
    if move.used_surplus_kwh > _SURPLUS_KWH:
        why.append(f"多用光伏余电 {move.used_surplus_kwh:,.0f} kWh")
    if move.price_after < move.price_before:
        why.append(
            f"所用电价由平均 {move.price_before:.4f} 元/kWh 降到 {move.price_after:.4f} 元/kWh"
            + (f"，少付电量电费 {move.saves.energy:,.2f} 元" if move.saves.energy > _WORTH_SAYING_YUAN else "")
        )
    return why
