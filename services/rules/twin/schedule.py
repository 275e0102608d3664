"""A day's or a week's schedule: processes and battery, what each change saves, and why.

Of what is compared with today, everything is measured the same way: what a kWh costs at its time, what feeding in earns,
and what a month's peak costs beyond the one that is on the bill already. Savings are told one after the other, each on
top of those before, so that they sum to the whole: the run that then saves most comes next, the battery last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from services.rules.twin.calendar import Calendar
from services.rules.twin.dispatch import Dispatch
from services.rules.twin.inputs import Floats, TwinRequest
from services.rules.twin.processes import Job, job_power, usual_shares
from services.rules.twin.scenarios import month_peaks
from services.rules.twin.tariff import Prices

MOST_DAYS = 7
_ON = 1e-3
_PEAK_KW = 1e-6
_POWER_KW = 0.5
"""Below this a battery rests."""


@dataclass(frozen=True, eq=False)
class ScheduleRequest:
    """A park for a few days; kW of this month's peak so far, the highest kW wished, and PV forecast in kW per step."""

    park: TwinRequest
    so_far_kw: float = 0.0
    cap_kw: float | None = None
    pv_forecast: Floats | None = None


@dataclass(frozen=True)
class Costs:
    """Yuan of a schedule: energy bought, energy fed in (≤ 0), peaks beyond what is paid already, and wear."""

    energy: float
    feed_in: float
    demand: float
    wear: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.energy + self.feed_in + self.demand + self.wear


@dataclass(frozen=True)
class Stretch:
    """Steps ``[first, until)`` that something is on, at a mean of ``kw``."""

    first: int
    until: int
    kw: float


@dataclass(frozen=True, eq=False)
class Move:
    """A run of a process that is moved: where from and to, and what that saves on top of the moves before it.

    ``alone`` tells whether it may be done without the rest of the schedule: by itself it makes no new demand peak.
    """

    job: Job
    before: tuple[Stretch, ...]
    after: tuple[Stretch, ...]
    saves: Costs
    avoided_kg: float
    used_surplus_kwh: float
    price_before: float
    price_after: float
    alone: bool


def costs_of(flow: Dispatch, calendar: Calendar, prices: Prices, paid_kw: Floats, wear: float) -> Costs:
    """Return what a schedule costs; ``paid_kw`` is each month's peak that costs nothing more, ``wear`` yuan per kWh."""
    hours = calendar.horizon.hours
    beyond = np.maximum(month_peaks(calendar, flow.imported) - paid_kw, 0)
    return Costs(
        energy=hours * float(flow.imported @ prices.cost),
        feed_in=-hours * float(flow.exported @ prices.sell),
        demand=prices.demand * float(beyond.sum()),
        wear=wear * hours * float(flow.discharge.sum()),
    )


def paid_peaks(calendar: Calendar, so_far_kw: float) -> Floats:
    """Return each month's peak so far: only the first month of the schedule has begun."""
    paid = np.zeros(len(calendar.months))
    paid[0] = so_far_kw
    return paid


def peak_limits(paid_kw: Floats, today: Floats, prices: Prices, cap_kw: float | None) -> Floats | None:
    """Return the highest kW each month may reach: no new peak where peaks are charged, and never above the cap."""
    limits = np.maximum(paid_kw, today) if prices.demand > 0 else np.full(len(paid_kw), np.inf)
    if cap_kw is not None:
        limits = np.minimum(limits, cap_kw)
    return limits if np.isfinite(limits).any() else None


def stretches(first: int, values: Floats, least: float = _ON) -> tuple[Stretch, ...]:
    """Return where ``values``, whose first stands in step ``first``, are above ``least``."""
    on = np.concatenate([[0], (values > least).astype(np.int64), [0]])
    edges = np.flatnonzero(np.diff(on))
    return tuple(
        Stretch(first + a, first + b, float(values[a:b].mean()))
        for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    )


def battery_stretches(flow: Dispatch, prices: Prices) -> list[tuple[str, Stretch]]:
    """Return when the battery charges and discharges, in order; a stretch ends where the price changes."""
    found: list[tuple[str, Stretch]] = []
    borders = [0, *(np.flatnonzero(np.diff(prices.period)) + 1).tolist(), len(flow.charge)]
    for way, values in (("charge", flow.charge), ("discharge", flow.discharge)):
        for a, b in pairwise(borders):
            found += [(way, item) for item in stretches(a, values[a:b], _POWER_KW)]
    return sorted(found, key=lambda item: item[1].first)


@dataclass(frozen=True, eq=False)
class Steps:
    """From today to the plan: the moves in the order of what they save, then the battery on top of them."""

    moves: tuple[Move, ...]
    battery: Costs
    battery_avoided_kg: float
    battery_alone: bool


@dataclass(frozen=True, eq=False)
class Terms:
    """What savings are measured by."""

    calendar: Calendar
    prices: Prices
    paid_kw: Floats
    kg_per_kwh: float
    wear: float
    may_export: bool

    def cost(self, flow: Dispatch) -> Costs:
        """Return what a schedule costs."""
        return costs_of(flow, self.calendar, self.prices, self.paid_kw, self.wear)

    def kg(self, before: Dispatch, after: Dispatch) -> float:
        """Return how much less CO2 the bought power stands for."""
        return self.kg_per_kwh * self.calendar.horizon.hours * float((before.imported - after.imported).sum())

    def keeps(self, flow: Dispatch, today: Dispatch) -> bool:
        """Tell whether a schedule makes no new demand peak: none above today's and above what is paid already."""
        limit = np.maximum(month_peaks(self.calendar, today.imported), self.paid_kw)
        higher = month_peaks(self.calendar, flow.imported) - limit
        return self.prices.demand == 0 or not bool((higher > _PEAK_KW * np.maximum(limit, 1)).any())


def steps_of(jobs: Sequence[Job], shares: Sequence[Floats], today: Dispatch, planned: Dispatch, terms: Terms) -> Steps:
    """Return what leads from today to the plan. What is moved and left where it was is told by ``shares``."""
    left = {
        number: job_power([job], [share - usual_shares(job)], len(planned.load))
        for number, (job, share) in enumerate(zip(jobs, shares, strict=True))
        if np.abs(share - usual_shares(job)).max() > _ON
    }
    state, moves = today, []
    while left:
        reached = {number: _with_load(state, change, terms) for number, change in left.items()}
        best = min(reached, key=lambda number: (terms.cost(reached[number]).total, number))
        alone = terms.keeps(_with_load(today, left.pop(best), terms), today)
        moves.append(_move(jobs[best], shares[best], state, reached[best], terms, alone=alone))
        state = reached[best]
    battery_only = _with_battery(today, planned, terms)
    return Steps(
        moves=tuple(moves),
        battery=_less(terms.cost(state), terms.cost(planned)),
        battery_avoided_kg=terms.kg(state, planned),
        battery_alone=terms.keeps(battery_only, today),
    )


def _move(job: Job, share: Floats, before: Dispatch, after: Dispatch, terms: Terms, *, alone: bool) -> Move:
    usual, price = usual_shares(job), terms.prices.cost[job.first : job.until]
    return Move(
        job=job,
        before=stretches(job.first, usual),
        after=stretches(job.first, share),
        saves=_less(terms.cost(before), terms.cost(after)),
        avoided_kg=terms.kg(before, after),
        used_surplus_kwh=terms.calendar.horizon.hours * float((_surplus(before) - _surplus(after)).sum()),
        price_before=float(price @ usual / usual.sum()),
        price_after=float(price @ share / share.sum()),
        alone=alone,
    )


def _less(before: Costs, after: Costs) -> Costs:
    return Costs(
        before.energy - after.energy,
        before.feed_in - after.feed_in,
        before.demand - after.demand,
        before.wear - after.wear,
    )


def _surplus(flow: Dispatch) -> Floats:
    total: Floats = flow.exported + flow.curtailed
    return total


def _with_load(flow: Dispatch, change: Floats, terms: Terms) -> Dispatch:
    """Return the same operation with a load that is changed."""
    return _metered(flow.load + change, flow, terms)


def _with_battery(flow: Dispatch, planned: Dispatch, terms: Terms) -> Dispatch:
    """Return the same load with the planned battery."""
    return _metered(flow.load, planned, terms)


def _metered(load: Floats, flow: Dispatch, terms: Terms) -> Dispatch:
    net = load - flow.pv + flow.charge - flow.discharge
    surplus, nothing = np.maximum(-net, 0), np.zeros_like(net)
    return Dispatch(
        load=load,
        pv=flow.pv,
        charge=flow.charge,
        discharge=flow.discharge,
        stored=flow.stored,
        imported=np.maximum(net, 0),
        exported=surplus if terms.may_export else nothing,
        curtailed=nothing if terms.may_export else surplus,
    )
