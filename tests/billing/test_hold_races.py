"""Many checkouts at once on real connections: exact exhaustion, no overspend, no deadlock, nothing lost, nothing torn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text

from billing.usecases import holds, invariants
from billing.usecases.quotes import QuoteView
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.outbox import Silent
from tenants.kernel.work import WorkShop
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.subsidies import YUAN, approve_programme, ask, check_out, fill_fund, fund_now, park, policy, price

THREADS = 64
SYSTEM = system_actor("jobs")
LATER = timedelta(days=30)


@pytest.fixture
def shop(database: Database) -> Iterator[WorkShop]:
    """Work with a connection for every thread."""
    engine = database.engine(pool_size=THREADS, max_overflow=0)
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


def hold(shop: WorkShop, actor: Actor, quote: QuoteView) -> list[UUID]:
    line_ids = [new_id() for _ in quote.lines]
    with shop.work(actor) as work:
        holds.hold_subsidies(work, quote=quote, line_ids=line_ids, expires_at=work.now + LATER)
    return line_ids


def asked(shop: WorkShop, *offerings: str, times: int = THREADS, **kwargs: Any) -> list[tuple[Actor, QuoteView]]:
    """Let as many parks ask as there will be checkouts; each is shown the full award."""
    actors = [park() for _ in range(times)]
    return [(actor, ask(shop, actor, *offerings, **kwargs)) for actor in actors]


def snapshot(shop: WorkShop) -> list[Any]:
    """Return everything that holds change."""
    tables = ("holds", "fund_entries", "fund_envelopes", "cap_counters")
    with shop.work(SYSTEM) as work:
        return [sorted(map(repr, work.session.execute(text(f"SELECT * FROM {table}")))) for table in tables]


def test_the_last_money_of_a_fund_is_spent_exactly(shop: WorkShop) -> None:
    fund = fill_fund(shop, "province", 10 * 6_000 * YUAN + 5_999_99)
    approve_programme(shop, "tech", policy())
    price(shop, "twin")
    results = at_once([partial(hold, shop, a, q) for a, q in asked(shop, "twin")])
    assert results.count("fund.exhausted") == THREADS - 10
    now = fund_now(shop, fund)
    assert (now.available_fen, now.held_fen) == (5_999_99, 10 * 6_000 * YUAN)
    assert broken(shop, invariants.INVARIANTS) == {}


def test_amounts_of_all_sizes_never_overspend_a_fund_with_allotments(shop: WorkShop) -> None:
    fund = fill_fund(shop, "province", 40_000 * YUAN, r510118=7_001 * YUAN, western=10_003 * YUAN)
    approve_programme(shop, "tech", policy())
    price(shop, "twin", "333.33")
    quotes = [asked(shop, "twin", times=1, quantity=1 + index % 13)[0] for index in range(THREADS)]
    results = at_once([partial(hold, shop, a, q) for a, q in quotes])
    taken = sum(q.subsidy_fen for (_, q), result in zip(quotes, results, strict=True) if isinstance(result, list))
    refused = [q.subsidy_fen for (_, q), result in zip(quotes, results, strict=True) if result == "fund.exhausted"]
    now = fund_now(shop, fund)
    assert now.held_fen == taken
    assert refused
    assert now.available_fen < min(refused)
    assert broken(shop, invariants.INVARIANTS) == {}


@pytest.mark.parametrize("scope", ["scheme", "fund_year", "provider_pool", "controller_year"])
def test_a_ceiling_that_all_share_is_reached_exactly(shop: WorkShop, scope: str) -> None:
    fund = fill_fund(shop, "province", 10_000_000 * YUAN)
    approve_programme(shop, "tech", policy(caps=[{"scope": scope, "amount_fen": 7 * 6_000 * YUAN + 1}]))
    price(shop, "twin")
    line = {"provider": "one", "control_group": "group"}
    quotes = asked(shop, "twin", line_facts=[line], times=32)
    results = at_once([partial(hold, shop, a, q) for a, q in quotes])
    assert results.count("cap.reached") == 32 - 7
    assert fund_now(shop, fund).held_fen == 7 * 6_000 * YUAN
    assert broken(shop, invariants.INVARIANTS) == {}


def test_one_park_racing_with_itself_stays_under_its_own_ceiling(shop: WorkShop) -> None:
    fund = fill_fund(shop, "province", 10_000_000 * YUAN)
    approve_programme(shop, "tech", policy(caps=[{"scope": "entity_year", "amount_fen": 3 * 6_000 * YUAN}]))
    price(shop, "twin")
    actor = park()
    quotes = [ask(shop, actor, "twin") for _ in range(16)]
    results = at_once([partial(hold, shop, actor, q) for q in quotes])
    assert results.count("cap.reached") == 13
    assert fund_now(shop, fund).held_fen == 3 * 6_000 * YUAN


def two_programmes(shop: WorkShop, *scopes: str) -> list[UUID]:
    """Two offerings, each with a programme that two funds of its own pay, under wide ceilings."""
    made = []
    for offering, slugs in (("twin", ("city", "town")), ("leads", ("ministry", "province"))):
        made += [fill_fund(shop, slug, 30_000 * YUAN, r510118=9_000 * YUAN) for slug in slugs]
        price(shop, offering, "1000")
        terms = policy(
            eligible={"all": [{"fact": "offering", "is": "eq", "value": offering}]},
            funders=[{"fund": slugs[0], "share_bp": 5000}, {"fund": slugs[1], "share_bp": 5000}],
            caps=[{"scope": scope, "amount_fen": 10**9} for scope in scopes],
        )
        approve_programme(shop, f"for-{offering}", terms)
    return made


@pytest.mark.parametrize("scopes", [(), ("scheme", "entity_year")], ids=["funds", "ceilings"])
def test_lines_with_several_funds_in_opposite_orders_do_not_deadlock(shop: WorkShop, scopes: tuple[str, ...]) -> None:
    """A ceiling that all share would line everybody up before the funds, so the funds are tried without one, too."""
    made = two_programmes(shop, *scopes)
    quotes = asked(shop, "twin", "leads", times=32) + asked(shop, "leads", "twin", times=32)

    def live(actor: Actor, quote: QuoteView, number: int) -> str:
        """Check out three times and let each end in another way."""
        for turn in range(3):
            lines = hold(shop, actor, quote)
            if (number + turn) % 3 == 0:
                with shop.work(actor) as work:
                    holds.release_lines(work, order_line_ids=lines, reason="order.cancelled")
            elif (number + turn) % 3 == 1:
                for line in reversed(lines):
                    with shop.work(SYSTEM) as work:
                        holds.capture_holds(work, order_line_id=line, amount_fen=59_999)
        return "done"

    tasks = [partial(live, a, q, n) for n, (a, q) in enumerate(quotes)]
    results = at_once(tasks)
    assert set(results) <= {"done", "fund.exhausted"}
    assert results.count("done") >= 16
    assert all(fund_now(shop, fund).available_fen >= 0 for fund in made)
    assert broken(shop, invariants.INVARIANTS) == {}


def test_capture_release_and_expiry_racing_settle_a_hold_once(shop: WorkShop) -> None:
    fund = fill_fund(shop, "province", 60_000 * YUAN)
    approve_programme(shop, "tech", policy(caps=[{"scope": "scheme", "amount_fen": 10**9}]))
    price(shop, "twin")
    actor = park()
    lines = [check_out(shop, actor, ask(shop, actor, "twin"))[0][0] for _ in range(5)]
    assert isinstance(shop.clock, ManualClock)
    shop.clock.advance(timedelta(days=31))

    def capture(line: UUID) -> str:
        with shop.work(SYSTEM) as work:
            return holds.capture_holds(work, order_line_id=line, amount_fen=600_000)[0].status

    def release(line: UUID) -> None:
        with shop.work(SYSTEM) as work:
            holds.release_holds(work, order_line_id=line, reason="test")

    def expire() -> None:
        with shop.work(SYSTEM) as work:
            overdue = holds.overdue_lines(work)
        for each in overdue:
            with shop.work(SYSTEM) as work:
                holds.release_holds(work, order_line_id=each.order_line_id, reason="order.overdue")

    tasks: list[Callable[[], Any]] = []
    for line in lines:
        tasks += [
            partial(capture, line),
            partial(capture, line),
            partial(release, line),
            expire,
        ]
    results = at_once(tasks)
    assert set(results) <= {"captured", "hold.not_open", None}
    now = fund_now(shop, fund)
    assert now.held_fen == 0
    assert now.available_fen + now.captured_fen == 60_000 * YUAN
    assert broken(shop, invariants.INVARIANTS) == {}


class CrashError(Exception):
    """The process ends between two statements."""


def crash_everywhere(shop: WorkShop, step: Callable[[], object]) -> int:
    """Run ``step`` again and again, crashing before its first statement, its second and so on, until it gets through.

    After each crash everything is as before. Returns how many statements the step has.
    """
    before = snapshot(shop)
    for survived in count():
        left = iter(range(survived))

        def strike(*_: object, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise CrashError

        event.listen(shop.engine, "before_cursor_execute", strike)
        try:
            step()
        except CrashError:
            crashed = True
        else:
            crashed = False
        finally:
            event.remove(shop.engine, "before_cursor_execute", strike)
        if not crashed:
            return survived
        assert snapshot(shop) == before
    raise AssertionError


def test_a_crash_between_any_two_statements_leaves_nothing(shop: WorkShop) -> None:
    two_programmes(shop, "scheme", "entity_year")
    actor = park()
    quote = ask(shop, actor, "twin", "leads")
    lines: list[UUID] = []
    assert crash_everywhere(shop, lambda: lines.extend(hold(shop, actor, quote))) == 3
    assert broken(shop, invariants.INVARIANTS) == {}

    def capture() -> None:
        with shop.work(SYSTEM) as work:
            holds.capture_holds(work, order_line_id=lines[0], amount_fen=59_999)

    def release() -> None:
        with shop.work(SYSTEM) as work:
            holds.release_holds(work, order_line_id=lines[1], reason="test")

    assert crash_everywhere(shop, capture) > 4
    assert crash_everywhere(shop, release) > 4
    assert broken(shop, invariants.INVARIANTS) == {}
