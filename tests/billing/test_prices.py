"""Prices by date, tier and region: the most specific one holds, two of one scope never overlap, the past stays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.prices import EVERYBODY, PriceScope
from billing.usecases import pricing, quotes
from billing.usecases.invariants import INVARIANTS
from tenants.kernel.clock import ManualClock
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.invariants import broken
from tests.support.plays import at_once
from tests.support.subsidies import FACTS, OFFICER, ask, park

TIERS = ("", "basic", "enhanced", "leading")
CLASSES = ("", "eastern", "central", "western")
REGIONS = ("", "510000", "510100", "510104", "510118", "410000", "441900")
scopes = st.builds(PriceScope, st.sampled_from(TIERS), st.sampled_from(CLASSES), st.sampled_from(REGIONS))
parks = st.fixed_dictionaries(
    {
        "tier": st.sampled_from((None, *TIERS[1:])),
        "region_class": st.sampled_from(CLASSES[1:]),
        "region": st.sampled_from(("510104", "510118", "411224", "441900")),
    }
)


@given(st.sets(scopes, max_size=12), parks)
def test_of_the_scopes_that_hold_one_is_the_most_specific(known: set[PriceScope], facts: Mapping[str, Any]) -> None:
    held = [scope for scope in known if scope.holds_for(facts)]
    assert len({scope.rank for scope in held}) == len(held)


@pytest.mark.parametrize(
    ("scope", "holds"),
    [
        (PriceScope(), True),
        (PriceScope(region="510000"), True),
        (PriceScope(region="510100"), True),
        (PriceScope(region="510118"), True),
        (PriceScope(region="510104"), False),
        (PriceScope(region="410000"), False),
        (PriceScope("leading", "western", "510100"), True),
        (PriceScope("basic"), False),
        (PriceScope(region_class="eastern"), False),
    ],
)
def test_a_scope_holds_for_the_parks_that_it_names(scope: PriceScope, holds: bool) -> None:
    assert scope.holds_for(FACTS) is holds


def test_a_province_code_with_zeros_inside_names_its_own_cities_only() -> None:
    assert PriceScope(region="500000").holds_for({"region": "500101"})
    assert not PriceScope(region="500000").holds_for({"region": "510104"})
    assert not PriceScope(tier="basic").holds_for({}), "an unknown tier is none"


def put(
    shop: WorkShop, unit_price: str, scope: PriceScope = EVERYBODY, at: datetime | None = None
) -> pricing.PriceView:
    with shop.work(OFFICER) as work:
        return pricing.set_price(
            work,
            offering="twin",
            charge={"model": "per_unit", "unit_price": unit_price},
            vat_bp=600,
            valid_from=at or work.now,
            scope=scope,
        )


def cost(shop: WorkShop, facts: Mapping[str, Any], at: datetime | None = None) -> str | None:
    with shop.work(OFFICER) as work:
        found = pricing.list_prices(work, offerings=["twin"], at=at or work.now, facts=facts)
    return f"{found['twin'].unit_price}" if found else None


def test_the_most_specific_price_holds(workshop: WorkShop) -> None:
    put(workshop, "10", PriceScope("leading"))
    with pytest.raises(Conflict) as missing:
        ask(workshop, park(), "twin", facts=FACTS | {"tier": "basic"})
    assert missing.value.code == "price.missing"
    put(workshop, "20")
    put(workshop, "9", PriceScope(region_class="western"))
    put(workshop, "8", PriceScope("leading", "western"))
    put(workshop, "7", PriceScope(region="510000"))
    put(workshop, "0.0125", PriceScope(region="510118"))
    east = {"tier": "leading", "region_class": "eastern", "region": "310104"}
    assert cost(workshop, {}) == cost(workshop, {**east, "tier": "basic"}) == "20"
    assert cost(workshop, east) == "10"
    assert cost(workshop, {**FACTS, "region": "610102", "tier": "basic"}) == "9"
    assert cost(workshop, {**FACTS, "region": "610102"}) == "8"
    assert cost(workshop, {**FACTS, "region": "510104"}) == "7"
    assert cost(workshop, FACTS) == "0.0125"
    quote = ask(workshop, park(), "twin", quantity=500)
    assert quote.gross_fen == 625, "finer than a fen until the sum is made"
    assert broken(workshop, INVARIANTS) == {}


def test_a_price_that_came_to_hold_for_the_park_since_the_quote_is_noticed(
    workshop: WorkShop, clock: ManualClock
) -> None:
    put(workshop, "20")
    put(workshop, "10", PriceScope("leading"))
    actor = park()
    quote = ask(workshop, actor, "twin", facts=FACTS | {"tier": "basic"})
    with pytest.raises(Conflict, match=r"20\.00 元变为 10\.00 元") as changed, workshop.work(actor) as work:
        quotes.confirm_quote(work, quote_id=quote.id, facts=FACTS)
    assert changed.value.code == "price.changed"
    clock.advance(timedelta(minutes=1))
    put(workshop, "5", PriceScope("basic", "western"))
    with pytest.raises(Conflict, match=r"20\.00 元变为 5\.00 元"), workshop.work(actor) as work:
        quotes.confirm_quote(work, quote_id=quote.id)


def test_a_price_is_ended_from_a_day_on_and_withdrawn_before_its_time(workshop: WorkShop, clock: ManualClock) -> None:
    start = clock.now()
    first = put(workshop, "20")
    later = put(workshop, "30", at=start + timedelta(days=10))
    with workshop.work(OFFICER) as work:
        assert pricing.end_price(work, price_id=later.id, at=work.now).withdrawn
    assert cost(workshop, {}, start + timedelta(days=20)) == "20", "what it would have followed goes on"
    again = put(workshop, "35", at=start + timedelta(days=10))
    with workshop.work(OFFICER) as work:
        ended = pricing.end_price(work, price_id=again.id, at=start + timedelta(days=15))
        assert (ended.valid_to, ended.withdrawn) == (start + timedelta(days=15), False)
        with pytest.raises(Conflict) as over:
            pricing.end_price(work, price_id=again.id, at=start + timedelta(days=16))
        assert over.value.code == "price.ended"
        with pytest.raises(Invalid):
            pricing.end_price(work, price_id=first.id, at=start - timedelta(days=1))
        with pytest.raises(NotFound):
            pricing.end_price(work, price_id=new_id(), at=work.now)
        history = pricing.price_history(work, offering="twin")
    assert [(f"{each.unit_price}", each.withdrawn) for each in history] == [
        ("35", False), ("30", True), ("20", False),
    ]  # fmt: skip
    assert cost(workshop, {}, start + timedelta(days=16)) is None
    assert broken(workshop, INVARIANTS) == {}


def test_every_wrong_field_of_a_price_is_named(workshop: WorkShop, clock: ManualClock) -> None:
    with pytest.raises(Invalid) as refused, workshop.work(OFFICER) as work:
        pricing.set_price(
            work,
            offering="twin",
            charge={"model": "per_unit", "unit_price": "1"},
            vat_bp=10_001,
            valid_from=clock.now() - timedelta(seconds=1),
            scope=PriceScope("golden", "northern", "999999"),
        )
    assert [error.field for error in refused.value.errors] == [
        "vat_bp", "valid_from", "tier", "region_class", "region",
    ]  # fmt: skip


def test_of_two_who_set_a_price_at_once_one_is_refused(workshop: WorkShop, clock: ManualClock) -> None:
    put(workshop, "20")
    clock.advance(timedelta(minutes=1))
    scope = PriceScope("basic")
    outcomes = at_once([lambda: put(workshop, "9", scope), lambda: put(workshop, "8", scope)])
    assert [each for each in outcomes if isinstance(each, str)] == ["price.already_set"]
    assert broken(workshop, INVARIANTS) == {}
