"""Budgets: passed by no order, whoever races; given back by what is not delivered; told of once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.budgets import Budget, BudgetMeasure, BudgetPeriod, BudgetScope, Spending, counted, crossed
from billing.usecases import alerts, budgets
from billing.usecases.invariants_books import INVARIANTS_BOOKS
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support import parks
from tests.support.databases import Database, RecordingOutbox
from tests.support.invariants import broken

THREADS = 16
OPERATOR = system_actor("operator", on_behalf_of=new_id())


@pytest.fixture
def park() -> Actor:
    return system_actor("park", tenant_id=new_id(), on_behalf_of=new_id())


def set_budget(workshop: WorkShop, actor: Actor, limit: int, **fields: object) -> budgets.BudgetView:
    with workshop.work(actor) as work:
        return budgets.set_budget(work, limit=limit, **fields)  # type: ignore[arg-type]


def order(workshop: WorkShop, actor: Actor, payable_fen: int, offering: str = "twin") -> UUID:
    line = new_id()
    with workshop.work(actor) as work:
        spent = Spending(offering, actor.user_id, payable_fen, 2 * payable_fen, 1)
        budgets.count_order(work, lines={line: spent})
    return line


def used(workshop: WorkShop, actor: Actor) -> list[int]:
    with workshop.work(actor) as work:
        return [each.used for each in budgets.list_budgets(work)]


def test_an_order_that_would_pass_a_hard_limit_is_refused_and_counts_nothing(workshop: WorkShop, park: Actor) -> None:
    set_budget(workshop, park, 1000)
    order(workshop, park, 600)
    with pytest.raises(Conflict, match=r"上限 ¥10\.00，已用 ¥6\.00，本单 ¥4\.01") as refused:
        order(workshop, park, 401)
    assert refused.value.code == "budget.exceeded"
    order(workshop, park, 400)
    assert used(workshop, park) == [1000]
    assert broken(workshop, INVARIANTS_BOOKS) == {}


def test_what_is_not_delivered_is_given_back_once(workshop: WorkShop, park: Actor) -> None:
    set_budget(workshop, park, 1000)
    set_budget(workshop, park, 1, measure="quantity", scope="offering", key="twin")
    line = order(workshop, park, 700)
    for _ in range(2):
        with workshop.work(park) as work:
            budgets.give_back(work, [line])
    assert used(workshop, park) == [0, 0]
    order(workshop, park, 1000)
    assert broken(workshop, INVARIANTS_BOOKS) == {}


def test_a_limit_concerns_its_offering_its_person_and_its_period(
    workshop: WorkShop, park: Actor, clock: ManualClock
) -> None:
    set_budget(workshop, park, 500, scope="offering", key="leads")
    set_budget(workshop, park, 900, scope="person", key=str(park.user_id), period="year")
    order(workshop, park, 800)
    with pytest.raises(Conflict):
        order(workshop, park, 200)
    colleague = replace(park, user_id=new_id())
    order(workshop, colleague, 500, "leads")
    with pytest.raises(Conflict):
        order(workshop, colleague, 1, "leads")
    clock.advance(timedelta(days=31))
    order(workshop, colleague, 500, "leads")
    with pytest.raises(Conflict):
        order(workshop, park, 101)


def test_a_soft_limit_warns_and_each_share_is_told_once(workshop: WorkShop, park: Actor) -> None:
    budget = set_budget(workshop, park, 1000, hard_stop=False)
    with workshop.work(park) as work:
        (found,) = budgets.preview(work, lines=[Spending("twin", None, 1001, 1001, 1)])
    assert (found.budget.id, found.after) == (budget.id, 1001)
    for amount in (400, 100, 400, 400):
        order(workshop, park, amount)
    with workshop.work(park) as work:
        told = [each.detail["share"] for each in alerts.list_alerts(work)]
    assert sorted(told) == ["100%", "50%", "80%"]
    assert used(workshop, park) == [1300]


def test_a_new_limit_takes_over_what_was_used_and_the_platforms_stays(workshop: WorkShop) -> None:
    view = parks.sign_up(workshop, 1)
    park = system_actor("park", tenant_id=view.id, on_behalf_of=new_id())
    set_budget(workshop, park, 1000)
    quota = set_budget(workshop, OPERATOR, 5000, park_id=view.id)
    order(workshop, park, 600)
    set_budget(workshop, park, 700)
    assert sorted(used(workshop, park)) == [600, 600]
    with pytest.raises(Conflict):
        order(workshop, park, 101)
    with pytest.raises(NotAllowed) as refused, workshop.work(park) as work:
        budgets.end_budget(work, budget_id=quota.id)
    assert refused.value.code == "budget.imposed"
    with workshop.work(OPERATOR) as work:
        budgets.end_budget(work, budget_id=quota.id, park_id=view.id)
        assert [each.limit for each in budgets.list_budgets(work, park_id=view.id)] == [700]
    with pytest.raises(NotFound), workshop.work(park) as work:
        budgets.end_budget(work, budget_id=new_id())


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"limit": -1}, "limit"),
        ({"limit": 1, "scope": "moon"}, "scope"),
        ({"limit": 1, "scope": "offering"}, "key"),
        ({"limit": 1, "key": "x"}, "key"),
        ({"limit": 1, "measure": "yuan"}, "measure"),
        ({"limit": 1, "period": "week"}, "period"),
        ({"limit": 1, "shares_bp": [0]}, "shares_bp"),
    ],
)
def test_a_wrong_limit_is_refused_at_its_field(
    workshop: WorkShop, park: Actor, wrong: dict[str, object], field: str
) -> None:
    with pytest.raises(Invalid) as refused, workshop.work(park) as work:
        budgets.set_budget(work, **wrong)  # type: ignore[arg-type]
    assert field in {error.field for error in refused.value.errors}


def test_sixteen_orders_at_once_never_pass_a_limit(database: Database, clock: ManualClock, park: Actor) -> None:
    engine = database.engine(pool_size=THREADS)
    shop = WorkShop(engine, clock, RecordingOutbox())
    set_budget(shop, park, 1000)
    set_budget(shop, park, 5, measure="quantity", scope="offering", key="twin")
    barrier = Barrier(THREADS)

    def one(_: int) -> bool:
        barrier.wait()
        try:
            order(shop, park, 90)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(one, range(THREADS))) == 5
    assert used(shop, park) == [450, 5]
    assert broken(shop, INVARIANTS_BOOKS) == {}
    engine.dispose()


BUDGETS = st.builds(
    Budget,
    id=st.uuids(),
    scope=st.just(BudgetScope.PARK),
    key=st.just(""),
    measure=st.sampled_from(BudgetMeasure),
    period=st.sampled_from(BudgetPeriod),
    limit=st.integers(0, 10**6),
    hard_stop=st.booleans(),
    shares_bp=st.lists(st.integers(1, 20_000), max_size=5),
)
STEPS = st.lists(st.integers(0, 10**6), max_size=8)


@given(BUDGETS, STEPS)
def test_each_share_is_crossed_once_on_the_way_and_exactly_those_that_are_reached(
    budget: Budget, steps: list[int]
) -> None:
    told: list[int] = []
    total = 0
    for step in steps:
        told += crossed(budget, total, total + step)
        total += step
    assert len(told) == len(set(told))
    reached = {share for share in budget.shares_bp if 0 < share * budget.limit <= total * 10_000}
    assert set(told) == reached


@given(BUDGETS, st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 9)), max_size=6))
def test_a_whole_parks_budget_counts_every_line(budget: Budget, lines: list[tuple[int, int]]) -> None:
    spent = [Spending("any", None, fen, fen, units) for fen, units in lines]
    expected = [units if budget.measure is BudgetMeasure.QUANTITY else fen for fen, units in lines]
    assert counted(budget, spent) == expected
