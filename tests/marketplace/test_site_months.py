"""Standing services: a site-month is charged when it was used, and ordered anew each month until something says no."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.usecases import alerts, fund_life
from marketplace.demo.theatre import Play
from marketplace.jobs import clockwork
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import expiry, fulfilment, invariants, orders, standing_orders
from marketplace.usecases import renewals as renewals_
from services.rules.carbon.records import Category
from services.rules.catalogue import Delivery
from services.usecases import carbon_records, site_months, sites
from services.usecases.carbon_records import RecordWish
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.work import Work
from tests.support import plays
from tests.support.carbon import CARBON
from tests.support.crashes import crash_everywhere
from tests.support.plays import YUAN, money, order
from tests.support.sites import ALARMS, MONITORING, add_site, go_to, month_wish, work_for

MILLION = 1_000_000 * YUAN
PRICE = 800_00
SUBSIDY = PRICE * 60 // 100


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play, MILLION)
    return play.person("park01")


@pytest.fixture
def site(play: Play, park: Actor) -> UUID:
    return add_site(play, park)


def renewals(play: Play, park: Actor) -> list[tuple[str, str | None]]:
    found = play.do(park, standing_orders.list_standing_orders)
    return [(each.status, each.halt_code) for each in found]


def placed(play: Play, park: Actor) -> int:
    return len(play.do(park, orders.list_orders).items)


def test_a_used_month_is_charged_to_both_payers_at_its_end_and_once(play: Play, park: Actor, site: UUID) -> None:
    rented = order(play, park, month_wish(site))
    assert rented.lines[0].site_month is not None
    assert rented.lines[0].title.endswith("一号厂房 · 2026-03")
    assert money(play) == (MILLION - SUBSIDY, SUBSIDY, 0)
    work_for(play, park, site)
    go_to(play, 2026, 3, 31, 23, 59)
    clockwork.close_site_months(play.market)
    assert plays.now(play, park, rented).status == "placed", "the month is not over"
    go_to(play, 2026, 4, 1, 0, 18)
    clockwork.close_site_months(play.market)
    play.work_queue()
    after = plays.now(play, park, rented)
    assert (after.status, money(play)) == ("completed", (MILLION - SUBSIDY, 0, SUBSIDY))
    assert after.lines[0].result_sha256 == after.lines[0].artefacts[0].sha256
    used = plays.counted(play, "SELECT period, sum(gross_fen)::bigint FROM rated_usage GROUP BY 1")
    assert used == {"2026-03": PRICE}, "it was used in March, though it was settled in April"
    before = plays.fingerprint(play)
    clockwork.close_site_months(play.market)
    play.do(
        plays.worker_of(park),
        lambda work: fulfilment.follow_up_month(work, site_month_id=after.lines[0].site_month.id),  # type: ignore[union-attr]
    )
    assert plays.fingerprint(play) == before


def test_a_month_of_carbon_monitoring_is_charged_for_what_was_recorded_in_it(
    play: Play, park: Actor, site: UUID
) -> None:
    rented, idle = order(play, park, month_wish(site, CARBON)), order(play, park, month_wish(site, ALARMS))
    power = RecordWish(
        Category.ELECTRICITY, "electricity.average", date(2026, 1, 1), date(2026, 2, 1), Decimal(10), "MWh"
    )
    play.do(park, lambda work: carbon_records.enter_record(work, site_id=site, wish=power))
    go_to(play, 2026, 4, 1, 9)
    with pytest.raises(Conflict, match=r"site\.not_rented"):
        play.do(park, lambda work: carbon_records.enter_record(work, site_id=site, wish=power))
    clockwork.close_site_months(play.market)
    play.work_queue()
    assert [plays.now(play, park, each).status for each in (rented, idle)] == ["completed", "failed"]
    used = plays.counted(play, "SELECT offering, sum(gross_fen)::bigint FROM rated_usage GROUP BY 1")
    assert used == {CARBON: 2000 * YUAN}


def test_an_unused_month_costs_nothing(play: Play, park: Actor, site: UUID) -> None:
    plays.top_up(play, park, 1000 * YUAN)
    rented = order(play, park, month_wish(site), method=PaymentMethod.WALLET)
    go_to(play, 2026, 4, 1, 1)
    clockwork.close_site_months(play.market)
    play.work_queue()
    after = plays.now(play, park, rented)
    assert (after.status, after.lines[0].failure_code) == ("failed", fulfilment.NOTHING_MEASURED)
    assert money(play) == (MILLION, 0, 0)
    assert plays.wallet(play, park) == (1000 * YUAN, 0)


def test_an_ended_month_whose_job_was_lost_is_settled_by_the_clock(play: Play, park: Actor, site: UUID) -> None:
    rented = order(play, park, month_wish(site))
    work_for(play, park, site)
    go_to(play, 2026, 4, 1, 1)
    month_id = rented.lines[0].site_month.id  # type: ignore[union-attr]
    play.do(plays.worker_of(park), lambda work: site_months.close_month(work, site_month_id=month_id))
    clockwork.close_site_months(play.market)
    assert plays.now(play, park, rented).status == "completed"
    play.work_queue()
    assert money(play) == (MILLION - SUBSIDY, 0, SUBSIDY)


def test_eight_clocks_at_once_close_and_renew_once(play: Play, park: Actor, site: UUID) -> None:
    order(play, park, month_wish(site, months=None))
    work_for(play, park, site)
    go_to(play, 2026, 4, 1, 0, 20)
    both = [clockwork.close_site_months, clockwork.renew_standing_orders]
    plays.at_once([partial(both[number % 2], play.market) for number in range(8)])
    play.work_queue()
    assert placed(play, park) == 2
    assert money(play) == (MILLION - 2 * SUBSIDY, SUBSIDY, SUBSIDY)
    assert renewals(play, park) == [("running", None)]


def test_of_two_orders_for_one_month_the_second_is_refused_whole(play: Play, park: Actor, site: UUID) -> None:
    first, second = (plays.ask(play, park, month_wish(site)) for _ in range(2))
    ends = plays.at_once([partial(plays.confirm, play, park, each.id) for each in (first, second)])
    assert sorted(each if isinstance(each, str) else "placed" for each in ends) == ["placed", "site.month_taken"]
    assert money(play) == (MILLION - SUBSIDY, SUBSIDY, 0)
    with pytest.raises(Conflict, match=r"site\.month_taken"):
        plays.ask(play, park, month_wish(site))
    assert order(play, park, month_wish(site, ALARMS)).status == "placed", "another service is another month"


def test_a_month_is_cancelled_until_the_service_has_worked_in_it(play: Play, park: Actor, site: UUID) -> None:
    used, unused = order(play, park, month_wish(site)), order(play, park, month_wish(site, ALARMS))
    work_for(play, park, site)
    with pytest.raises(Conflict, match=r"site_month\.begun"):
        play.do(park, lambda work: fulfilment.cancel_order(work, order_id=used.id))
    assert play.do(park, lambda work: fulfilment.cancel_order(work, order_id=unused.id)).status == "cancelled"
    assert order(play, park, month_wish(site, ALARMS)).status == "placed", "what was given back can be rented again"
    assert play.do(plays.worker_of(park), lambda work: expiry.expire_line(work, order_line_id=used.lines[0].id)), (
        "an overdue order is past that"
    )
    assert plays.now(play, park, used).status == "cancelled"


def test_a_standing_order_runs_its_months_each_at_the_price_of_its_own(
    play: Play, park: Actor, site: UUID
) -> None:  # fmt: skip
    order(play, park, month_wish(site, months=3))
    for month in (4, 5, 6):
        work_for(play, park, site)
        go_to(play, 2026, month, 1, 0, 20)
        for chore in (clockwork.renew_standing_orders, clockwork.close_site_months):
            chore(play.market)
        play.work_queue()
    assert (placed(play, park), renewals(play, park)) == (3, [("ended", None)])
    assert money(play) == (MILLION - 3 * SUBSIDY, 0, 3 * SUBSIDY)


def test_a_standing_order_stops_when_it_is_told_to(play: Play, park: Actor, site: UUID) -> None:
    order(play, park, month_wish(site, months=None))
    (standing,) = play.do(park, standing_orders.list_standing_orders)
    for _ in range(2):
        play.do(park, lambda work: standing_orders.stop_standing_order(work, standing_order_id=standing.id))
    go_to(play, 2026, 4, 1, 1)
    clockwork.renew_standing_orders(play.market)
    assert (placed(play, park), renewals(play, park)) == (1, [("stopped", None)])


@pytest.mark.parametrize("reason", ["wallet", "price", "fund"])
def test_a_refused_renewal_ends_the_standing_order_and_tells_the_park_once(
    play: Play, park: Actor, site: UUID, reason: str
) -> None:
    if reason == "wallet":
        plays.top_up(play, park, 400 * YUAN)
    method = PaymentMethod.WALLET if reason == "wallet" else PaymentMethod.INVOICE
    order(play, park, month_wish(site, months=None), method=method)
    work_for(play, park, site)
    go_to(play, 2026, 4, 1, 1)
    if reason == "price":
        plays.set_price(play, MONITORING, "900", play.clock.now())
    if reason == "fund":
        fund_id = play.fund().id
        play.do(play.approver, lambda work: fund_life.freeze_fund(work, fund_id=fund_id, reason="核查"))
    for _ in range(2):
        clockwork.renew_standing_orders(play.market)
    ((status, code),) = renewals(play, park)
    expected = {
        "wallet": "wallet.insufficient",
        "price": "standing_order.price_rose",
        "fund": "standing_order.price_rose",
    }
    assert (status, code) == ("halted", expected[reason])
    told = [each.kind for each in play.do(park, alerts.list_alerts)]
    assert told == ["standing_order.halted"]
    assert placed(play, park) == 1
    clockwork.close_site_months(play.market)
    play.work_queue()
    assert money(play)[2] == SUBSIDY, "the month that was used is paid all the same"


def test_a_service_runs_in_its_month_and_six_hours_into_the_next(play: Play, park: Actor, site: UUID) -> None:
    with pytest.raises(Conflict, match=r"site\.not_rented"):
        work_for(play, park, site)
    order(play, park, month_wish(site))
    work_for(play, park, site)
    go_to(play, 2026, 4, 1, 5, 59)
    work_for(play, park, site)
    go_to(play, 2026, 4, 1, 6, 1)
    with pytest.raises(Conflict, match=r"site\.not_rented"):
        work_for(play, park, site)
    assert play.do(park, lambda work: sites.running_services(work, site_id=site)) == frozenset()


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"site_id": "no"}, "lines[0].request.site_id"),
        ({"site_id": "00000000-0000-0000-0000-000000000001"}, "lines[0].request.site_id"),
        ({"month": "2026-02"}, "lines[0].request.month"),
        ({"month": "2026-07"}, "lines[0].request.month"),
        ({"month": "March"}, "lines[0].request.month"),
        ({"months": 0}, "lines[0].request.months"),
        ({"months": 37}, "lines[0].request.months"),
        ({"weeks": 3}, "lines[0].request.weeks"),
    ],
)
def test_a_wrong_request_is_refused_with_its_field(
    play: Play, park: Actor, site: UUID, request_: dict[str, object], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        plays.ask(play, park, plays.Wish(MONITORING, {"site_id": str(site)} | request_))
    assert [error.field for error in refused.value.errors] == [field]


def test_a_closing_and_a_renewal_that_crash_anywhere_leave_nothing_and_are_done_once(
    play: Play, park: Actor, site: UUID
) -> None:
    rented = order(play, park, month_wish(site, months=None))
    work_for(play, park, site)
    go_to(play, 2026, 4, 1, 1)
    worker, month_id = plays.worker_of(park), rented.lines[0].site_month.id  # type: ignore[union-attr]
    (standing,) = play.do(park, standing_orders.list_standing_orders)
    state = partial(plays.fingerprint, play)

    def close(work: Work) -> None:
        site_months.close_month(work, site_month_id=month_id)

    def renew(work: Work) -> None:
        renewals_.renew(work, standing_order_id=standing.id)

    for step in (close, renew):
        assert crash_everywhere(play.market.engine, partial(play.do, worker, step), state) > 5
        after = state()
        play.do(worker, step)
        assert state() == after
    play.work_queue()
    assert money(play) == (MILLION - 2 * SUBSIDY, SUBSIDY, SUBSIDY)


BROKEN = {
    "site-month-record": "UPDATE site_months SET status = 'delivered', record_sha256 = 'x', closed_at = now()",
    "site-month-span": "UPDATE site_months SET ends_at = ends_at + interval '1 day'",
    "line-site-month": "UPDATE site_months SET order_line_id = site_id",
    "standing-order-first": "UPDATE standing_orders SET most_payable_fen = 1",
}


def test_each_invariant_finds_its_break(play: Play, park: Actor, site: UUID) -> None:
    order(play, park, month_wish(site, months=None))
    for name, change in BROKEN.items():
        with plays._owner(play) as connection:
            connection.execute(text(change))
            sql = next(each.sql for each in invariants.ALL if each.name == name)
            assert connection.execute(text(sql)).first() is not None, name
            connection.rollback()
    assert play.do(system_actor("check"), invariants.check) == ()
    assert Delivery.MONITORING.by_month
