"""What is best built: an hourly first answer, refined at full resolution until its distance to the best is proven."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from services.gateways.solver import Solution, Solver
from services.gateways.twin_model import Model, record
from services.rules.twin.dispatch_program import Case
from services.rules.twin.inputs import Floats
from services.rules.twin.linear_program import LinearProgram
from services.rules.twin.marginal import Marginal
from services.rules.twin.scenarios import Scenario, make_scenario
from services.rules.twin.sizing_cuts import Cut, refine
from services.rules.twin.sizing_program import Additions, SizeLimits, coarsen, read_additions, sizing_program

LOOKS = 8
"""Plants that are solved at full resolution beyond the first answer's, at most."""
SIZING_GAP = 1e-4
NOTHING = Additions()


def size_plant(
    model: Model, limits: SizeLimits, optimised: Scenario
) -> tuple[Scenario, Additions, float, Marginal | None]:
    """Return what is best built, its scenario, its proven gap, and what more of it would be worth."""
    request, site = model.request, model.site
    exact = replace(model.plan, exclusive=model.plan.exclusive[:0], capped=True)
    trial = model if not len(model.plan.exclusive) else replace(model, plan=exact, solver=Solver())
    seen: dict[tuple[float, ...], tuple[Solution, Case, Marginal]] = {}

    def look(sizes: Floats) -> Cut:
        case = model.case(Additions(*sizes.tolist()))
        answer = trial.solve("sized", case, site.prices)
        worth = trial.duals(case, answer, site.prices)
        seen[tuple(sizes.tolist())] = (answer, case, worth)
        cost = answer.objective + float((case.load - case.pv) @ site.prices.cost) * site.calendar.horizon.hours
        return Cut(sizes, cost, -np.array([float(worth.pv @ site.unit), worth.battery_kwh, worth.battery_kw]))

    first = _first_sizes(model, limits)
    best, total, bound = refine(
        look, _small, [np.zeros(3), first], limits.capital, limits.most, looks=LOOKS, gap=SIZING_GAP
    )
    gap = (total - bound) / max(1.0, abs(total))
    answer, case, worth = seen[tuple(best.tolist())]
    if not best.any():
        return replace(optimised, name="sized"), NOTHING, gap, worth
    additions = read_additions(best, limits)
    if trial is not model:
        answer = model.solve("sized", case, site.prices)
    sized = make_scenario("sized", request, site.calendar, site.prices, model.flow(case, answer), additions)
    # Judged at the true price of feeding in, building may cost more than it brings; then nothing is built.
    if sized.objective_yuan >= optimised.objective_yuan:
        return replace(optimised, name="sized"), NOTHING, gap, None
    return sized, additions, gap, worth


def _first_sizes(model: Model, limits: SizeLimits) -> Floats:
    site, request = model.site, model.request
    coarse = coarsen(site.calendar, site.prices, model.load, site.generation(request.pv.kwp), site.unit)
    program = sizing_program(coarse, request.battery, limits, site.prices.demand, len(site.calendar.months))
    answer = Solver().solve(program)
    model.records.append(record("size", answer, len(coarse.load)))
    sizes: Floats = np.clip(np.round(answer.values[-3:], 3), 0, limits.most)
    return sizes


def _small(program: LinearProgram) -> tuple[Floats, float]:
    answer = Solver().solve(program)
    return answer.values, answer.objective
