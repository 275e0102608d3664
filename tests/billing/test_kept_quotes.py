"""Quotes that are kept: confirmed to the same fen or refused, and replayed years later."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.usecases import pricing, quotes
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.subsidies import (
    FACTS,
    OFFICER,
    YUAN,
    approve_programme,
    ask,
    check_out,
    fill_fund,
    park,
    policy,
    price,
    supersede,
)


def confirm(workshop: WorkShop, actor: Actor, quote: quotes.QuoteView) -> quotes.QuoteView:
    with workshop.work(actor) as work:
        return quotes.confirm_quote(work, quote_id=quote.id)


def test_a_quote_is_confirmed_exactly_as_it_was_shown_until_it_expires(workshop: WorkShop, clock: ManualClock) -> None:
    fill_fund(workshop, "province", 10**9)
    approve_programme(workshop, "tech", policy())
    price(workshop, "twin")
    actor = park()
    quote = ask(workshop, actor, "twin")
    with workshop.work(actor) as work:
        assert quotes.read_quote(work, quote_id=quote.id) == quote
    clock.advance(timedelta(minutes=30) - timedelta(microseconds=1))
    assert confirm(workshop, actor, quote) == quote
    clock.advance(timedelta(microseconds=1))
    with pytest.raises(Conflict) as refused:
        confirm(workshop, actor, quote)
    assert refused.value.code == "quote.expired"


def test_a_changed_price_is_told_with_both_amounts(workshop: WorkShop, clock: ManualClock) -> None:
    fill_fund(workshop, "province", 10**9)
    price(workshop, "twin")
    actor = park()
    quote = ask(workshop, actor, "twin")
    clock.advance(timedelta(minutes=1))
    price(workshop, "twin", "12000")
    with pytest.raises(Conflict, match=r"10,000\.00 元变为 12,000\.00 元") as refused:
        confirm(workshop, actor, quote)
    assert refused.value.code == "price.changed"


def test_a_changed_subsidy_is_told_with_both_amounts(workshop: WorkShop) -> None:
    fill_fund(workshop, "province", 10**9)
    programme = approve_programme(workshop, "tech", policy())
    price(workshop, "twin")
    actor = park()
    quote = ask(workshop, actor, "twin")
    supersede(workshop, programme, policy(rates=[{"rate_bp": 5000}]))
    with pytest.raises(Conflict, match=r"原补贴 6,000\.00 元、应付 4,000\.00 元，现补贴 5,000\.00") as refused:
        confirm(workshop, actor, quote)
    assert refused.value.code == "quote.subsidy_changed"


def test_the_same_money_by_other_rules_is_a_change_too(workshop: WorkShop) -> None:
    fill_fund(workshop, "province", 10**9)
    programme = approve_programme(workshop, "tech", policy())
    price(workshop, "twin")
    actor = park()
    quote = ask(workshop, actor, "twin")
    supersede(workshop, programme, policy())
    with pytest.raises(Conflict, match="补贴有变化"):
        confirm(workshop, actor, quote)


def test_a_quote_is_replayed_from_what_was_stored(workshop: WorkShop, clock: ManualClock) -> None:
    fill_fund(workshop, "province", 9_000 * YUAN)
    caps = [{"scope": "entity_year", "amount_fen": 7_000 * YUAN}]
    programme = approve_programme(workshop, "tech", policy(caps=caps))
    price(workshop, "twin")
    price(workshop, "leads", "3000")
    actor = park()
    check_out(workshop, actor, ask(workshop, actor, "leads"))
    quote = ask(workshop, actor, "twin", "leads")
    check_out(workshop, actor, quote)
    clock.advance(timedelta(days=400))
    supersede(workshop, programme, policy(window={"from": "2027-05-01"}, rates=[{"rate_bp": 100}]))
    with workshop.work(actor) as work:
        again = quotes.replay_quote(work, quote_id=quote.id)
    assert again["subsidy_fen"] == quote.subsidy_fen == 5_200 * YUAN
    assert [[award["reasons"] for award in line["awards"]] for line in again["lines"]] == [
        [list(award.reasons) for award in line.awards] for line in quote.lines
    ]


def test_a_ceiling_counts_earlier_orders_and_earlier_lines(workshop: WorkShop) -> None:
    fill_fund(workshop, "province", 10**9)
    approve_programme(workshop, "tech", policy(caps=[{"scope": "entity_year", "amount_fen": 10_000 * YUAN}]))
    price(workshop, "twin")
    actor = park()
    first = ask(workshop, actor, "twin", "twin")
    assert [line.subsidy_fen for line in first.lines] == [600_000, 400_000]
    check_out(workshop, actor, ask(workshop, actor, "twin"))
    assert [line.subsidy_fen for line in ask(workshop, actor, "twin", "twin").lines] == [400_000, 0]
    assert [line.subsidy_fen for line in ask(workshop, park(), "twin").lines] == [600_000]


def test_another_parks_quote_is_not_found(workshop: WorkShop) -> None:
    price(workshop, "twin")
    quote = ask(workshop, park(), "twin")
    with pytest.raises(NotFound):
        confirm(workshop, park(), quote)


def test_without_a_price_nothing_is_quoted(workshop: WorkShop) -> None:
    with pytest.raises(Conflict) as refused:
        ask(workshop, park(), "twin")
    assert refused.value.code == "price.missing"


@pytest.mark.parametrize("quantity", [0, -1, 10**15])
def test_a_quantity_that_cannot_be_priced_is_refused(workshop: WorkShop, quantity: int) -> None:
    price(workshop, "twin")
    with pytest.raises(Invalid) as refused:
        ask(workshop, park(), "twin", quantity=quantity)
    assert refused.value.errors[0].field == "lines[0].quantity"


def test_a_fund_that_does_not_exist_gives_nothing_and_a_preview_keeps_nothing(workshop: WorkShop) -> None:
    price(workshop, "twin")
    with workshop.work(park()) as work:
        shown = quotes.preview(work, lines=[quotes.QuoteLineRequest("twin", 1)], facts=FACTS)
    assert (shown.gross_fen, shown.subsidy_fen, shown.payable_fen) == (1_000_000, 0, 1_000_000)


def test_a_price_never_touches_the_past(workshop: WorkShop, clock: ManualClock) -> None:
    charge = {"model": "per_unit", "unit_price": "1"}
    with workshop.work(OFFICER) as work:
        later = work.now + timedelta(days=10)
        scheduled = pricing.set_price(work, offering="twin", charge=charge, vat_bp=600, valid_from=later)
        first = pricing.set_price(work, offering="twin", charge=charge, vat_bp=600, valid_from=work.now)
        assert first.valid_to == later
        assert pricing.price_at(work, offering="twin", at=work.now).id == first.id
        assert pricing.price_at(work, offering="twin", at=later).id == scheduled.id
        assert set(pricing.list_prices(work, offerings=["twin", "leads"], at=work.now)) == {"twin"}
    clock.advance(timedelta(days=1))
    with workshop.work(OFFICER) as work:
        with pytest.raises(Invalid):
            pricing.set_price(
                work, offering="twin", charge=charge, vat_bp=600, valid_from=work.now - timedelta(seconds=1)
            )
        with pytest.raises(Conflict):
            pricing.set_price(work, offering="twin", charge=charge, vat_bp=600, valid_from=later)
        with pytest.raises(Invalid) as refused:
            pricing.set_price(work, offering="twin", charge={"model": "per_unit"}, vat_bp=600, valid_from=later)
    assert "unit_price" in refused.value.errors[0].field
    with pytest.raises(NotFound), workshop.work(park()) as work:
        quotes.read_quote(work, quote_id=new_id())
