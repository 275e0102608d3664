"""The optimum is the optimum: held against scipy, brute force and programs written in another way."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import coo_matrix

from services.gateways.solver import Solver
from services.gateways.twin import run_twin
from services.rules.twin.calendar import Calendar, make_calendar, make_horizon
from services.rules.twin.dispatch import make_dispatch
from services.rules.twin.dispatch_program import EXCLUSIVE_LIMIT, Case, dispatch_program, make_plan, read_flows
from services.rules.twin.inputs import Battery
from services.rules.twin.linear_program import INFINITY, Rows
from services.rules.twin.tariff import Prices
from tenants.kernel.errors import Invalid
from tests.services.parks import quiet, request_of, week


def _case(seed: int, hours: int = 48, battery: Battery | None = None) -> tuple[Case, Calendar, Prices]:
    random = np.random.default_rng(seed)
    calendar = make_calendar(make_horizon(date(2025, 1, 31), date(2025, 2, 1 + (hours > 24)), 60, "Asia/Shanghai"))
    calendar = replace(
        calendar, horizon=replace(calendar.horizon, steps=hours), month=calendar.month[:hours], day=calendar.day[:hours]
    )
    load = random.uniform(100, 900, hours)
    pv = np.maximum(0, np.sin((np.arange(hours) % 24 - 6) / 12 * np.pi)) * random.uniform(0, 1200, hours)
    prices = Prices(np.zeros(hours, dtype=np.int64), random.choice([0.3, 0.65, 1.1], hours), np.full(hours, 0.25), 38.0)
    return Case(load, pv, battery or Battery(500, 250, 0.85, 0.1, 0.9, 0.4)), calendar, prices


def _ours(case: Case, calendar: Calendar, prices: Prices) -> float:
    plan = make_plan([case], calendar, prices)
    answer = Solver().solve(dispatch_program(plan, case, calendar, prices))
    charge, discharge = read_flows(plan, calendar, answer.values)
    flow = make_dispatch(case.load, case.pv, charge, discharge, case.battery, calendar.horizon.hours, may_export=True)
    return _cost(flow.imported, flow.exported, calendar, prices)


def _cost(imported: Any, exported: Any, calendar: Calendar, prices: Prices) -> float:
    peaks = np.zeros(len(calendar.months))
    np.maximum.at(peaks, calendar.month, imported)
    return float(imported @ prices.buy - exported @ prices.sell + prices.demand * peaks.sum())


def _textbook(case: Case, calendar: Calendar, prices: Prices) -> float:
    """The plain model with every flow as a column, solved by scipy."""
    n, battery = len(case.load), case.battery
    months = len(calendar.months)
    g, x, c, d, e = (np.arange(n) + i * n for i in range(5))
    p = 5 * n + calendar.month
    count = 5 * n + months
    cost, upper = np.zeros(count), np.full(count, np.inf)
    cost[g], cost[x], cost[5 * n :] = prices.buy, -prices.sell, prices.demand
    upper[x], upper[c], upper[d], upper[e] = case.pv, battery.kw, battery.kw, battery.soc_max * battery.kwh
    lower = np.zeros(count)
    lower[e] = battery.soc_min * battery.kwh
    lower[e[-1]] = battery.soc_start * battery.kwh
    rows = np.arange(n)
    node = coo_matrix(
        (np.tile([1.0, -1, -1, 1], n), (np.repeat(rows, 4), np.stack([g, x, c, d], 1).ravel())), (n, count)
    )
    eta = battery.efficiency**0.5
    store = coo_matrix(
        (np.tile([1.0, -eta, 1 / eta], n), (np.repeat(rows, 3), np.stack([e, c, d], 1).ravel())), (n, count)
    )
    back = coo_matrix((-np.ones(n - 1), (rows[1:], e[:-1])), (n, count))
    start = np.zeros(n)
    start[0] = battery.soc_start * battery.kwh
    peak = coo_matrix((np.tile([1.0, -1.0], n), (np.repeat(rows, 2), np.stack([g, p], 1).ravel())), (n, count))
    from scipy.sparse import vstack

    answer = linprog(
        cost, A_ub=peak, b_ub=np.zeros(n), A_eq=vstack([node, store + back]),
        b_eq=np.concatenate([case.load - case.pv, start]), bounds=np.stack([lower, upper], 1),
    )  # fmt: skip
    assert answer.status == 0
    return float(answer.fun)


@pytest.mark.parametrize("seed", range(8))
def test_the_dispatch_is_as_good_as_scipys(seed: int) -> None:
    case, calendar, prices = _case(seed)
    assert _ours(case, calendar, prices) == pytest.approx(_textbook(case, calendar, prices), rel=1e-6)


def test_a_second_case_from_the_first_ones_basis_is_as_good_as_alone() -> None:
    case, calendar, prices = _case(3)
    bigger = Case(case.load, case.pv * 2, replace(case.battery, kwh=900.0, kw=400.0))
    plan = make_plan([case, bigger], calendar, prices)
    solver = Solver()
    solver.solve(dispatch_program(plan, case, calendar, prices))
    warm = solver.solve(dispatch_program(plan, bigger, calendar, prices))
    cold = Solver().solve(dispatch_program(plan, bigger, calendar, prices))
    assert warm.objective == pytest.approx(cold.objective, rel=1e-9)


def _dear_feed_in(seed: int, hours: int = 24) -> tuple[Case, Calendar, Prices]:
    case, calendar, prices = _case(seed, hours)
    return case, calendar, replace(prices, sell=np.full(hours, 0.7))


@pytest.mark.parametrize("seed", range(4))
def test_with_feed_in_above_the_buying_price_no_step_buys_and_sells(seed: int) -> None:
    """A plain linear program reports less than any meter could show here; ours must not, and must beat the price cap."""
    case, calendar, prices = _dear_feed_in(seed)
    plan = make_plan([case], calendar, prices)
    assert len(plan.exclusive) > 0
    ours = _ours(case, calendar, prices)
    assert _textbook(case, calendar, prices) < ours - 1e-3
    capped = replace(plan, exclusive=plan.exclusive[:0], capped=True)
    answer = Solver().solve(dispatch_program(capped, case, calendar, prices))
    flow = make_dispatch(
        case.load, case.pv, *read_flows(capped, calendar, answer.values), case.battery, 1.0, may_export=True
    )
    assert ours <= _cost(flow.imported, flow.exported, calendar, prices) + 1e-6


def test_with_dear_feed_in_the_optimum_is_that_of_brute_force() -> None:
    """Fix for each step whether it buys or feeds in, solve all the linear programs, take the best."""
    case, calendar, prices = _dear_feed_in(1, 24)
    hours = slice(9, 15)
    short = replace(
        calendar, horizon=replace(calendar.horizon, steps=6), month=calendar.month[hours], months=("2025-01",)
    )
    case = Case(case.load[hours], case.pv[hours] + 300, case.battery)
    prices = replace(
        prices, buy=np.array([0.3, 0.3, 1.1, 0.65, 0.3, 1.1]), sell=prices.sell[hours], period=prices.period[hours]
    )
    best = INFINITY
    for choice in product((False, True), repeat=6):
        fixed = replace(case)
        plan = make_plan([fixed], short, prices)
        free = replace(plan, exclusive=plan.exclusive[:0])
        program = dispatch_program(free, fixed, short, prices)
        # Selling steps buy nothing: bought = net + surplus + charge - discharge is held at zero.
        rows = Rows()
        columns = len(free.surplus)
        for step, sells in enumerate(choice):
            at = free.surplus_at[step]
            if sells and at < 0:
                break
            if sells:
                rows.add(1, -(case.load - case.pv)[step], -(case.load - case.pv)[step],
                         (0, at, 1.0), (0, columns + step, 1.0), (0, columns + 6 + step, -1.0))  # fmt: skip
            elif at >= 0:
                program.upper[at] = 0
        else:
            best = min(best, _with_rows(program, rows, case, prices))
    assert _ours(case, short, prices) == pytest.approx(best, abs=1e-4)


def _with_rows(program: Any, extra: Rows, case: Case, prices: Prices) -> float:
    columns = np.repeat(np.arange(len(program.cost)), np.diff(program.starts))
    rows = Rows()
    rows.add(len(program.row_lower), program.row_lower, program.row_upper, (program.indices, columns, program.values))
    if extra.count:
        more = extra.program(program.cost, program.lower, program.upper)
        rows.add(extra.count, more.row_lower, more.row_upper,
                 (more.indices, np.repeat(np.arange(len(program.cost)), np.diff(more.starts)), more.values))  # fmt: skip
    try:
        answer = Solver().solve(rows.program(program.cost, program.lower, program.upper))
    except Invalid:
        return INFINITY
    return answer.objective + float((case.load - case.pv) @ prices.buy)


def test_where_it_occurs_too_often_the_price_is_capped_and_the_report_says_so() -> None:
    document = week(
        period={"from": "2025-07-01", "to": "2025-07-31"}, step_minutes=15, sizing=None, pv={"kwp": 3000},
        battery={"kwh": 2000, "kw": 800}, feed_in={"mode": "surplus", "price": "0.5"},
    )  # fmt: skip
    result = run_twin(request_of(document), progress=quiet)
    assert EXCLUSIVE_LIMIT < 30 * 96
    assert "偏保守" in result.files["report.html"].decode()
    costs = [result.kpis[name]["objective_yuan"] for name in ("as_is", "optimised")]  # type: ignore[index]
    assert costs[1] <= costs[0]


def test_sizes_are_the_best_ones_when_the_horizon_is_short() -> None:
    """Around the chosen sizes nothing is cheaper."""
    document = week(sizing=week()["sizing"] | {"pv_max_kwp": 4000, "battery_max_kwh": 4000})
    result = run_twin(request_of(document), progress=quiet)
    chosen: Any = result.kpis["additions"]
    best: Any = result.kpis["objective_yuan"]
    assert chosen["pv_kwp"] > 0
    for change in (0.97, 1.03):
        near = {f"{key}": chosen[key] * change for key in chosen}
        fixed = week(
            pv=week()["pv"] | {"kwp": 600 + near["pv_kwp"]},
            battery={"kwh": 1000 + near["battery_kwh"], "kw": 500 + near["battery_kw"], "efficiency": 0.88},
            sizing=None,
        )
        from services.rules.twin.scenarios import capital_yuan
        from services.rules.twin.sizing_program import Additions

        request = request_of(document)
        other: Any = run_twin(request_of(fixed), progress=quiet).kpis["optimised"]
        capital = capital_yuan(request.sizing, Additions(**near), 168 / 8760)
        assert other["objective_yuan"] + capital >= best - 0.01 or near["pv_kwp"] > 4000


def test_an_impossible_program_is_a_typed_refusal() -> None:
    rows = Rows()
    rows.add(1, 2.0, 3.0, (0, 0, 1.0))
    with pytest.raises(Invalid) as caught:
        Solver().solve(rows.program(np.ones(1), np.zeros(1), np.ones(1)))
    assert caught.value.code == "solver.infeasible"
    rows = Rows()
    rows.add(1, 0.0, INFINITY, (0, 0, 1.0))
    with pytest.raises(Invalid) as caught:
        Solver().solve(rows.program(-np.ones(1), np.zeros(1), np.full(1, INFINITY)))
    assert caught.value.code in {"solver.unbounded", "solver.infeasible"}


def test_demand_charges_are_decimal_in_the_bill() -> None:
    request = request_of(week())
    assert request.tariff.demand_yuan_per_kw == Decimal("38.4")
