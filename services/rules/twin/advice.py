"""What to do, in the order of what it brings. Each item's saving is what it adds to the ones before it, so they sum.

Only scenarios that make no new demand peak in any month are advised; the caller leaves out, or solves again, the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.inputs import Floats
from services.rules.twin.scenarios import Kpis, Scenario
from services.rules.twin.sizing_program import Additions
from tenants.kernel.messages import Message, msg

_WORTH_SAYING_YUAN = 1.0
_BUSY = 0.35
"""Share of the busiest hour's mean from which on an hour is named."""
_DAY_HOURS = 24


@dataclass(frozen=True)
class Advice:
    """One measure: yuan saved a year after its own capital, tonnes of CO2 avoided (may be negative), its hours."""

    code: str
    text: Message
    saving_yuan: float
    avoided_t: float
    hours: str


@dataclass(frozen=True)
class _Step:
    """What a measure has reached together with those before it."""

    saving_yuan: float
    avoided_t: float

    def beyond(self, *before: _Step) -> tuple[float, float]:
        saving, avoided = self.saving_yuan, self.avoided_t
        for item in before:
            saving, avoided = saving - item.saving_yuan, avoided - item.avoided_t
        return saving, avoided


def rank_advice(
    kpis: Mapping[str, Kpis], additions: Additions, advised: Mapping[str, Scenario], calendar: Calendar
) -> tuple[Advice, ...]:
    """Return the measures, the one with most yuan first.

    ``kpis`` are of ``as_is`` and of the scenarios that may be advised: ``with_shift`` (today's operation, processes at
    their new hours), ``optimised``, ``with_pv`` (run best with the added PV alone) and ``sized``.
    """
    nothing = _Step(0.0, 0.0)
    steps = {name: _step(kpis["as_is"], item) for name, item in kpis.items()}
    run, shift = steps.get("optimised", nothing), steps.get("with_shift", nothing)
    found = []
    if "with_shift" in steps:
        text = msg("把可移动工序移到优化后的时段运行。")
        hours = hours_of(calendar, np.maximum(advised["with_shift"].flow.load - advised["as_is"].flow.load, 0))
        found.append(Advice("shift", text, *shift.beyond(), hours))
    if "optimised" in steps:
        best = advised["optimised"]
        moved = np.maximum(best.flow.load - advised["as_is"].flow.load, 0)
        if "with_shift" in steps:  # told by itself above
            moved = np.zeros_like(moved)
        hours = hours_of(calendar, best.flow.charge + best.flow.discharge + moved)
        found.append(Advice("dispatch", _dispatch_text(best, moved=bool(moved.any())), *run.beyond(shift), hours))
    if "sized" in steps:
        found += _built(steps, run, additions, advised, calendar)
    worth = [item for item in found if item.saving_yuan >= _WORTH_SAYING_YUAN]
    return tuple(sorted(worth, key=lambda item: (-item.saving_yuan, item.code)))


def _built(
    steps: Mapping[str, _Step], run: _Step, additions: Additions, advised: Mapping[str, Scenario], calendar: Calendar
) -> list[Advice]:
    found = []
    sun = steps.get("with_pv", run)
    if additions.pv_kwp:
        text = msg("新增光伏 {kwp} kWp，优先自用，余量按规定上网。", kwp=f"{additions.pv_kwp:,.0f}")
        alone = not additions.battery_kwh  # what is left then belongs to the PV
        saving = (steps["sized"] if alone else sun).beyond(run)
        found.append(Advice("pv", text, *saving, hours_of(calendar, advised["sized"].flow.pv)))
    if additions.battery_kwh:
        text = msg(
            "新增储能 {kwh} kWh / {kw} kW，谷段与光伏富余时充电，尖峰段放电，并压低月最大需量。",
            kwh=f"{additions.battery_kwh:,.0f}",
            kw=f"{additions.battery_kw:,.0f}",
        )
        saving = steps["sized"].beyond(sun if additions.pv_kwp else run)
        flow = advised["sized"].flow
        found.append(Advice("battery", text, *saving, hours_of(calendar, flow.charge + flow.discharge)))
    return found


def _step(before: Kpis, after: Kpis) -> _Step:
    return _Step(
        before.annual_bill_yuan - after.annual_bill_yuan - after.capital_yuan, before.emissions_t - after.emissions_t
    )


def hours_of(calendar: Calendar, kw: Floats) -> str:
    """Return the clock hours in which most of a flow falls, such as ``00:00–03:00、12:00–14:00``; empty for none."""
    hour = calendar.minute // 60
    mean = np.bincount(hour, kw, _DAY_HOURS) / np.maximum(np.bincount(hour, minlength=_DAY_HOURS), 1)
    busy = mean > max(_BUSY * float(mean.max()), 1e-9)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], busy.astype(np.int64), [0]])))
    return "、".join(f"{a:02d}:00–{b:02d}:00" for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _dispatch_text(best: Scenario, *, moved: bool) -> Message:
    """Name the battery, the processes where shifting them is not advised by itself, or both."""
    if moved and best.battery.kwh > 0:
        return msg(
            "按优化曲线运行现有储能（{kwh} kWh），同时把可移动工序移到优化后的时段；两者须一并实施，"
            "只移动工序会抬高最大需量。",
            kwh=f"{best.battery.kwh:,.0f}",
        )
    if moved:
        return msg("把可移动工序移到优化后的时段运行，使其避开当月最大需量时刻。")
    return msg(
        "按优化曲线运行现有储能（{kwh} kWh），替代固定时段充放电，使充电避开当月最大需量时刻。",
        kwh=f"{best.battery.kwh:,.0f}",
    )
