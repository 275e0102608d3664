"""The answers of a twin run: as it is, run best, built best, and the same under other prices.

One model at full resolution serves them all: plants and prices change bounds and costs, and each solve begins where the
last one ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from services.gateways.solver import Solver
from services.gateways.twin_model import Model, Site, scale_of
from services.gateways.twin_shifts import Timetable, make_timetable
from services.gateways.twin_sizing import NOTHING, size_plant
from services.rules.twin.calendar import Calendar
from services.rules.twin.dispatch import habitual_dispatch
from services.rules.twin.dispatch_program import Case, Plan, dispatch_program, make_plan
from services.rules.twin.inputs import Floats, TwinRequest
from services.rules.twin.marginal import Marginal
from services.rules.twin.processes import Shiftable, find_jobs
from services.rules.twin.scenarios import Scenario, extended, horizon_share, make_scenario, month_peaks
from services.rules.twin.sizing_program import (
    Additions,
    SizeLimits,
    size_limits,
    sized_for,
)
from services.rules.twin.tariff import rest_days, step_prices
from services.rules.twin.variations import varied
from tenants.kernel.errors import Invalid

_PEAK_KW = 1e-6

Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Shifted:
    """The processes' timetable, the jobs it is for, and its distance from a bound that none can beat."""

    found: Shiftable
    timetable: Timetable
    gap: float


@dataclass(frozen=True, eq=False)
class Optimum:
    """What came out. ``advised`` are the scenarios that advice may stand on: no month's peak is above today's."""

    scenarios: tuple[Scenario, Scenario, Scenario]
    with_pv: Scenario
    advised: dict[str, Scenario]
    additions: Additions
    sizing_gap: float | None
    solver: tuple[dict[str, object], ...]
    plan: Plan
    worth: Marginal
    worth_of: str
    shifted: Shifted | None
    varied: tuple[tuple[Scenario, TwinRequest], ...]


def optimise(request: TwinRequest, site: Site, progress: Progress) -> Optimum:
    """Work out all answers. The stages reported are size, optimise and extend."""
    calendar, prices = site.calendar, site.prices
    pv = site.generation(request.pv.kwp)
    habit = habitual_dispatch(request.load.kw, pv, request.battery, calendar, prices, may_export=site.may_export)
    as_is = make_scenario("as_is", request, calendar, prices, habit, NOTHING)
    progress("size", 0.15)
    shifted = _shift(request, site)
    load = request.load.kw if shifted is None else shifted.found.rest_kw + shifted.timetable.kw
    limits = _limits(request, calendar)
    model = Model(request, site, load, _plan(request, site, load, limits))
    progress("optimise", 0.3)
    first = model.case(NOTHING)
    has_battery = request.battery.kwh > 0 and request.battery.kw > 0
    answer = model.solve("optimised", first, prices) if has_battery else None
    flow = model.idle(first) if answer is None else model.flow(first, answer)
    optimised = make_scenario("optimised", request, calendar, prices, flow, NOTHING)
    progress("extend", 0.5)
    worth, worth_of, sized, additions, gap = None, "optimised", replace(optimised, name="sized"), NOTHING, None
    if limits is not None:
        sized, additions, gap, worth = size_plant(model, limits, optimised)
        worth_of = "sized"
    if worth is None:
        worth = model.duals(first, answer or model.solve("optimised", first, prices), prices)
    with_pv = _with_pv(model, additions, optimised, sized)
    advised = _advised(model, as_is, shifted, (optimised, with_pv, sized), additions)
    variations = _variations(model, additions)
    return Optimum(
        scenarios=(as_is, optimised, sized),
        with_pv=with_pv,
        advised=advised,
        additions=additions,
        sizing_gap=gap,
        solver=(*_shift_records(shifted, calendar), *model.records),
        plan=model.plan,
        worth=worth,
        worth_of=worth_of,
        shifted=shifted,
        varied=variations,
    )


def _shift(request: TwinRequest, site: Site) -> Shifted | None:
    """Decide when processes run, with the plant as it is; the other answers keep that timetable."""
    if not request.processes:
        return None
    calendar = site.calendar
    found = find_jobs(request.processes, calendar, rest_days(calendar, request.tariff), request.load.kw)
    case = Case(found.rest_kw, site.generation(request.pv.kwp), request.battery, found.jobs)
    timetable = make_timetable(case, calendar, site.prices)
    fixed = replace(case, load=found.rest_kw + timetable.kw, jobs=())
    plan = make_plan([fixed], calendar, site.prices)
    answer = Solver().solve(dispatch_program(plan, fixed, calendar, site.prices))
    reached = answer.objective + float((fixed.load - fixed.pv) @ site.prices.cost) * calendar.horizon.hours
    gap = max(0.0, reached - timetable.bound) / max(1.0, abs(reached))
    return Shifted(found, timetable, gap)


def _shift_records(shifted: Shifted | None, calendar: Calendar) -> list[dict[str, object]]:
    """Return what a manifest tells of the timetable; its gap is to a bound that no timetable can beat."""
    if shifted is None:
        return []
    table = shifted.timetable
    return [{"scenario": "processes", "steps": calendar.horizon.steps, "status": table.status, "gap": shifted.gap,
             "bound": round(table.bound, 4), "iterations": table.iterations}]  # fmt: skip


def _limits(request: TwinRequest, calendar: Calendar) -> SizeLimits | None:
    sizing = request.sizing
    if sizing is None or not (sizing.pv_max_kwp or sizing.battery_max_kwh):
        return None
    return size_limits(sizing, horizon_share(calendar))


def _plan(request: TwinRequest, site: Site, load: Floats, limits: SizeLimits | None) -> Plan:
    """Plan one matrix for the plants between the corners of what may be built, and for all the prices."""
    most = np.zeros(3) if limits is None else limits.most
    corners = (np.zeros(3), np.array([most[0], 0, 0]), np.array([0, most[1], most[2]]), most)
    asked = [request, *(varied(request, item) for item in request.variations)]
    cases = []
    for one in asked:
        scale = scale_of(one, request)
        for corner in corners if limits is not None else corners[:1]:
            battery = extended(one.battery, Additions(*corner))
            cases.append(Case(load * scale, site.generation(one.pv.kwp + corner[0]), battery))
    prices = [step_prices(site.calendar, one.tariff, one.feed_in) for one in asked[1:]]
    lowest = np.minimum.reduce([site.prices.buy, *(item.buy for item in prices)])
    demand = max([site.prices.demand, *(item.demand for item in prices)])
    dearest = np.maximum.reduce([site.prices.sell, *(item.sell for item in prices)])
    return make_plan(cases, site.calendar, replace(site.prices, buy=lowest, demand=demand), dearest_sell=dearest)


def _with_pv(model: Model, additions: Additions, optimised: Scenario, sized: Scenario) -> Scenario:
    """The best way of running with the added PV alone: the step between ``optimised`` and ``sized``.

    Measured from there, what PV and battery bring adds up to what the whole brings.
    """
    if not additions.pv_kwp:
        return replace(optimised, name="with_pv")
    if not additions.battery_kwh:
        return replace(sized, name="with_pv")
    request, site = model.request, model.site
    only = Additions(pv_kwp=additions.pv_kwp)
    case = model.case(sized_for(only, request.sizing))
    flow = model.idle(case)
    if case.battery.kwh > 0 and case.battery.kw > 0:
        flow = model.flow(case, model.solve("with_pv", case, site.prices))
    return make_scenario("with_pv", request, site.calendar, site.prices, flow, only)


def _advised(
    model: Model,
    as_is: Scenario,
    shifted: Shifted | None,
    best: tuple[Scenario, Scenario, Scenario],
    additions: Additions,
) -> dict[str, Scenario]:
    """Return what may be advised, by name: a scenario that would make a new demand peak is solved again without one.

    One that cannot do without is left out. Where nothing is charged for demand, no peak is new.
    """
    request, calendar, prices = model.request, model.site.calendar, model.site.prices
    today = month_peaks(calendar, as_is.flow.imported)

    def keeps(scenario: Scenario) -> bool:
        higher = month_peaks(calendar, scenario.flow.imported) > today + _PEAK_KW * np.maximum(today, 1)
        return prices.demand == 0 or not bool(higher.any())

    alone = [] if shifted is None else [_shift_only(model)]
    found = {"as_is": as_is, **{item.name: item for item in alone if keeps(item)}}
    for scenario, built in zip(best, (NOTHING, Additions(pv_kwp=additions.pv_kwp), additions), strict=True):
        if keeps(scenario):
            found[scenario.name] = scenario
            continue
        case = replace(model.case(sized_for(built, request.sizing)), peak_cap=today)
        try:
            answer = model.solve(scenario.name, case, prices)
        except Invalid:
            continue
        found[scenario.name] = make_scenario(scenario.name, request, calendar, prices, model.flow(case, answer), built)
    return found


def _shift_only(model: Model) -> Scenario:
    """Today's way of running with the processes at their new hours: what shifting brings by itself."""
    request, site = model.request, model.site
    pv = site.generation(request.pv.kwp)
    flow = habitual_dispatch(model.load, pv, request.battery, site.calendar, site.prices, may_export=site.may_export)
    return make_scenario("with_shift", request, site.calendar, site.prices, flow, NOTHING)


def _variations(model: Model, additions: Additions) -> tuple[tuple[Scenario, TwinRequest], ...]:
    """Solve the same plant under each of the scenarios asked for."""
    found = []
    calendar = model.site.calendar
    for item in model.request.variations:
        request = varied(model.request, item)
        built = additions if item.plant == "sized" else NOTHING
        prices = step_prices(calendar, request.tariff, request.feed_in, request.carbon_yuan_per_kwh)
        case = model.case(sized_for(built, request.sizing), request)
        flow = model.idle(case)
        if case.battery.kwh > 0 and case.battery.kw > 0:
            flow = model.flow(case, model.solve(item.name, case, prices))
        found.append((make_scenario(item.name, request, calendar, prices, flow, built), request))
    return tuple(found)
