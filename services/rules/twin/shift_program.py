"""Jobs as columns and rows of a linear program: on in each step of the window, begun, and, where another follows, done.

A job in one piece is chosen by its start (binary), which keeps its on-columns whole by themselves; one that may pause is
on or off (binary) in each step; an adjustable one takes any share of its power and needs no binary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from services.rules.twin.inputs import Floats, Ints
from services.rules.twin.linear_program import INFINITY, Rows
from services.rules.twin.processes import Job

EXACT_STEPS = 8 * 96
"""Horizons up to this many steps are solved with all binaries at once."""


@dataclass(frozen=True, eq=False)
class ShiftColumns:
    """Where each job's columns stand, counted from 0: ``on`` one per step of its window, ``begin`` one per start."""

    on: tuple[int, ...]
    begin: tuple[int, ...]
    done: tuple[int, ...]
    finished: tuple[int, ...]
    begun: tuple[int, ...]
    count: int
    binaries: Ints
    on_columns: Ints
    on_steps: Ints
    on_kw: Floats


@dataclass
class _Places:
    count: int = 0
    binaries: list[Ints] = field(default_factory=list)

    def take(self, size: int, *, binary: bool = False) -> int:
        first = self.count
        self.count += size
        if binary:
            self.binaries.append(np.arange(first, self.count))
        return first


def shift_columns(jobs: Sequence[Job]) -> ShiftColumns:
    """Give every job its columns."""
    places = _Places()
    followed = {job.after for job in jobs if job.after >= 0}
    on, begin, done, finished, begun = [], [], [], [], []
    for number, job in enumerate(jobs):
        width = job.until - job.first
        on.append(places.take(width, binary=not job.whole and not job.adjustable))
        begins = job.whole or (job.least > 1 and not job.adjustable)
        begin.append(places.take(width, binary=job.whole) if begins else -1)
        done.append(places.take(width + 1) if number in followed else -1)
        finished.append(places.take(width + 1, binary=not job.whole) if number in followed else -1)
        begun.append(places.take(width) if job.whole and job.after >= 0 else -1)
    widths = [job.until - job.first for job in jobs]
    return ShiftColumns(
        on=tuple(on), begin=tuple(begin), done=tuple(done), finished=tuple(finished), begun=tuple(begun),
        count=places.count,
        binaries=np.concatenate([np.zeros(0, dtype=np.int64), *places.binaries]),
        on_columns=_joined([at + np.arange(width) for at, width in zip(on, widths, strict=True)]),
        on_steps=_joined([np.arange(job.first, job.until) for job in jobs]),
        on_kw=np.repeat([job.kw for job in jobs], widths) if jobs else np.zeros(0),
    )  # fmt: skip


def _joined(parts: Sequence[Ints]) -> Ints:
    joined: Ints = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
    return joined


def add_shift_rows(rows: Rows, jobs: Sequence[Job], columns: ShiftColumns, at: int) -> None:
    """Add what holds each job together; its columns stand from ``at`` on."""
    for number, job in enumerate(jobs):
        width = job.until - job.first
        every = np.arange(width)
        on = at + columns.on[number] + every
        rows.add(1, job.length, job.length, (0, on, 1.0))
        begin = at + columns.begin[number] + every
        if job.whole:
            _in_one_piece(rows, job, on, begin)
        elif columns.begin[number] >= 0:
            _in_stretches(rows, job, on, begin)
        if columns.done[number] >= 0:
            _finished(rows, job, on, begin, at + columns.done[number], at + columns.finished[number])
        if job.after >= 0:
            _after(rows, job, jobs[job.after], columns, number, at)


def _in_one_piece(rows: Rows, job: Job, on: Ints, begin: Ints) -> None:
    """On from the chosen start for the whole length."""
    width, length = len(on), job.length
    every = np.arange(width)
    rows.add(
        width, 0.0, 0.0,
        (every, on, 1.0), (every[1:], on[:-1], -1.0),
        (every, begin, -1.0), (every[length:], begin[: width - length], 1.0),
    )  # fmt: skip
    rows.add(1, 1.0, 1.0, (0, begin[: width - length + 1], 1.0))
    if length > 1:
        rows.add(1, 0.0, 0.0, (0, begin[width - length + 1 :], 1.0))


def _in_stretches(rows: Rows, job: Job, on: Ints, begin: Ints) -> None:
    """Whoever begins stays on for the least length, and does not begin too late for it."""
    width, least = len(on), job.least
    every = np.arange(width)
    rows.add(width, -INFINITY, 0.0, (every, on, 1.0), (every[1:], on[:-1], -1.0), (every, begin, -1.0))
    recent = [(every[back:], begin[: width - back], 1.0) for back in range(min(least, width))]
    rows.add(width, -INFINITY, 0.0, *recent, (every, on, -1.0))
    rows.add(1, 0.0, 0.0, (0, begin[max(0, width - least + 1) :], 1.0))


def _finished(rows: Rows, job: Job, on: Ints, begin: Ints, done: int, finished: int) -> None:
    """``done`` counts the steps worked before each step; ``finished`` may be 1 only when all are."""
    width = len(on)
    every = np.arange(1, width + 1)
    rows.add(1, 0.0, 0.0, (0, done, 1.0))
    rows.add(
        width, 0.0, 0.0, (every - 1, done + every, 1.0), (every - 1, done + every - 1, -1.0), (every - 1, on, -1.0)
    )
    all_ = np.arange(width + 1)
    rows.add(width + 1, -INFINITY, 0.0, (all_, finished + all_, float(job.length)), (all_, done + all_, -1.0))
    if job.whole:  # tighter: as much is finished as began a whole length ago
        late = np.arange(job.length, width + 1)
        number = np.arange(len(late))
        rows.add(1, 0.0, 0.0, (0, finished + np.arange(job.length), 1.0))
        rows.add(
            len(late), -INFINITY, 0.0,
            (number, finished + late, 1.0), (number, finished + late - 1, -1.0), (number, begin[late - job.length], -1.0),
        )  # fmt: skip


def _after(rows: Rows, job: Job, before: Job, columns: ShiftColumns, number: int, at: int) -> None:
    """Nothing of the job is on, and a whole one has not begun, in a step where the one before has not finished."""
    width = job.until - job.first
    every = np.arange(width)
    acts = at + (columns.begun[number] if job.whole else columns.on[number]) + every
    if job.whole:
        begin = at + columns.begin[number] + every
        rows.add(width, 0.0, 0.0, (every, acts, 1.0), (every[1:], acts[:-1], -1.0), (every, begin, -1.0))
    place = every + job.first - before.first  # steps since the window of the one before opened
    early, during = every[place <= 0], every[(place > 0) & (place < before.until - before.first)]
    rows.add(len(early), -INFINITY, 0.0, (np.arange(len(early)), acts[early], 1.0))
    finished = at + columns.finished[job.after] + place[during]
    rows.add(
        len(during), -INFINITY, 0.0,
        (np.arange(len(during)), acts[during], 1.0), (np.arange(len(during)), finished, -1.0),
    )  # fmt: skip


def shift_bounds(jobs: Sequence[Job], columns: ShiftColumns) -> Floats:
    """Return the upper bound of each column; the lower ones are 0."""
    upper = np.ones(columns.count)
    for number, job in enumerate(jobs):
        if columns.done[number] >= 0:
            upper[columns.done[number] : columns.done[number] + job.until - job.first + 1] = job.length
    return upper


def read_shares(
    jobs: Sequence[Job], columns: ShiftColumns, solution: Floats, *, exact: bool = True
) -> tuple[Floats, ...]:
    """Return the share of each job's power in each step of its window; ``exact`` makes on and off whole."""
    found = []
    for at, job in zip(columns.on, jobs, strict=True):
        share = np.clip(solution[at : at + job.until - job.first], 0.0, 1.0)
        found.append(np.round(share) if exact and not job.adjustable else share)
    return tuple(found)
