"""Checkout: a price is shown, confirmed to the same fen, and holds subsidy, capacity and wallet together or not at all."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import uuid5

import pytest
from sqlalchemy import text

from billing.usecases.quotes import QuoteView
from marketplace.demo.seeder import SEED
from marketplace.demo.theatre import Play
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import orders
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound
from tenants.kernel.vocabulary import Tier
from tenants.usecases import subscriptions
from tests.support import plays
from tests.support.crashes import count_statements
from tests.support.plays import BRIEF, RACERS, TWIN, WEEK, YUAN, Wish, ask, confirm, free_slots, inspection, money

WALLET = PaymentMethod.WALLET


@pytest.fixture
def park(play: Play) -> Actor:
    return play.person("park01")


def nothing_but_the_quote(play: Play, before: dict[str, str]) -> None:
    """Nothing but quotes and the trail of asking them has changed since ``before``."""
    after = plays.fingerprint(play)
    changed = {name for name, digest in after.items() if before[name] != digest}
    assert changed <= {"quotes", "audit_entries"}
    assert plays.waiting_jobs(play) == {}


def test_an_order_holds_subsidy_slot_and_wallet_in_one_step(play: Play, park: Actor) -> None:
    plays.give_money(play, 100_000 * YUAN)
    plays.top_up(play, park, 9_000 * YUAN)
    slot = free_slots(play, park)[0]
    quote = ask(play, park, WEEK, BRIEF, inspection(slot))
    order = confirm(play, park, quote.id, WALLET)
    shown = [(line.gross_fen, line.subsidy_fen, line.payable_fen) for line in quote.lines]
    assert shown[:2] == [(10_000_00, 6_000_00, 4_000_00), (3_000_00, 1_800_00, 1_200_00)]
    assert [(line.gross_fen, line.subsidy_fen, line.payable_fen) for line in order.lines] == shown
    assert (order.gross_fen, order.subsidy_fen, order.payable_fen) == tuple(map(sum, zip(*shown, strict=True)))
    assert money(play) == (100_000_00 - order.subsidy_fen, order.subsidy_fen, 0)
    assert plays.wallet(play, park) == (9_000_00 - order.payable_fen, order.payable_fen)
    assert slot not in free_slots(play, park)
    assert plays.waiting_jobs(play) == {"run.queued": 2}
    assert (order.status, order.lines[0].status, order.lines[0].awards[0]["programme"]) == (
        "placed",
        "placed",
        "small-park-tech",
    )


def test_a_wallet_that_is_short_of_the_last_line_keeps_nothing_of_the_first(play: Play, park: Actor) -> None:
    plays.give_money(play)
    plays.top_up(play, park, 5_199_99)
    before = plays.fingerprint(play)
    quote = ask(play, park, WEEK, BRIEF)
    with pytest.raises(Conflict, match=r"1,199\.99.*1,200\.00") as refused:
        confirm(play, park, quote.id, WALLET)
    assert refused.value.code == "wallet.insufficient"
    nothing_but_the_quote(play, before)


def test_a_slot_taken_since_the_quote_keeps_nothing_and_names_others(play: Play, park: Actor) -> None:
    plays.give_money(play)
    slot = free_slots(play, park)[0]
    late = ask(play, park, WEEK, inspection(slot))
    plays.order(play, play.person("park02"), inspection(slot))
    before = plays.fingerprint(play)
    with pytest.raises(Conflict) as refused:
        confirm(play, park, late.id)
    assert refused.value.code == "slot.taken"
    assert "最近的空档" in str(refused.value.message)
    assert plays.fingerprint(play) == before


def test_another_parks_quote_and_order_are_not_found(play: Play, park: Actor) -> None:
    plays.give_money(play)
    quote = ask(play, park, WEEK)
    stranger = play.person("park02")
    with pytest.raises(NotFound):
        confirm(play, stranger, quote.id)
    placed = confirm(play, park, quote.id)
    with pytest.raises(NotFound):
        plays.now(play, stranger, placed)


def test_a_quote_becomes_one_order(play: Play, park: Actor) -> None:
    plays.give_money(play, 6_000 * YUAN)  # the first order takes it all: that must not look like a change of subsidy
    quote = ask(play, park, WEEK)
    first = confirm(play, park, quote.id)
    play.clock.advance(timedelta(days=1))  # the order is named also when the quote has expired meanwhile
    with pytest.raises(Conflict, match=first.number) as refused:
        confirm(play, park, quote.id)
    assert refused.value.code == "order.quote_used"


def test_an_expired_quote_is_refused(play: Play, park: Actor) -> None:
    plays.give_money(play)
    before = plays.fingerprint(play)
    quote = ask(play, park, WEEK)
    play.clock.advance(timedelta(minutes=30))
    with pytest.raises(Conflict) as refused:
        confirm(play, park, quote.id)
    assert refused.value.code == "quote.expired"
    nothing_but_the_quote(play, before)


def test_a_price_changed_since_the_quote_is_named_and_not_charged(play: Play, park: Actor) -> None:
    plays.give_money(play)
    quote = ask(play, park, WEEK)
    play.clock.advance(timedelta(minutes=1))
    plays.set_price(play, TWIN, "12000", play.clock.now())
    with pytest.raises(Conflict, match=r"10,000\.00.*12,000\.00") as refused:
        confirm(play, park, quote.id)
    assert refused.value.code == "price.changed"
    assert confirm(play, park, ask(play, park, WEEK).id).gross_fen == 12_000_00


def test_a_fund_drained_since_the_quote_shows_both_amounts(play: Play, park: Actor) -> None:
    plays.give_money(play, 10_000 * YUAN)
    quote = ask(play, park, WEEK)
    plays.order(play, play.person("park02"), WEEK)
    with pytest.raises(Conflict, match=r"6,000\.00.*4,000\.00.*4,000\.00.*6,000\.00") as refused:
        confirm(play, park, quote.id)
    assert refused.value.code == "quote.subsidy_changed"
    order = plays.order(play, park, WEEK)
    assert (order.subsidy_fen, order.payable_fen) == (4_000_00, 6_000_00)
    assert money(play) == (0, 10_000_00, 0)


def test_a_tier_that_does_not_cover_the_service_is_refused_also_after_the_quote(play: Play, park: Actor) -> None:
    plays.give_money(play)
    with pytest.raises(NotAllowed) as refused:
        ask(play, play.person("park08"), WEEK)
    assert refused.value.code == "subscription.tier_too_low"
    quote = ask(play, park, WEEK)
    play.clock.advance(timedelta(minutes=1))
    play.do(park, lambda work: subscriptions.subscribe(work, tier=Tier.BASIC))
    with pytest.raises(NotAllowed) as refused:
        confirm(play, park, quote.id)
    assert refused.value.code == "subscription.tier_too_low"
    assert money(play)[1] == 0


def test_a_park_that_is_not_verified_is_told_to_wait(play: Play) -> None:
    plays.give_money(play)
    with pytest.raises(Conflict) as refused:
        ask(play, play.person("park12"), WEEK)
    assert refused.value.code == "park.not_verified"


def test_no_line_and_too_many_and_an_unknown_or_unorderable_service_are_refused(play: Play, park: Actor) -> None:
    for wishes in ([], [BRIEF] * 21):
        with pytest.raises(Invalid) as refused:
            ask(play, park, *wishes)
        assert refused.value.code == "order.line_count"
    with pytest.raises(NotFound):
        ask(play, park, Wish("no-such-service", {}))
    with plays._owner(play) as connection:
        connection.execute(text("UPDATE offerings SET orderable = false WHERE slug = 'energy-monitoring'"))
        connection.commit()
    with pytest.raises(Conflict) as unorderable:
        ask(play, park, Wish("energy-monitoring", {}))
    assert unorderable.value.code == "offering.not_orderable"


def test_a_retry_with_the_same_key_gives_the_first_answer_and_changes_nothing(play: Play, park: Actor) -> None:
    plays.give_money(play)
    quote, other = ask(play, park, WEEK), ask(play, park, WEEK)
    first = play.place(park, quote.id, key="retry")
    before = plays.fingerprint(play)
    play.clock.advance(timedelta(days=1))  # the quote itself has expired by now
    assert play.place(park, quote.id, key="retry") == first
    with pytest.raises(Conflict) as refused:
        play.place(park, other.id, key="retry")
    assert refused.value.code == "idempotency.key_reused"
    assert plays.fingerprint(play) == before


def test_eight_retries_at_once_with_one_key_place_one_order(play: Play, park: Actor) -> None:
    plays.give_money(play)
    quote = ask(play, park, WEEK)
    answers = plays.at_once([partial(play.place, park, quote.id, "once")] * 8)
    assert all(answer == answers[0] for answer in answers)
    assert len(play.do(park, orders.list_orders).items) == 1
    assert money(play)[1] == 6_000_00
    assert plays.waiting_jobs(play) == {"run.queued": 1}


def test_eight_confirmations_at_once_with_different_keys_place_one_order(play: Play, park: Actor) -> None:
    plays.give_money(play)
    quote = ask(play, park, WEEK)
    answers = plays.at_once([partial(play.place, park, quote.id, f"key {number}") for number in range(8)])
    refused = [answer for answer in answers if isinstance(answer, str)]
    assert refused == ["order.quote_used"] * 7
    assert money(play)[1] == 6_000_00


def test_two_parks_race_for_the_last_money_and_one_wins(play: Play) -> None:
    plays.give_money(play, 6_000 * YUAN, shortfall="all_or_nothing")
    racers = [play.person("park01"), play.person("park02")]
    quotes = [ask(play, racer, WEEK) for racer in racers]
    ends = plays.at_once([partial(confirm, play, racer, quote.id) for racer, quote in zip(racers, quotes, strict=True)])
    refused = [end for end in ends if isinstance(end, str)]
    assert len(refused) == 1
    assert refused[0] in {"fund.exhausted", "quote.subsidy_changed"}
    assert money(play) == (0, 6_000_00, 0)


def test_sixteen_parks_race_and_the_fund_is_spent_to_the_fen(play: Play) -> None:
    plays.give_money(play, 5 * 6_000_00 + 1_234_56)
    racers = [play.person(park.login) for park in RACERS]
    quotes = [ask(play, racer, BRIEF, WEEK) for racer in racers]
    assert {quote.subsidy_fen for quote in quotes} == {7_800_00}

    def until_ordered(racer: Actor, quote: QuoteView) -> int:
        """Confirm what is shown, and what is shown after a refusal, as a person would."""
        while True:
            try:
                return confirm(play, racer, quote.id).subsidy_fen
            except Conflict as refused:
                if refused.code not in {"fund.exhausted", "quote.subsidy_changed"}:
                    raise
                quote = ask(play, racer, BRIEF, WEEK)

    got = plays.at_once([partial(until_ordered, racer, quote) for racer, quote in zip(racers, quotes, strict=True)])
    assert sorted(got, reverse=True) == [7_800_00] * 4 + [34_56] + [0] * 11
    assert money(play) == (0, 5 * 6_000_00 + 1_234_56, 0)


def test_an_order_number_is_read_out_easily(play: Play, park: Actor) -> None:
    plays.give_money(play)
    order = plays.order(play, park, WEEK)
    assert order.number == f"20260302-{order.id.hex[-8:].upper()}"
    with pytest.raises(NotFound):
        play.do(park, lambda work: orders.read_order(work, order_id=uuid5(SEED, "no order")))


def test_staff_list_the_orders_of_many_parks_with_the_statements_of_one(play: Play) -> None:
    plays.give_money(play, 1_000_000 * YUAN)
    staff = play.person("policy")

    def listed() -> list[tuple[str, ...]]:
        return [row.titles for row in play.do(staff, orders.list_orders).items]

    plays.order(play, play.person("park01"), WEEK, BRIEF)
    alone = count_statements(play.market.engine, listed)
    for park in RACERS[:5]:
        plays.order(play, play.person(park.login), BRIEF, WEEK)
    assert count_statements(play.market.engine, listed) == alone
    assert [len(titles) for titles in listed()] == [2] * 6
    assert ["数字孪生" in titles[0] for titles in listed()] == [False] * 5 + [True]
