"""The model at full resolution that all answers of a twin run share, and what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from services.gateways.solver import Solution, Solver
from services.rules.twin.calendar import Calendar
from services.rules.twin.dispatch import Dispatch, make_dispatch
from services.rules.twin.dispatch_program import Case, Plan, dispatch_program, read_flows
from services.rules.twin.inputs import Floats, TwinRequest
from services.rules.twin.linear_program import with_fixed
from services.rules.twin.marginal import Marginal, marginal
from services.rules.twin.scenarios import extended
from services.rules.twin.sizing_program import Additions
from services.rules.twin.tariff import Prices


@dataclass(frozen=True, eq=False)
class Site:
    """What the optimum is asked for: the clock, the prices, PV per kWp, whether surplus may be fed in, and kW of wind."""

    calendar: Calendar
    prices: Prices
    unit: Floats
    may_export: bool
    wind: Floats

    def generation(self, kwp: float) -> Floats:
        """Return kW that ``kwp`` of PV and the wind give behind the park's meter."""
        return kwp * self.unit + self.wind


@dataclass(eq=False)
class Model:
    """The shared model and what has been asked of it."""

    request: TwinRequest
    site: Site
    load: Floats
    plan: Plan
    solver: Solver = field(default_factory=Solver)
    records: list[dict[str, object]] = field(default_factory=list)

    def case(self, additions: Additions, request: TwinRequest | None = None) -> Case:
        """Return the plant with effective ``additions``."""
        asked = request or self.request
        load = self.load if request is None else self.load * scale_of(asked, self.request)
        return Case(load, self.site.generation(asked.pv.kwp + additions.pv_kwp), extended(asked.battery, additions))

    def solve(self, name: str, case: Case, prices: Prices) -> Solution:
        """Solve a case from where the last one ended."""
        answer = self.solver.solve(dispatch_program(self.plan, case, self.site.calendar, prices))
        self.records.append(record(name, answer, self.plan.steps))
        return answer

    def flow(self, case: Case, answer: Solution) -> Dispatch:
        """Return what flows in a solution."""
        charge, discharge = read_flows(self.plan, self.site.calendar, answer.values)
        return self._flow(case, charge, discharge)

    def idle(self, case: Case) -> Dispatch:
        """Return what flows where there is no battery to decide on."""
        nothing = np.zeros(self.plan.steps)
        return self._flow(case, nothing, nothing)

    def _flow(self, case: Case, charge: Floats, discharge: Floats) -> Dispatch:
        hours = self.site.calendar.horizon.hours
        may = self.site.may_export
        return make_dispatch(case.load, case.pv, charge, discharge, case.battery, hours, may_export=may)

    def duals(self, case: Case, answer: Solution, prices: Prices) -> Marginal:
        """Return what more of the plant is worth; binaries are held where the solution has them."""
        calendar = self.site.calendar
        if len(self.plan.exclusive):
            program = dispatch_program(self.plan, case, calendar, prices)
            answer = Solver().solve(with_fixed(program, answer.values))
        return marginal(self.plan, case, calendar, prices, answer.row_duals, answer.column_duals)


def scale_of(asked: TwinRequest, request: TwinRequest) -> float:
    """Return how much more the park uses in a variation than it does."""
    return float(asked.load.kw.sum() / max(request.load.kw.sum(), 1e-9))


def record(name: str, answer: Solution, steps: int) -> dict[str, object]:
    """Return what a manifest tells of a solve."""
    return {
        "scenario": name,
        "steps": steps,
        "status": answer.status,
        "gap": answer.gap,
        "objective": round(answer.objective, 4),
        "iterations": answer.iterations,
    }
