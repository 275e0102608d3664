"""Processes that may be shifted: each day's run of one is a job, found in the meter's load and taken out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.inputs import Days, Floats, Process

_DAY_MINUTES = 1440
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Job:
    """One day's run of a process in steps: ``length`` of them in ``[first, until)``, from ``usual`` as it is today.

    ``least`` is the fewest steps of a stretch; it is ``length`` for a job that may not pause. ``after`` is the number
    of the job that must have ended before, ``-1`` for none.
    """

    process: int
    day: int
    kw: float
    length: int
    first: int
    until: int
    usual: int
    least: int
    adjustable: bool
    after: int

    @property
    def whole(self) -> bool:
        """Tell whether the job runs in one piece."""
        return not self.adjustable and self.least >= self.length


@dataclass(frozen=True, eq=False)
class Shiftable:
    """The jobs of a horizon, the load without them, and how many runs of each process the meter does not show."""

    jobs: tuple[Job, ...]
    rest_kw: Floats
    missed: tuple[int, ...]


def find_jobs(processes: Sequence[Process], calendar: Calendar, rest_days: np.ndarray, load: Floats) -> Shiftable:
    """Find each day's run of each process in the load. ``rest_days`` says of each day whether it is one.

    A run counts only where the meter shows at least its power all the way: a process that stood still cannot be
    shifted. Days that are cut by the horizon or by the clock's change keep their runs where they are.
    """
    rest, missed = load.copy(), [0] * len(processes)
    jobs: list[Job] = []
    known: dict[tuple[str, int], int] = {}
    for number in _in_order(processes):
        process = processes[number]
        for day in _days_of(process, calendar, rest_days):
            job = _job(process, number, day, calendar, known.get((process.after or "", day), -1))
            if job is None:
                continue
            span = slice(job.usual, job.usual + job.length)
            if rest[span].min() < job.kw - _TOLERANCE:
                missed[number] += 1
                continue
            rest[span] = np.maximum(rest[span] - job.kw, 0)
            known[process.name, day] = len(jobs)
            jobs.append(job)
    return Shiftable(tuple(jobs), rest, tuple(missed))


def usual_shares(job: Job) -> Floats:
    """Return the share of its power that a job takes in each step of its window today."""
    shares = np.zeros(job.until - job.first)
    shares[job.usual - job.first : job.usual - job.first + job.length] = 1
    return shares


def job_power(jobs: Sequence[Job], shares: Sequence[Floats], steps: int) -> Floats:
    """Return kW per step of all jobs together; ``shares`` are of each job's power over its window."""
    total = np.zeros(steps)
    for job, share in zip(jobs, shares, strict=True):
        total[job.first : job.until] += job.kw * share
    return total


def _in_order(processes: Sequence[Process]) -> list[int]:
    """Numbers of the processes, each after the one it follows; the document's check has refused circles."""
    placed: list[int] = []
    names: set[str | None] = {None}
    while len(placed) < len(processes):
        ready = [i for i, item in enumerate(processes) if i not in placed and item.after in names]
        if not ready:
            raise ValueError("processes follow each other in a circle")
        placed += ready
        names |= {processes[i].name for i in ready}
    return placed


def _days_of(process: Process, calendar: Calendar, rest_days: np.ndarray) -> list[int]:
    wanted = np.ones(len(calendar.days), dtype=bool)
    if process.days is not Days.ALL:
        wanted = rest_days == (process.days is Days.RESTDAYS)
    per_day = _DAY_MINUTES // calendar.horizon.step_minutes
    whole = np.bincount(calendar.day, minlength=len(calendar.days)) == per_day
    return [int(day) for day in np.flatnonzero(wanted & whole)]


def _job(process: Process, number: int, day: int, calendar: Calendar, after: int) -> Job | None:
    minutes = calendar.horizon.step_minutes
    midnight = int(np.searchsorted(calendar.day, day))
    end = process.end if process.end > process.start else process.end + _DAY_MINUTES
    usual = process.usual_start if process.usual_start >= process.start else process.usual_start + _DAY_MINUTES
    length = process.minutes // minutes
    first, until = midnight + process.start // minutes, midnight + end // minutes
    if until > len(calendar.minute):
        return None
    least = max(1, process.least_minutes // minutes) if process.interruptible or process.adjustable else length
    return Job(
        process=number,
        day=day,
        kw=process.kw,
        length=length,
        first=first,
        until=until,
        usual=midnight + usual // minutes,
        least=min(least, length),
        adjustable=process.adjustable,
        after=after,
    )
