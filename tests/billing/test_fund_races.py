"""Transfers, returns, carry-over and the closing of a fund racing with checkouts on real connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest

from billing.usecases import fund_life, fund_outlook, fund_transfers, holds, invariants
from billing.usecases.quotes import QuoteView
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.outbox import Silent
from tenants.kernel.work import WorkShop
from tests.support.databases import Database
from tests.support.fund_moves import approve, ask_carry_over, ask_return, ask_transfer, open_fund
from tests.support.invariants import broken
from tests.support.subsidies import APPROVER, YUAN, approve_programme, ask, fill_fund, fund_now, park, policy, price

CHECKOUTS = 16
SYSTEM = system_actor("jobs")


@pytest.fixture
def shop(database: Database) -> Iterator[WorkShop]:
    """Work with a connection for every thread."""
    engine = database.engine(pool_size=CHECKOUTS + 8, max_overflow=0)
    yield WorkShop(engine, ManualClock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC)), Silent())
    engine.dispose()


def at_once(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """Start every task at the same moment in a thread of its own; return results, refusals by their code."""
    start = Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return task()
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def live(shop: WorkShop, actor: Actor, quote: QuoteView, number: int) -> int:
    """Check out twice; release the first hold, capture or keep the second. Return what is still held or captured."""
    kept = 0
    for turn in range(2):
        lines = [new_id() for _ in quote.lines]
        with shop.work(actor) as work:
            holds.hold_subsidies(work, quote=quote, line_ids=lines, expires_at=work.now + timedelta(days=30))
        if turn == 0:
            with shop.work(actor) as work:
                holds.release_lines(work, order_line_ids=lines, reason="order.cancelled")
        else:
            kept = quote.subsidy_fen
            if number % 2:
                with shop.work(SYSTEM) as work:
                    holds.capture_holds(work, order_line_id=lines[0], amount_fen=quote.subsidy_fen)
    return kept


def test_transfers_returns_and_carry_over_race_with_checkouts(shop: WorkShop) -> None:
    """Two funds are drawn on by every order; their money moves between regions, to the treasury and on to two funds."""
    city = fill_fund(shop, "city", 30_000 * YUAN, r510118=3_000 * YUAN, western=9_000 * YUAN)
    town = fill_fund(shop, "town", 30_000 * YUAN, western=9_000 * YUAN)
    following = [open_fund(shop, slug, 2027) for slug in ("city-2027", "town-2027")]
    shares = [{"fund": "town", "share_bp": 5000}, {"fund": "city", "share_bp": 5000}]
    approve_programme(shop, "tech", policy(funders=shares))
    price(shop, "twin")
    parks = [park() for _ in range(CHECKOUTS)]
    quotes = [ask(shop, actor, "twin") for actor in parks]
    given = [
        ask_transfer(shop, city, "", "western", 7_000 * YUAN),
        ask_transfer(shop, city, "western", "", 5_000 * YUAN),
        ask_transfer(shop, town, "western", "510118", 4_000 * YUAN),
        ask_return(shop, town, "", 6_000 * YUAN),
        ask_carry_over(shop, city, following[0]),
        ask_carry_over(shop, town, following[1]),
        ask_carry_over(shop, city, following[1]),
    ]
    tasks: list[Callable[[], Any]] = [
        partial(live, shop, actor, quote, number)
        for number, (actor, quote) in enumerate(zip(parks, quotes, strict=True))
    ]
    results = at_once([*tasks, *(partial(approve, shop, each) for each in given)])
    refusals = {each for each in results if isinstance(each, str)}
    assert refusals <= {"fund.exhausted", "fund_transfer.too_little", "fund.nothing_to_carry"}
    assert any(isinstance(each, fund_transfers.TransferView) and each.kind == "carry_over" for each in results)
    funds = [fund_now(shop, each) for each in (city, town, *following)]
    used = sum(each for each in results if isinstance(each, int))
    assert sum(fund.held_fen + fund.captured_fen for fund in funds) == used
    assert sum(fund.available_fen + fund.held_fen + fund.captured_fen for fund in funds) == sum(
        fund.appropriated_fen for fund in funds
    )
    assert broken(shop, invariants.INVARIANTS) == {}


def test_a_fund_that_closes_is_never_drawn_on_behind_its_back(shop: WorkShop) -> None:
    """The last money goes back to the treasury and the fund closes while parks check out."""
    fund = fill_fund(shop, "province", 12_000 * YUAN)
    approve_programme(shop, "tech", policy())
    price(shop, "twin")
    parks = [park() for _ in range(CHECKOUTS)]
    quotes = [ask(shop, actor, "twin") for actor in parks]
    giving_back = ask_return(shop, fund, "", 12_000 * YUAN)

    def close() -> str:
        approve(shop, giving_back)
        with shop.work(APPROVER) as work:
            return fund_life.close_fund(work, fund_id=fund, reason="年度结束").status

    tasks = [partial(live, shop, actor, quote, 0) for actor, quote in zip(parks, quotes, strict=True)]
    results = at_once([close, *tasks])
    assert set(results) <= {"closed", "fund.not_settled", "fund_transfer.too_little", "fund.exhausted", 6_000 * YUAN}
    assert broken(shop, invariants.INVARIANTS) == {}


def test_an_alert_is_raised_once_by_however_many_watch(shop: WorkShop) -> None:
    funds: list[UUID] = [fill_fund(shop, slug, 10_000 * YUAN) for slug in ("one", "two")]
    for fund in funds:
        approve(shop, ask_transfer(shop, fund, "", "western", 10_000 * YUAN))
    approve_programme(shop, "tech", policy(funders=[{"fund": "one", "share_bp": 10000}]))
    price(shop, "twin", "15000")
    actor = park()
    quote = ask(shop, actor, "twin")
    with shop.work(actor) as work:
        holds.hold_subsidies(work, quote=quote, line_ids=[new_id()], expires_at=work.now + timedelta(days=30))

    def watch() -> int:
        with shop.work(SYSTEM) as work:
            return len(fund_outlook.watch_funds(work))

    assert sum(at_once([watch] * 6)) == 2  # one fund: a tenth is left, and it lasts no day more
    with shop.work(SYSTEM) as work:
        assert {each.fund_id for each in fund_outlook.list_alerts(work)} == {funds[0]}
