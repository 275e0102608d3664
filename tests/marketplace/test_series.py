"""A series in the shop: one order of ordinary lines, whole or not there, and cancelled from a day on."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from marketplace.demo.theatre import Play
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import checkout, fulfilment, series
from marketplace.usecases.checkout import MOST_LINES
from marketplace.usecases.series import AskedSeries, SeriesWish
from marketplace.usecases.views import OrderView
from services.rules.series import MOST_OCCURRENCES, SeriesChoice, SeriesRule, SeriesUnit
from services.usecases import booking_series, bookings
from services.usecases.slot_search import SlotView
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict
from tests.support import plays
from tests.support.plays import YUAN, free_slots, inspection, money


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play, 1_000_000 * YUAN)
    return play.person("park01")


def ask(
    play: Play, park: Actor, slot: SlotView, count: int = 3, choice: SeriesChoice = SeriesChoice.ALL
) -> AskedSeries:
    rule = SeriesRule(slot.starts_at, 1, SeriesUnit.WEEK, count)
    wish = SeriesWish(plays.INSPECTION, slot.instrument_id, rule, 1, "检测")
    return play.do(park, lambda work: series.ask_series(work, wish=wish, choice=choice))


def open_days(play: Play, park: Actor, asked: AskedSeries) -> list[date]:
    found, _ = play.do(park, lambda work: series.read_series(work, series_id=asked.id))
    return [each.starts_at.astimezone(CHINA).date() for each in found.bookings if each.status == "booked"]


def cancel(play: Play, park: Actor, asked: AskedSeries, day: date) -> booking_series.SeriesView:
    return play.do(park, lambda work: series.cancel_series(work, series_id=asked.id, from_day=day))


def later(slot: SlotView, weeks: int) -> SlotView:
    by = timedelta(weeks=weeks)
    return SlotView(slot.instrument_id, "", "", slot.starts_at + by, slot.ends_at + by)


def test_a_series_is_an_order_of_lines_with_a_price_subsidy_and_invitation_each(play: Play, park: Actor) -> None:
    assert MOST_OCCURRENCES == MOST_LINES
    slot = free_slots(play, park)[0]
    alone = plays.ask(play, park, inspection(slot)).lines[0]
    asked = ask(play, park, slot)
    order = plays.confirm(play, park, asked.quote.id)
    assert len(order.lines) == 3
    assert {(line.gross_fen, line.subsidy_fen) for line in order.lines} == {(alone.gross_fen, alone.subsidy_fen)}
    for number, line in enumerate(order.lines):
        assert line.booking is not None
        assert line.booking.starts_at == slot.starts_at + timedelta(weeks=number)
        assert (line.booking.series_id, line.booking.series_number) == (asked.id, number + 1)
        booking_id = line.booking.id
        calendar = play.do(park, partial(bookings.booking_calendar, booking_id=booking_id))
        assert str(booking_id).encode() in calendar
    with pytest.raises(Conflict, match="已生成订单"):
        plays.confirm(play, park, asked.quote.id)
    assert len(open_days(play, park, asked)) == 3


def test_it_is_cancelled_from_a_day_on_and_what_was_before_stays(play: Play, park: Actor) -> None:
    slot = free_slots(play, park)[0]
    asked = ask(play, park, slot)
    order = plays.confirm(play, park, asked.quote.id)
    first, second, third = open_days(play, park, asked)
    held = money(play)[1]
    cancel(play, park, asked, third + timedelta(days=1))
    assert open_days(play, park, asked) == [first, second, third]
    for _ in range(2):  # again changes nothing
        cancel(play, park, asked, second)
        assert open_days(play, park, asked) == [first]
    after = plays.now(play, park, order)
    assert after.status == "placed"
    assert [line.status for line in after.lines] == ["placed", "cancelled", "cancelled"]
    assert money(play)[1] * 3 == held
    again = plays.order(play, park, inspection(later(slot, 1)))
    assert again.status == "placed", "the time is free"
    cancel(play, park, asked, first)
    assert plays.now(play, park, order).status == "cancelled"


def test_nothing_is_kept_of_a_series_of_which_one_was_taken_meanwhile(play: Play, park: Actor) -> None:
    slot = free_slots(play, park)[0]
    asked = ask(play, park, slot)
    other = play.person("park02")
    plays.order(play, other, inspection(later(slot, 2)))
    before = plays.fingerprint(play)
    with pytest.raises(Conflict) as refused:
        plays.confirm(play, park, asked.quote.id)
    assert refused.value.code == "slot.taken"
    assert plays.fingerprint(play) == before
    with pytest.raises(Conflict) as refused:
        ask(play, park, slot)
    assert refused.value.code == "series.not_all_free"
    fewer = ask(play, park, slot, choice=SeriesChoice.FREE)
    assert len(plays.confirm(play, park, fewer.quote.id).lines) == 2


def test_a_killed_checkout_leaves_nothing_and_is_done_again(play: Play, park: Actor) -> None:
    asked = ask(play, park, free_slots(play, park)[0])
    before = plays.fingerprint(play)

    def place_and_die() -> OrderView:
        with play.market.workshop.work(park) as work:
            placed = checkout.place_order(work, quote_id=asked.quote.id, payment_method=PaymentMethod.INVOICE)
            pid = work.session.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with plays._owner(play) as owner:
                owner.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            return placed

    with pytest.raises(DBAPIError):
        place_and_die()
    assert plays.fingerprint(play) == before
    assert len(plays.confirm(play, park, asked.quote.id).lines) == 3


def test_cancelling_the_series_races_cancelling_the_order(play: Play, park: Actor) -> None:
    asked = ask(play, park, free_slots(play, park)[0])
    order = plays.confirm(play, park, asked.quote.id)
    day = open_days(play, park, asked)[0]
    whole = partial(play.do, park, lambda work: fulfilment.cancel_order(work, order_id=order.id))
    plays.at_once([whole, partial(cancel, play, park, asked, day)])
    assert plays.now(play, park, order).status == "cancelled"
    assert money(play)[1] == 0
