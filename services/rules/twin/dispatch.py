"""What flows in each step, and proof that it balances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.inputs import Battery, BatteryHabit, Floats, Period
from services.rules.twin.tariff import PERIODS, Prices

_CHEAP = [PERIODS.index(Period.VALLEY), PERIODS.index(Period.DEEP_VALLEY)]
_DEAR = [PERIODS.index(Period.SHARP), PERIODS.index(Period.PEAK)]


@dataclass(frozen=True, eq=False)
class Dispatch:
    """Flows in kW per step; ``stored`` is the battery's content in kWh at the end of each step."""

    load: Floats
    pv: Floats
    charge: Floats
    discharge: Floats
    stored: Floats
    imported: Floats
    exported: Floats
    curtailed: Floats


@dataclass(frozen=True)
class Balance:
    """Largest absolute errors of a dispatch: kW of the node, kWh of the battery, kWh over the whole horizon."""

    node_kw: float
    battery_kwh: float
    total_kwh: float
    bounds: float
    both_ways_kw: float


def make_dispatch(
    load: Floats, pv: Floats, charge: Floats, discharge: Floats, battery: Battery, hours: float, *, may_export: bool
) -> Dispatch:
    """Return what the one meter at the park's gate sees: the net of each step is bought or is surplus, never both."""
    charge, discharge = np.maximum(charge, 0), np.maximum(discharge, 0)
    net = load - pv + charge - discharge
    surplus = np.maximum(-net, 0)
    nothing = np.zeros_like(net)
    change = hours * (battery.one_way * charge - discharge / battery.one_way)
    return Dispatch(
        load=load,
        pv=pv,
        charge=charge,
        discharge=discharge,
        stored=battery.soc_start * battery.kwh + np.cumsum(change),
        imported=np.maximum(net, 0),
        exported=surplus if may_export else nothing,
        curtailed=nothing if may_export else surplus,
    )


def check_balance(flow: Dispatch, battery: Battery, hours: float) -> Balance:
    """Measure how far a dispatch is from physics; all figures are zero up to rounding when it is right."""
    node = flow.imported + flow.pv + flow.discharge - flow.load - flow.charge - flow.exported - flow.curtailed
    before = np.concatenate([[battery.soc_start * battery.kwh], flow.stored[:-1]])
    change = hours * (battery.one_way * flow.charge - flow.discharge / battery.one_way)
    low, high = battery.soc_min * battery.kwh, battery.soc_max * battery.kwh
    outside = [low - flow.stored, flow.stored - high, flow.charge - battery.kw, flow.discharge - battery.kw]
    losses = hours * float(((1 - battery.one_way) * flow.charge + (1 / battery.one_way - 1) * flow.discharge).sum())
    into = hours * float((flow.imported + flow.pv - flow.exported - flow.curtailed - flow.load).sum())
    kept = float(flow.stored[-1]) - battery.soc_start * battery.kwh
    return Balance(
        node_kw=float(np.abs(node).max()),
        battery_kwh=float(np.abs(flow.stored - before - change).max()),
        total_kwh=abs(into - losses - kept),
        bounds=max(0.0, *(float(item.max()) for item in outside)),
        both_ways_kw=float(np.minimum(flow.imported, flow.exported).max()),
    )


def habitual_dispatch(
    load: Floats, pv: Floats, battery: Battery, calendar: Calendar, prices: Prices, *, may_export: bool
) -> Dispatch:
    """Run an existing battery as it is run today.

    ``valley_peak``: fill up in the valley without making a new monthly peak, empty in peak and sharp hours against
    the park's own demand. A saving is only claimed against this, not against a battery that stands idle.
    """
    hours = calendar.horizon.hours
    charge, discharge = np.zeros_like(load), np.zeros_like(load)
    if battery.kwh > 0 and battery.kw > 0 and battery.habit is BatteryHabit.VALLEY_PEAK:
        net = load - pv
        peaks = np.zeros(len(calendar.months))
        np.maximum.at(peaks, calendar.month, net)
        sign = np.isin(prices.period, _CHEAP).astype(np.int64) - np.isin(prices.period, _DEAR).astype(np.int64)
        headroom = np.minimum(np.maximum(peaks[calendar.month] - net, 0), battery.kw)
        room = np.where(sign > 0, headroom, np.where(sign < 0, np.minimum(np.maximum(net, 0), battery.kw), 0))
        _follow(sign, room, battery, hours, charge, discharge)
    return make_dispatch(load, pv, charge, discharge, battery, hours, may_export=may_export)


def _follow(
    sign: np.ndarray[tuple[int], np.dtype[np.int64]],
    room: Floats,
    battery: Battery,
    hours: float,
    charge: Floats,
    discharge: Floats,
) -> None:
    """Write the charge and discharge of a timetable, step by step: the content of a step depends on the last."""
    one_way = battery.one_way
    low, high = battery.soc_min * battery.kwh, battery.soc_max * battery.kwh
    stored = battery.soc_start * battery.kwh
    for step, (way, limit) in enumerate(zip(sign.tolist(), room.tolist(), strict=True)):
        if way > 0:
            power = min(limit, (high - stored) / (one_way * hours))
            charge[step] = max(power, 0.0)
            stored += charge[step] * one_way * hours
        elif way < 0:
            power = min(limit, (stored - low) * one_way / hours)
            discharge[step] = max(power, 0.0)
            stored -= discharge[step] / one_way * hours
