"""Shadow prices in words: what binds, and what a little more would be worth."""

from __future__ import annotations

from dataclasses import dataclass

from services.rules.twin.calendar import Calendar
from services.rules.twin.inputs import Floats, Sizing
from services.rules.twin.marginal import Marginal, deciding_steps
from services.rules.twin.sizing_program import Additions
from services.rules.twin.tariff import Prices
from tenants.kernel.messages import Message, msg

_NAMED_STEPS = 3
_CLEARLY = 1.01
_AT_LIMIT = 0.999


@dataclass(frozen=True)
class ShadowPrice:
    """Yuan a year (or, for a peak, for its month) that one ``unit`` more, or one kW of peak less, is worth."""

    code: str
    unit: str
    value_yuan: float
    text: Message


def shadow_prices(
    worth: Marginal,
    calendar: Calendar,
    prices: Prices,
    unit: Floats,
    sizing: Sizing | None,
    share: float,
    additions: Additions,
) -> tuple[ShadowPrice, ...]:
    """Return what one more kWh, kW and kWp is worth a year, then what decides each month's peak.

    ``unit`` is PV per kWp and step; ``share`` is the horizon's share of a year; ``additions`` are
    what is built, which tells whether a limit holds it.
    """
    battery_kwh, battery_kw = worth.battery_kwh / share, worth.battery_kw / share
    pv = float(worth.pv @ unit) / share
    cost: tuple[float | None, ...] = (None, None, None)
    held = (False, False, False)
    if sizing is not None:
        cost = (sizing.battery_kwh_yearly, sizing.battery_kw_yearly, sizing.pv_yearly)
        held = (
            additions.battery_kwh >= _AT_LIMIT * sizing.battery_max_kwh,
            additions.battery_kw >= _AT_LIMIT * sizing.battery_max_kw,
            additions.pv_kwp >= _AT_LIMIT * sizing.pv_max_kwp,
        )
    found = [
        ShadowPrice("battery_kwh", "kWh", battery_kwh, _more("kWh", battery_kwh, cost[0], held=held[0])),
        ShadowPrice("battery_kw", "kW", battery_kw, _more("kW", battery_kw, cost[1], held=held[1])),
    ]
    if unit.any():
        found.append(ShadowPrice("pv_kwp", "kWp", pv, _more("kWp", pv, cost[2], held=held[2])))
    return (*found, *_peaks(worth, calendar, prices))


def _more(unit: str, worth: float, cost: float | None, *, held: bool) -> Message:
    """Say what one unit more is worth, and whether that pays for it; both in yuan a year.

    Where no limit holds a size, it lies at a kink: one side's worth may be above the cost and the size still be best.
    """
    what = {"kWh": msg("储能容量"), "kW": msg("储能功率"), "kWp": msg("光伏容量")}[unit]
    shown = f"{worth:,.2f}"
    if cost is None:
        return msg("{what}再增加 1 {unit}，每年可少付 {worth} 元。", what=what, unit=unit, worth=shown)
    if worth > cost * _CLEARLY and not held:
        return msg(
            "{what}再增加 1 {unit}，每年最多可少付 {worth} 元，年成本 {cost} 元：所选容量已在最优附近，收益随增加而递减。",
            what=what, unit=unit, worth=shown, cost=f"{cost:,.2f}",
        )  # fmt: skip
    if worth > cost * _CLEARLY:
        return msg(
            "{what}再增加 1 {unit}，每年可少付 {worth} 元，高于其年成本 {cost} 元：受上限所限，放宽上限仍有收益。",
            what=what, unit=unit, worth=shown, cost=f"{cost:,.2f}",
        )  # fmt: skip
    if worth > cost / _CLEARLY:
        return msg(
            "{what}再增加 1 {unit}，每年可少付 {worth} 元，与其年成本 {cost} 元相当：不必再增加。",
            what=what, unit=unit, worth=shown, cost=f"{cost:,.2f}",
        )  # fmt: skip
    return msg(
        "{what}再增加 1 {unit}，每年可少付 {worth} 元，低于其年成本 {cost} 元：不必再增加。",
        what=what, unit=unit, worth=shown, cost=f"{cost:,.2f}",
    )  # fmt: skip


def _peaks(worth: Marginal, calendar: Calendar, prices: Prices) -> list[ShadowPrice]:
    if prices.demand <= 0:
        return []
    found = []
    for month, name in enumerate(calendar.months):
        steps, decided = deciding_steps(worth, calendar, month)
        value = prices.demand * decided
        if not len(steps):
            text = msg("{month} 的最大需量由储能压不低的负荷决定，移动其他时段的用电不能再降低它。", month=name)
            found.append(ShadowPrice(f"peak {name}", "kW", 0.0, text))
            continue
        when = "、".join(_stamp(calendar, step) for step in steps[:_NAMED_STEPS].tolist())
        text = msg(
            "{month} 的最大需量由 {when} 等 {count} 个时段共同决定：这些时段都少用 1 kW，当月少付 {worth} 元。",
            month=name, when=when, count=len(steps), worth=f"{value:,.2f}",
        )  # fmt: skip
        found.append(ShadowPrice(f"peak {name}", "kW", value, text))
    return found


def _stamp(calendar: Calendar, step: int) -> str:
    day, minute = calendar.days[int(calendar.day[step])], int(calendar.minute[step])
    return f"{day:%m-%d} {minute // 60:02d}:{minute % 60:02d}"
