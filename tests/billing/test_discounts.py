"""Discounts: before the subsidy on a price, off the park's own part on an invoice; never below zero, by one or two people."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from billing.rules.discounts import Discount, best, own_part, spread
from billing.rules.invoices import BilledLine, totals
from billing.usecases import discounts, invoice_settings, invoice_voids, reconciliation
from billing.usecases.discounts import DiscountView, DiscountWish
from billing.usecases.invariants_discounts import INVARIANTS_DISCOUNTS
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Tier
from tenants.kernel.work import WorkShop
from tests.support import subsidies
from tests.support.billing_world import FINANCE, World, make_world
from tests.support.databases import Database
from tests.support.invariants import broken
from tests.support.returns import ALL as MONEY
from tests.support.returns import Returns

SECOND = system_actor("finance", on_behalf_of=new_id())
ALL = (*MONEY, *INVARIANTS_DISCOUNTS)
BP = st.integers(1, 10_000)
FEN = st.integers(0, 10**12)


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    return make_world(workshop, clock)


def wish(world: World, park: Actor | None, **given: Any) -> DiscountWish:
    start: datetime = world.clock.instant
    values: dict[str, Any] = {
        "park_id": None if park is None else park.require_tenant(),
        "tier": None,
        "offering": "",
        "rate_bp": 1_000,
        "amount_fen": None,
        "valid_from": start,
        "valid_to": start + timedelta(days=60),
        "reason": "首年优惠",
    }
    return DiscountWish(**(values | given))


def grant(world: World, park: Actor | None, **given: Any) -> DiscountView:
    """Put a discount in force, by two where it takes two."""
    with world.shop.work(FINANCE) as work:
        made = discounts.ask_discount(work, wish=wish(world, park, **given))
    if made.status == "asked":
        with world.shop.work(SECOND) as work:
            made = discounts.approve_discount(work, discount_id=made.id)
    assert made.status == "in_force"
    return made


@given(st.lists(st.one_of(BP.map(lambda bp: (bp, None)), st.integers(1, 10**12).map(lambda fen: (None, fen)))), FEN)
def test_the_best_discount_never_takes_more_than_the_price(rules: list[Any], price: int) -> None:
    known = [Discount(UUID(int=index), *rule) for index, rule in enumerate(rules)]
    chosen, fen = best(known, price)
    assert 0 <= fen <= price
    assert fen == max((each.taken_off(price) for each in known), default=0)
    assert (chosen is None) == (fen == 0)
    assert best(reversed(known), price) == (chosen, fen)


@given(
    st.lists(
        st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.booleans()),
        min_size=1, max_size=8,
    ),
    BP,
    st.sampled_from([0, 600, 1300]),
)  # fmt: skip
def test_an_invoices_discount_is_split_over_the_parks_own_part(rows: list[Any], bp: int, vat_bp: int) -> None:
    payable = [row[1] for row in rows]
    still_open = [own_part(pays, back % (pays + 1), later, prepaid=paid) for _, pays, back, later, paid in rows]
    fen = Discount(UUID(int=1), bp).taken_off(sum(still_open))
    parts = spread(fen, still_open)
    assert sum(parts) == fen
    assert all(0 <= part <= most <= pays for part, most, pays in zip(parts, still_open, payable, strict=True))
    lines = [
        BilledLine(public + pays, public, pays - part, vat_bp, part)
        for (public, pays, *_), part in zip(rows, parts, strict=True)
    ]
    found = totals(lines)
    assert found.subsidy_fen == sum(row[0] for row in rows), "the public part is what it was"
    assert found.gross_fen == found.subsidy_fen + found.discount_fen + found.payable_fen
    assert found.net_fen + found.vat_fen == found.gross_fen - found.discount_fen
    assert all(
        0 <= vat <= line.gross_fen - line.discount_fen for vat, line in zip(found.line_vat_fen, lines, strict=True)
    )


def test_a_discount_of_an_offering_comes_off_before_the_subsidy(world: World) -> None:
    park, other = world.park(1), world.park(2)
    grant(world, park, offering="twin", rate_bp=2_500)
    grant(world, park, offering="twin", rate_bp=None, amount_fen=100_000)
    for each in (park, other):
        world.deliver(each, "twin")
    world.deliver(park, "leads")
    with world.shop.work(FINANCE) as work:
        rows = work.session.execute(
            text("SELECT tenant_id, offering, gross_fen, subsidy_fen, agreed_discount_fen FROM rated_usage")
        ).all()
    assert {(row[0], row[1]): tuple(row[2:]) for row in rows} == {
        (park.require_tenant(), "twin"): (750_000, 450_000, 250_000),
        (park.require_tenant(), "leads"): (3_333, 1_999, 0),
        (other.require_tenant(), "twin"): (1_000_000, 600_000, 0),
    }
    world.go_to(date(2026, 4, 2))
    issued = {row.park_id: world.invoice(row.id) for row in world.issue("2026-03")}
    invoice = issued[park.require_tenant()]
    assert (invoice.list_fen, invoice.agreed_discount_fen, invoice.discount_fen) == (1_003_333, 250_000, 0)
    assert invoice.gross_fen == 753_333 == invoice.subsidy_fen + invoice.payable_fen
    with world.shop.work(FINANCE) as work:
        assert reconciliation.reconcile(work, period="2026-03").breaks == ()
    assert broken(world.shop, ALL) == {}


def test_a_programme_on_the_net_price_subsidises_the_discounted_net_price(world: World) -> None:
    subsidies.approve_programme(world.shop, "net", subsidies.policy(rates=[{"rate_bp": 1_000}], base="net_of_vat"))
    subsidies.price(world.shop, "scan", "106")
    park = world.park()
    grant(world, park, offering="scan", rate_bp=5_000)
    world.deliver(park, "scan")
    with world.shop.work(FINANCE) as work:
        gross, awards = work.session.execute(text("SELECT gross_fen, awards FROM rated_usage")).one()
    bases = {award["programme"]: award["base_fen"] for award in awards}
    assert (gross, bases["net"], bases["tech"]) == (5_300, 5_000, 5_300)
    assert broken(world.shop, ALL) == {}


def test_a_discount_of_the_invoice_touches_only_what_the_park_still_pays(world: World) -> None:
    back = Returns(world)
    park = world.park()
    world.bank(("T0", "5000", back.reference(park)), name="0")
    back.sold(park, payment_method="wallet")
    returned = back.sold(park)
    back.sold(park, "leads")
    back.back(returned, 100_000)
    grant(world, park, rate_bp=1_000)
    world.go_to(date(2026, 4, 2))
    (row,) = world.issue("2026-03")
    invoice = world.invoice(row.id)
    own = 400_000 - 40_000 + 1_334
    assert invoice.discount_fen == own // 10 == sum(line.discount_fen for line in invoice.lines)
    assert [line.discount_fen > 0 for line in invoice.lines] == [not line.paid for line in invoice.lines]
    assert invoice.subsidy_fen == 600_000 * 2 + 1_999
    assert invoice.open_fen == own - own // 10
    assert broken(world.shop, ALL) == {}
    with world.shop.work(FINANCE) as work:
        assert reconciliation.reconcile(work, period="2026-03").breaks == ()
    for order_line in (returned,):
        back.back(order_line)
    line = next(each for each in world.invoice(row.id).lines if not each.paid and each.offering == "twin")
    assert world.invoice(row.id).paid_fen >= 360_000 - line.discount_fen
    assert broken(world.shop, ALL) == {}, "nobody gets back what the discount took off"
    assert [code for code, fen in world.balances().items() if fen < 0 and code.startswith("receivable:park")] == []


def test_a_void_invoice_gives_its_discount_up_and_the_next_has_its_own(world: World) -> None:
    park = world.park()
    world.deliver(park, "twin")
    made = grant(world, park, rate_bp=10_000)
    (row,) = world.issue("2026-03")
    assert (row.payable_fen, row.status, row.discount_fen) == (0, "paid", 400_000)
    assert broken(world.shop, ALL) == {}
    with world.shop.work(FINANCE) as work:
        assert discounts.end_discount(work, discount_id=made.id).status == "ended"
    world.go_to(date(2026, 4, 1))
    world.deliver(park, "leads", quantity=10)
    grant(world, park, rate_bp=None, amount_fen=500, valid_to=world.clock.instant + timedelta(days=90))
    (row,) = world.issue("2026-04")
    assert (row.discount_fen, row.payable_fen) == (500, 13_332 - 500)
    with world.shop.work(FINANCE) as work:
        invoice_voids.ask_void(work, invoice_id=row.id, reason="抬头有误")
    with world.shop.work(SECOND) as work:
        invoice_voids.void_invoice(work, invoice_id=row.id)
    assert broken(world.shop, ALL) == {}
    again = [each for each in world.issue("2026-04") if each.status == "finalized"]
    assert [each.discount_fen for each in again] == [500]
    assert broken(world.shop, ALL) == {}


def test_above_the_limits_and_for_a_tier_it_takes_two(world: World) -> None:
    park = world.park()
    with world.shop.work(SECOND) as work:
        settings = invoice_settings.change_invoice_settings(
            work, grace_days=3, alone_up_to_fen=1_000, discount_alone_bp=500
        )
    assert settings.discount_alone_bp == 500
    cases: tuple[tuple[dict[str, Any], bool], ...] = (
        ({"rate_bp": 500}, False),
        ({"rate_bp": 501}, True),
        ({"rate_bp": None, "amount_fen": 1_000}, False),
        ({"rate_bp": None, "amount_fen": 1_001}, True),
        ({"park_id": None, "tier": Tier.BASIC, "rate_bp": 1}, True),
    )
    made = None
    for given_, by_two in cases:
        with world.shop.work(FINANCE) as work:
            made = discounts.ask_discount(work, wish=wish(world, park, **given_))
        assert (made.by_two, made.status) == (by_two, "asked" if by_two else "in_force")
    assert made is not None
    with pytest.raises(Conflict) as refused, world.shop.work(FINANCE) as work:
        discounts.approve_discount(work, discount_id=made.id)
    assert refused.value.code == "discount.same_person"
    with world.shop.work(SECOND) as work:
        assert discounts.refuse_discount(work, discount_id=made.id).status == "refused"
    with pytest.raises(Conflict), world.shop.work(FINANCE) as work:
        discounts.end_discount(work, discount_id=made.id)
    with world.shop.work(park) as work:
        assert {each.status for each in discounts.list_discounts(work).items} == {"in_force"}
    with world.shop.work(world.park(2)) as work:
        assert discounts.list_discounts(work).items == ()


def test_wrong_wishes_are_refused_by_field(world: World) -> None:
    park = world.park()
    now = world.clock.instant
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"park_id": None}, "park_id"),
        ({"tier": Tier.BASIC}, "park_id"),
        ({"rate_bp": None}, "rate_bp"),
        ({"amount_fen": 1}, "rate_bp"),
        ({"rate_bp": 10_001}, "rate_bp"),
        ({"rate_bp": None, "amount_fen": 0}, "rate_bp"),
        ({"valid_to": now}, "valid_to"),
        ({"reason": " "}, "reason"),
    )
    for given_, field in wrong:
        with pytest.raises(Invalid) as refused, world.shop.work(FINANCE) as work:
            discounts.ask_discount(work, wish=wish(world, park, **given_))
        assert [each.field for each in refused.value.errors] == [field], given_


BROKEN = {
    "discount-agreed": "UPDATE rated_usage SET agreed_discount_fen = agreed_discount_fen + 1 WHERE agreed_discount_fen > 0",
    "discount-of-invoice": "UPDATE invoices SET discount_fen = discount_fen - 1, payable_fen = payable_fen + 1",
    "discount-own-part": "UPDATE rated_usage SET payment_method = 'wallet'",
}


def test_each_invariant_finds_its_break(world: World, database: Database) -> None:
    park = world.park()
    grant(world, park, offering="twin")
    grant(world, park)
    world.deliver(park, "twin")
    world.issue("2026-03")
    assert set(BROKEN) == {each.name for each in INVARIANTS_DISCOUNTS}
    for name, change in BROKEN.items():
        with database.owner().connect() as connection, connection.begin() as transaction:
            connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text(change))
            (wanted,) = [each for each in INVARIANTS_DISCOUNTS if each.name == name]
            assert connection.execute(text(wanted.sql)).all(), name
            transaction.rollback()
    assert broken(world.shop, ALL) == {}
