"""Whether a schedule can be carried out: checked from its table alone, without the program that made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.dispatch import Dispatch, check_balance
from services.rules.twin.inputs import Battery, Floats, Process
from services.rules.twin.processes import Job

_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Faults:
    """What a schedule breaks, by name and place; empty when it can be carried out."""

    found: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.found)


def check_schedule(
    processes: Sequence[Process],
    jobs: Sequence[Job],
    shares: Sequence[Floats],
    rest_kw: Floats,
    flow: Dispatch,
    battery: Battery,
    calendar: Calendar,
    limits_kw: Floats | None,
) -> Faults:
    """Follow every run and every step of a schedule and tell what does not hold.

    Each run has its length, keeps to its window, to its shortest stretch and to its order; the load is the rest and the
    runs; the battery stays within its content and power; the meter shows one direction and no more than its limit.
    """
    found = [fault for number in range(len(jobs)) for fault in _run(processes, jobs, shares, calendar, number)]
    load = rest_kw.copy()
    for job, share in zip(jobs, shares, strict=True):
        for offset, part in enumerate(share.tolist()):
            load[job.first + offset] += part * job.kw
    scale = max(1.0, float(load.max()), battery.kwh)
    if float(np.abs(load - flow.load).max()) > _TOLERANCE * scale:
        found.append("load")
    balance = check_balance(flow, battery, calendar.horizon.hours)
    if max(balance.node_kw, balance.battery_kwh, balance.bounds, balance.both_ways_kw) > _TOLERANCE * scale:
        found.append("balance")
    if limits_kw is not None and bool((flow.imported > limits_kw[calendar.month] + _TOLERANCE * scale).any()):
        found.append("limit")
    return Faults(tuple(found))


def _run(
    processes: Sequence[Process], jobs: Sequence[Job], shares: Sequence[Floats], calendar: Calendar, number: int
) -> list[str]:
    job, share = jobs[number], shares[number]
    process = processes[job.process]
    where = f"{process.name} {calendar.days[job.day]}"
    faults = []
    step = calendar.horizon.step_minutes
    on = [job.first + offset for offset, part in enumerate(share.tolist()) if part > _TOLERANCE]
    if abs(float(share.sum()) * step - process.minutes) > _TOLERANCE * process.minutes:
        faults.append(f"length {where}")
    if not all(_inside(process, int(calendar.minute[at]), step) for at in on):
        faults.append(f"window {where}")
    if not process.adjustable:
        if any(_TOLERANCE < part < 1 - _TOLERANCE for part in share.tolist()):
            faults.append(f"power {where}")
        least = process.least_minutes if process.interruptible else process.minutes
        if any(length * step < least for length in _lengths(on)):
            faults.append(f"stretch {where}")
    if job.after >= 0 and on:
        before = jobs[job.after]
        ended = before.first + max(offset for offset, part in enumerate(shares[job.after]) if part > _TOLERANCE)
        if min(on) <= ended:
            faults.append(f"order {where}")
    return faults


def _inside(process: Process, minute: int, step: int) -> bool:
    if process.start < process.end:
        return process.start <= minute and minute + step <= process.end
    return minute >= process.start or minute + step <= process.end


def _lengths(on: Sequence[int]) -> list[int]:
    """Lengths of the runs of consecutive numbers."""
    lengths: list[int] = []
    for number, at in enumerate(on):
        if number and at == on[number - 1] + 1:
            lengths[-1] += 1
        else:
            lengths.append(1)
    return lengths
