"""Fulfilment: every end of an order happens once, however often it is told and whatever it meets on the way."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import text

from marketplace.demo.theatre import Play
from marketplace.jobs import clockwork
from marketplace.jobs.handlers import HANDLERS
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import fulfilment
from marketplace.usecases.views import OrderView
from services.usecases import bookings, runs, slot_search
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, NotFound
from tests.support import plays
from tests.support.plays import BRIEF, NO_COMPANY, WEEK, YUAN, booking_of, free_slots, inspection, money, run_of

MILLION = 1_000_000 * YUAN
OVERDUE = timedelta(days=31)


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play, MILLION)
    return play.person("park01")


def cancel(play: Play, park: Actor, order: OrderView) -> OrderView:
    return play.do(park, lambda work: fulfilment.cancel_order(work, order_id=order.id))


def tell(play: Play, park: Actor, event: str, **payload: UUID) -> None:
    """Call the handler of an event as a worker does."""
    told = {name: str(value) for name, value in payload.items()}
    HANDLERS[event](play.market, plays.worker_of(park), told)


def tell_twice(play: Play, park: Actor, event: str, **payload: UUID) -> None:
    """Tell an event twice: the second time changes nothing in any table."""
    tell(play, park, event, **payload)
    after = plays.fingerprint(play)
    tell(play, park, event, **payload)
    assert plays.fingerprint(play) == after


def fail(play: Play, park: Actor, run_id: UUID) -> None:
    assert play.do(plays.worker_of(park), lambda work: runs.fail_run(work, run_id=run_id, code="run.test", detail="…"))


def charged(play: Play) -> dict[str, int]:
    return plays.counted(
        play,
        "SELECT 'rated', count(*) FROM rated_usage UNION ALL SELECT 'claimed', count(*) FROM claim_lines "
        "UNION ALL SELECT 'events', count(*) FROM usage_events",
    )


NOTHING = {"rated": 0, "claimed": 0, "events": 0}


def test_real_engines_deliver_an_order_through_the_queue(play: Play, park: Actor) -> None:
    plays.top_up(play, park, 10_000 * YUAN)
    order = plays.order(play, park, WEEK, BRIEF, method=PaymentMethod.WALLET)
    play.work_queue()
    order = plays.now(play, park, order)
    assert (order.status, [line.status for line in order.lines]) == ("completed", ["delivered"] * 2)
    for line in order.lines:
        hashes = {file.name: file.sha256 for file in line.artefacts}
        assert line.result_sha256 == hashes["manifest.json"]
    assert money(play) == (MILLION - order.subsidy_fen, 0, order.subsidy_fen)
    assert plays.wallet(play, park) == (10_000 * YUAN - order.payable_fen, 0)
    assert charged(play) == {"rated": 2, "claimed": 2, "events": 2}
    assert plays.waiting_jobs(play) == {}


def test_a_run_that_the_engine_refuses_releases_everything_and_charges_nothing(play: Play, park: Actor) -> None:
    plays.top_up(play, park, 10_000 * YUAN)
    order = plays.order(play, park, NO_COMPANY, method=PaymentMethod.WALLET)
    assert money(play)[1] > 0
    play.work_queue()
    order = plays.now(play, park, order)
    assert (order.status, order.lines[0].status) == ("failed", "failed")
    assert order.lines[0].failure_code == order.lines[0].run.failure_code  # type: ignore[union-attr]
    assert money(play) == (MILLION, 0, 0)
    assert plays.wallet(play, park) == (10_000 * YUAN, 0)
    assert charged(play) == NOTHING


def test_a_delivered_run_told_twice_is_settled_once(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK)
    plays.begin(play, park, run_of(order))
    assert plays.finish(play, park, run_of(order))
    tell_twice(play, park, "run.succeeded", run_id=run_of(order))
    tell_twice(play, park, "run.queued", run_id=run_of(order))
    assert money(play) == (MILLION - 6_000_00, 0, 6_000_00)
    assert plays.now(play, park, order).status == "completed"


def test_a_delivered_run_told_to_eight_workers_at_once_is_settled_once(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK)
    plays.begin(play, park, run_of(order))
    plays.finish(play, park, run_of(order))
    ends = plays.at_once([partial(tell, play, park, "run.succeeded", run_id=run_of(order))] * 8)
    assert ends == [None] * 8
    assert money(play) == (MILLION - 6_000_00, 0, 6_000_00)
    assert charged(play) == {"rated": 1, "claimed": 1, "events": 1}


def test_a_failed_run_told_twice_is_released_once(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK)
    plays.begin(play, park, run_of(order))
    fail(play, park, run_of(order))
    tell_twice(play, park, "run.failed", run_id=run_of(order))
    assert money(play) == (MILLION, 0, 0)
    assert charged(play) == NOTHING


def test_a_reported_inspection_is_settled_once_with_the_reports_hash(play: Play, park: Actor) -> None:
    order = plays.order(play, park, inspection(free_slots(play, park)[0]))
    view = play.do(
        play.lab,
        lambda work: bookings.report_inspection(
            work,
            booking_id=booking_of(order),
            file_name="report.pdf",
            media_type="application/pdf",
            content=b"%PDF-1.7 report",
            passed=True,
        ),
    )
    play.work_queue()
    order = plays.now(play, park, order)
    assert (view.status, order.status) == ("reported", "completed")
    assert order.lines[0].result_sha256 == order.lines[0].artefacts[0].sha256
    assert money(play) == (MILLION - order.subsidy_fen, 0, order.subsidy_fen)
    tell_twice(play, park, "inspection.reported", booking_id=booking_of(order))
    with pytest.raises(Conflict):
        cancel(play, park, order)


def test_a_failed_inspection_frees_the_slot_and_the_money_once(play: Play, park: Actor) -> None:
    slot = free_slots(play, park)[0]
    order = plays.order(play, park, inspection(slot))
    play.do(play.lab, lambda work: bookings.fail_inspection(work, booking_id=booking_of(order), reason="仪器故障"))
    play.work_queue()
    assert plays.now(play, park, order).status == "failed"
    assert slot in free_slots(play, park)
    assert money(play) == (MILLION, 0, 0)
    tell_twice(play, park, "inspection.failed", booking_id=booking_of(order))
    assert charged(play) == NOTHING


def test_an_order_cancelled_before_its_run_is_never_run(play: Play, park: Actor) -> None:
    slot = free_slots(play, park)[0]
    plays.top_up(play, park, 10_000 * YUAN)
    order = plays.order(play, park, WEEK, inspection(slot), method=PaymentMethod.WALLET)
    cancelled = cancel(play, park, order)
    assert [line.status for line in cancelled.lines] == ["cancelled", "cancelled"]
    assert slot in free_slots(play, park)
    assert (money(play), plays.wallet(play, park)) == ((MILLION, 0, 0), (10_000 * YUAN, 0))
    before = plays.fingerprint(play)
    assert cancel(play, park, order) == cancelled
    assert plays.fingerprint(play) == before
    play.work_queue()
    run = plays.now(play, park, order).lines[0].run
    assert run is not None
    assert (run.status, run.attempts) == ("cancelled", 0)


def test_an_order_cancelled_amid_its_run_gets_no_result_and_pays_nothing(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK)
    plays.begin(play, park, run_of(order))
    cancel(play, park, order)
    assert not plays.finish(play, park, run_of(order))
    tell(play, park, "run.succeeded", run_id=run_of(order))
    tell(play, park, "run.failed", run_id=run_of(order))
    assert plays.now(play, park, order).status == "cancelled"
    assert money(play) == (MILLION, 0, 0)
    assert charged(play) == NOTHING


def test_a_delivered_order_cannot_be_cancelled_before_or_after_it_is_settled(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK)
    plays.begin(play, park, run_of(order))
    plays.finish(play, park, run_of(order))
    with pytest.raises(Conflict) as early:
        cancel(play, park, order)
    tell(play, park, "run.succeeded", run_id=run_of(order))
    with pytest.raises(Conflict) as late:
        cancel(play, park, order)
    assert (early.value.code, late.value.code) == ("run.closed", "order.closed")
    assert money(play)[2] == 6_000_00


def test_what_is_not_delivered_yet_of_an_order_can_be_cancelled(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK, BRIEF)
    plays.begin(play, park, run_of(order))
    plays.finish(play, park, run_of(order))
    tell(play, park, "run.succeeded", run_id=run_of(order))
    left = cancel(play, park, order)
    assert (left.status, [line.status for line in left.lines]) == ("completed", ["delivered", "cancelled"])
    assert money(play) == (MILLION - 6_000_00, 0, 6_000_00)


def test_another_parks_order_cannot_be_cancelled(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK)
    with pytest.raises(NotFound):
        cancel(play, play.person("park02"), order)
    assert money(play)[1] == 6_000_00


@pytest.mark.parametrize("end", ["finish", "fail"])
def test_a_cancellation_that_races_the_end_of_the_run_leaves_one_of_both(play: Play, park: Actor, end: str) -> None:
    outcomes = set()
    for _ in range(6):
        order = plays.order(play, park, WEEK)
        plays.begin(play, park, run_of(order))

        def deliver(order: OrderView = order) -> None:
            run_id = run_of(order)
            if end == "finish":
                plays.finish(play, park, run_id)
                tell(play, park, "run.succeeded", run_id=run_id)
            else:
                play.do(
                    plays.worker_of(park), lambda work: runs.fail_run(work, run_id=run_id, code="run.x", detail="…")
                )
                tell(play, park, "run.failed", run_id=run_id)

        cancelled, _ = plays.at_once([partial(cancel, play, park, order), deliver])
        status = plays.now(play, park, order).status
        assert (status == "cancelled") == isinstance(cancelled, OrderView)
        assert status in {"cancelled", "completed" if end == "finish" else "failed"}
        outcomes.add(status)
        plays.assert_invariants(play)
    assert money(play)[1] == 0
    assert outcomes


def test_two_who_cancel_at_once_release_once(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK, BRIEF)
    ends = plays.at_once([partial(cancel, play, park, order)] * 4)
    assert [end.status for end in ends] == ["cancelled"] * 4
    assert money(play) == (MILLION, 0, 0)


def test_an_overdue_order_is_cancelled_by_the_clockwork_and_one_in_time_is_not(play: Play, park: Actor) -> None:
    overdue = plays.order(play, park, WEEK, BRIEF)
    delivered = plays.order(play, park, WEEK)
    plays.begin(play, park, run_of(delivered))
    plays.finish(play, park, run_of(delivered))
    tell(play, park, "run.succeeded", run_id=run_of(delivered))
    play.clock.advance(OVERDUE)
    fresh = plays.order(play, park, WEEK)
    clockwork.cancel_overdue_orders(play.market)
    after = plays.fingerprint(play)
    clockwork.cancel_overdue_orders(play.market)
    assert plays.fingerprint(play) == after
    ends = [plays.now(play, park, order).status for order in (overdue, delivered, fresh)]
    assert ends == ["cancelled", "completed", "placed"]
    assert money(play) == (MILLION - 12_000_00, 6_000_00, 6_000_00)


def test_an_overdue_order_whose_run_has_just_finished_is_settled_and_not_cancelled(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK)
    plays.begin(play, park, run_of(order))
    play.clock.advance(OVERDUE)
    plays.finish(play, park, run_of(order))
    clockwork.cancel_overdue_orders(play.market)
    tell(play, park, "run.succeeded", run_id=run_of(order))
    assert plays.now(play, park, order).status == "completed"
    assert money(play) == (MILLION - 6_000_00, 0, 6_000_00)


def test_an_overdue_order_of_which_one_line_has_just_ended_keeps_all_its_money_until_that_is_settled(
    play: Play, park: Actor
) -> None:
    order = plays.order(play, park, WEEK, BRIEF)
    plays.begin(play, park, run_of(order, 1))
    play.clock.advance(OVERDUE)
    plays.finish(play, park, run_of(order, 1))
    before = plays.fingerprint(play)
    clockwork.cancel_overdue_orders(play.market)
    assert plays.fingerprint(play) == before
    plays.assert_invariants(play)
    tell(play, park, "run.succeeded", run_id=run_of(order, 1))
    clockwork.cancel_overdue_orders(play.market)
    ended = plays.now(play, park, order)
    assert (ended.status, [line.status for line in ended.lines]) == ("completed", ["cancelled", "delivered"])
    assert money(play) == (MILLION - 1_800_00, 0, 1_800_00)


def test_an_inspection_booked_months_ahead_is_not_cancelled_before_its_day(play: Play, park: Actor) -> None:
    far = play.clock.now() + timedelta(days=60)
    slot = play.do(
        park,
        lambda work: slot_search.search_slots(work, offering=plays.INSPECTION, from_=far, to=far + timedelta(days=7)),
    )[0]
    order = plays.order(play, park, inspection(slot))
    play.clock.instant = slot.starts_at
    clockwork.cancel_overdue_orders(play.market)
    assert plays.now(play, park, order).status == "placed"
    play.clock.instant = slot.ends_at + OVERDUE
    clockwork.cancel_overdue_orders(play.market)
    assert plays.now(play, park, order).status == "cancelled"
    assert money(play) == (MILLION, 0, 0)


def test_an_overdue_order_that_cannot_be_cancelled_does_not_keep_the_others_waiting(
    play: Play, park: Actor, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = plays.order(play, park, WEEK)
    play.clock.advance(timedelta(minutes=1))
    free = plays.order(play, play.person("park02"), WEEK)
    play.clock.advance(OVERDUE)
    tenant = {"tenant": park.require_tenant()}
    count = "UPDATE cap_counters SET used_fen = used_fen + :by WHERE owner_id = :tenant"
    play.do(system_actor("test"), lambda work: work.session.execute(text(count), tenant | {"by": -1}))
    clockwork.cancel_overdue_orders(play.market)
    assert plays.now(play, play.person("park02"), free).status == "cancelled"
    assert plays.now(play, park, stuck).status == "placed"
    assert str(stuck.lines[0].id) in caplog.text
    play.do(system_actor("test"), lambda work: work.session.execute(text(count), tenant | {"by": 1}))
    clockwork.cancel_overdue_orders(play.market)
    assert plays.now(play, park, stuck).status == "cancelled"


def test_the_clockwork_that_races_the_end_of_a_run_leaves_one_of_both(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK)
    plays.begin(play, park, run_of(order))
    play.clock.advance(OVERDUE)

    def deliver() -> None:
        plays.finish(play, park, run_of(order))
        tell(play, park, "run.succeeded", run_id=run_of(order))

    assert plays.at_once([partial(clockwork.cancel_overdue_orders, play.market), deliver]) == [None, None]
    assert plays.now(play, park, order).status in {"completed", "cancelled"}
    assert money(play)[1] == 0


def test_a_line_whose_job_gave_up_is_settled_by_the_clockwork(play: Play, park: Actor) -> None:
    order = plays.order(play, park, WEEK, BRIEF)
    plays.begin(play, park, run_of(order))
    plays.finish(play, park, run_of(order))
    plays.begin(play, park, run_of(order, 1))
    fail(play, park, run_of(order, 1))
    clockwork.follow_up_deliveries(play.market)
    assert plays.now(play, park, order).status == "placed"
    play.clock.advance(timedelta(minutes=16))
    for _ in range(2):
        clockwork.follow_up_deliveries(play.market)
    ended = plays.now(play, park, order)
    assert [line.status for line in ended.lines] == ["delivered", "failed"]
    assert money(play) == (MILLION - 6_000_00, 0, 6_000_00)


def test_a_slot_that_has_begun_can_no_longer_be_cancelled(play: Play, park: Actor) -> None:
    slot = free_slots(play, park)[0]
    order = plays.order(play, park, inspection(slot))
    play.clock.instant = slot.starts_at
    with pytest.raises(Conflict) as refusal:
        cancel(play, park, order)
    assert refusal.value.code == "booking.begun"
    assert plays.now(play, park, order).status == "placed"
