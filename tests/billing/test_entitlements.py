"""Awards that come after the delivery: offered, claimed with evidence or confirmed, granted once, given up, replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta

import pytest

from billing.rules.clawbacks import ClawbackCause
from billing.rules.entitlements import State
from billing.usecases import entitlement_claims, entitlements, reconciliation
from billing.usecases.claim_intake import claims_of_holds
from billing.usecases.entitlement_lines import holds_of
from billing.usecases.entitlements import EntitlementView
from billing.usecases.evidence import Upload
from tenants.kernel.clock import ManualClock
from tenants.kernel.errors import Conflict, Invalid, NotFound, Problem
from tenants.kernel.work import WorkShop
from tests.support import subsidies
from tests.support.billing_world import FINANCE, World, make_world
from tests.support.crashes import crash_everywhere
from tests.support.invariants import broken
from tests.support.later_awards import (
    ALL,
    LATER,
    STAFF,
    YUAN,
    claim,
    later_world,
    only,
    own,
    papers,
    pay_march,
    pay_out,
    ready,
    send_back,
    withdraw,
)
from tests.support.returns import Returns


@pytest.fixture
def world(workshop: WorkShop, clock: ManualClock) -> World:
    return later_world(workshop, clock)


@pytest.fixture(autouse=True)
def sound(workshop: WorkShop) -> Iterator[None]:
    """Every test ends with books, funds and ceilings that agree."""
    yield
    assert broken(workshop, ALL) == {}


def refused(do: Callable[[], object]) -> str:
    with pytest.raises(Problem) as caught:
        do()
    return caught.value.code


def test_an_award_is_claimed_after_delivery_and_payment_and_granted_at_its_kept_terms(world: World) -> None:
    park = world.park()
    world.deliver(park, "twin")
    waiting = only(world, park)
    assert (waiting.state, waiting.amount_fen, waiting.grantable_fen) == (State.WAITING, 2_000 * YUAN, None)
    assert refused(lambda: claim(world, park, waiting, amount_fen=200_000)) == "entitlement.not_paid"
    pay_march(world)
    before = world.balances()
    offered = only(world, park)
    assert (offered.state, offered.grantable_fen, offered.reasons) == (State.OPEN, 2_000 * YUAN, ())
    granted = claim(world, park, offered)
    assert (granted.state, granted.granted_fen, granted.payee) == (State.CLAIMED, 2_000 * YUAN, "tenant")
    assert {each.kind for each in granted.documents} == {"contract", "invoice", "payment_proof"}
    with world.shop.work(FINANCE) as work:
        holds = holds_of(work, entitlements.find(work, granted.id))
        assert sorted((hold.fund, hold.envelope, hold.captured_fen) for hold in holds) == [
            ("city", "western", 100_000),
            ("province", "", 100_000),
        ]
        states = claims_of_holds(work, hold_ids=[hold.id for hold in holds])
        assert {(state.status, state.period) for state in states.values()} == {("claimed", "2026-04")}
    moved = {code: fen - before.get(code, 0) for code, fen in world.balances().items() if fen != before.get(code, 0)}
    assert moved.pop(f"grants:park:{park.tenant_id}") == -200_000
    assert sorted(moved.values()) == [100_000, 100_000], "two funds owe it, and no revenue came of it"
    with world.shop.work(FINANCE) as work:
        for month in ("2026-03", "2026-04"):
            assert reconciliation.reconcile(work, period=month).breaks == ()
    assert refused(lambda: claim(world, park, offered)) == "entitlement.claimed"
    assert refused(lambda: withdraw(world, park, granted)) == "entitlement.in_review"
    with world.shop.work(park) as work:
        replayed = entitlements.replay_entitlement(work, entitlement_id=granted.id)
    assert (replayed.amount_fen, dict(replayed.by_fund)) == (200_000, {"province": 100_000, "city": 100_000})


def test_a_claim_needs_its_papers_the_shown_amount_and_files_that_prove_nothing_else(world: World) -> None:
    park, other = world.park(1), world.park(2)
    for each in (park, other):
        world.deliver(each, "twin")
    pay_march(world)
    mine, theirs = only(world, park), only(world, other)
    with pytest.raises(Invalid) as missing:
        claim(world, park, mine, documents={"contract": papers()["contract"]})
    assert [error.field for error in missing.value.errors] == ["invoice", "payment_proof"]
    assert refused(lambda: claim(world, park, mine, amount_fen=199_999)) == "entitlement.amount_changed"
    assert refused(lambda: claim(world, other, mine)) == "entitlement.not_found"
    with world.shop.work(park) as work:
        assert refused(
            lambda: entitlement_claims.confirm_entitlement(work, entitlement_id=mine.id, amount_fen=200_000)
        ) == ("entitlement.to_claim")
    with world.shop.work(park) as work:
        kept = entitlement_claims.keep_document(
            work, entitlement_id=mine.id, file=Upload("合同.pdf", "application/pdf", b"%PDF a contract")
        )
    assert claim(world, park, mine, documents=papers("x") | {"contract": kept.id}).granted_fen == 200_000
    assert refused(lambda: claim(world, other, theirs, documents=papers("x"))) == "evidence.already_used"
    stolen = papers("y") | {"contract": kept.id}
    with pytest.raises(NotFound):
        claim(world, other, theirs, documents=stolen)
    assert only(world, other).state is State.OPEN


def test_lines_of_one_invoice_share_its_papers_and_another_order_needs_its_own_contract(world: World) -> None:
    park = world.park()
    world.deliver(park, "twin", "leads")
    world.deliver(park, "twin")
    pay_march(world)
    twin, leads, again = sorted(own(world, park), key=lambda each: (each.reference, each.title))[:3]
    by_order: dict[str, list[EntitlementView]] = {}
    for each in (twin, leads, again):
        by_order.setdefault(each.reference, []).append(each)
    two, (one,) = sorted(by_order.values(), key=len, reverse=True)
    for each in two:
        claim(world, park, each)
    assert refused(lambda: claim(world, park, one)) == "evidence.already_used"
    contract = Upload("c.pdf", "application/pdf", b"%PDF another contract")
    assert (
        claim(world, park, one, documents=papers(str(park.tenant_id)) | {"contract": contract}).state is State.CLAIMED
    )


def test_a_ceiling_counts_a_later_award_when_it_is_granted_and_cuts_it_with_its_reason(world: World) -> None:
    park = world.park()
    for _ in range(3):
        world.deliver(park, "twin")
    pay_march(world)
    offered = own(world, park)
    assert [each.grantable_fen for each in offered] == [200_000] * 3, "nothing is counted before it is granted"
    claim(world, park, offered[0], documents=papers("1"))
    claim(world, park, offered[1], documents=papers("1") | {"contract": papers("2")["contract"]})
    last = papers("1") | {"contract": papers("3")["contract"]}
    shown = own(world, park)[2]
    assert (shown.grantable_fen, shown.reasons) == (100_000, ("CAP_ENTITY_YEAR",))
    assert refused(lambda: claim(world, park, offered[2], documents=last)) == "entitlement.amount_changed"
    granted = claim(world, park, shown, documents=last)
    assert (granted.granted_fen, granted.reasons) == (100_000, ("CAP_ENTITY_YEAR",))
    with world.shop.work(park) as work:
        assert entitlements.replay_entitlement(work, entitlement_id=shown.id).amount_fen == 100_000


@pytest.mark.parametrize(("shortfall", "left"), [("partial", 120_000), ("all_or_nothing", 0)])
def test_a_fund_that_has_run_low_gives_a_part_or_nothing_by_the_programmes_terms(
    workshop: WorkShop, clock: ManualClock, shortfall: str, left: int
) -> None:
    world = make_world(workshop, clock)
    poor = subsidies.fill_fund(workshop, "poor", 320_000)
    funders = [{"fund": "poor", "share_bp": 10000}]
    terms = subsidies.policy(mode="reimburse", funders=funders, **LATER) | {"shortfall": shortfall}
    subsidies.approve_programme(workshop, "later", terms)
    first, second = world.park(1), world.park(2)
    for park in (first, second):
        world.deliver(park, "twin")
    pay_march(world)
    claim(world, first, only(world, first))
    shown = only(world, second)
    assert (shown.amount_fen, shown.grantable_fen) == (200_000, left)
    assert shown.reasons == ("FUND_PARTIAL", "ALL_OR_NOTHING")[: 1 if left else 2]
    if left:
        assert claim(world, second, shown).granted_fen == left
    else:
        assert refused(lambda: claim(world, second, shown)) == "entitlement.nothing_left"
    assert subsidies.fund_now(workshop, poor).available_fen == 120_000 - left


def test_after_the_last_day_nothing_can_be_claimed_and_what_was_claimed_stays(world: World) -> None:
    late, park = world.park(2), world.park(1)
    world.deliver(late, "twin")
    world.deliver(park, "twin")
    pay_march(world)
    claimed = claim(world, park, only(world, park))
    assert claimed.last_moment.astimezone().date() >= date(2026, 5, 31)
    world.clock.instant = only(world, late).claim_until - timedelta(microseconds=1)
    assert only(world, late).state is State.OPEN
    world.clock.instant += timedelta(microseconds=1)
    assert only(world, late).state is State.EXPIRED
    assert refused(lambda: claim(world, late, only(world, late), amount_fen=200_000)) == "entitlement.expired"
    assert only(world, park).state is State.CLAIMED


def test_what_a_reviewer_sends_back_is_completed_or_given_up_with_its_money(world: World) -> None:
    park, offered = ready(world)
    before = (subsidies.fund_now(world.shop, world.fund).available_fen, world.balances())
    granted = claim(world, park, offered)
    send_back(world, granted.id, "发票抬头不符")
    returned = only(world, park)
    assert (returned.state, returned.return_reason) == (State.RETURNED, "发票抬头不符")
    assert (
        refused(lambda: claim(world, park, returned, amount_fen=1, documents=papers("new")))
        == "entitlement.amount_changed"
    )
    again = claim(world, park, returned, amount_fen=granted.granted_fen, documents=papers("new"))
    assert again.state is State.CLAIMED
    assert subsidies.fund_now(world.shop, world.fund).captured_fen == 600_000 + 100_000, "the money stayed captured"
    send_back(world, granted.id, "仍不符")
    for _ in range(2):
        assert withdraw(world, park, returned).state is State.WITHDRAWN
    assert subsidies.fund_now(world.shop, world.fund).available_fen == before[0]
    assert {code: fen for code, fen in world.balances().items() if fen} == {k: v for k, v in before[1].items() if v}
    assert refused(lambda: claim(world, park, returned, amount_fen=200_000)) == "entitlement.withdrawn"


def test_an_offer_can_be_declined_before_anything_is_held(world: World) -> None:
    park, offered = ready(world)
    assert withdraw(world, park, offered).state is State.WITHDRAWN
    assert own(world, park, status="offered") == ()
    assert only(world, park).granted_fen is None


def test_an_automatic_award_takes_one_confirmation_and_no_papers(workshop: WorkShop, clock: ManualClock) -> None:
    world = make_world(workshop, clock)
    subsidies.approve_programme(workshop, "auto", subsidies.policy(mode="auto", **LATER))
    park = world.park()
    world.deliver(park, "twin", "leads")
    with world.shop.work(park) as work:
        assert entitlements.offered_automatically(work) == (), "not before the park has paid"
    pay_march(world)
    with world.shop.work(park) as work:
        found = entitlements.offered_automatically(work)
    assert sorted(each.grantable_fen or 0 for each in found) == [666, 200_000]
    twin = max(found, key=lambda each: each.amount_fen)
    assert refused(lambda: claim(world, park, twin)) == "entitlement.to_confirm"
    with world.shop.work(park) as work:
        granted = entitlement_claims.confirm_entitlement(work, entitlement_id=twin.id, amount_fen=200_000)
    assert (granted.state, granted.documents) == (State.CLAIMED, ())
    with world.shop.work(park) as work:
        assert [each.amount_fen for each in entitlements.offered_automatically(work)] == [666]


def test_a_claim_that_is_killed_anywhere_leaves_all_or_nothing(world: World) -> None:
    park, offered = ready(world)

    def state() -> object:
        return only(world, park), subsidies.fund_now(world.shop, world.fund), world.balances()

    assert crash_everywhere(world.shop.engine, lambda: claim(world, park, offered), state) > 10
    send_back(world, offered.id, "退回")
    assert crash_everywhere(world.shop.engine, lambda: withdraw(world, park, offered), state) > 5


def test_staff_read_and_do_not_claim(world: World) -> None:
    park, offered = ready(world)
    other = world.park(2)
    with world.shop.work(STAFF) as work:
        assert [each.id for each in entitlements.list_entitlements(work, mode="reimburse").items] == [offered.id]
        assert entitlements.list_entitlements(work, mode="auto").items == ()
        assert entitlements.list_entitlements(work, programme="later", park_id=park.tenant_id).items[0].park_name
    assert own(world, other) == ()
    with world.shop.work(park) as work, pytest.raises(Conflict):
        entitlement_claims.confirm_entitlement(work, entitlement_id=offered.id, amount_fen=200_000)


def test_a_grant_is_reviewed_twice_shown_in_public_and_paid_to_the_park_itself(world: World) -> None:
    park, offered = ready(world)
    claim(world, park, offered)
    world.go_to(date(2026, 5, 4))
    for number, fund in enumerate(("city", "province")):
        pay_out(world, fund, "2026-04", f"财拨-{number}")
        assert only(world, park).state is (State.DISBURSED if number else State.CLAIMED)
    paid = only(world, park)
    assert (paid.granted_fen, paid.return_reason) == (200_000, None)
    assert {code: fen for code, fen in world.balances().items() if code.startswith("grants:")} == {
        f"grants:park:{park.tenant_id}": 0
    }
    assert "bank" not in world.balances() or world.balances()["bank"] == 400_000, "the treasury paid the park, not us"
    assert refused(lambda: withdraw(world, park, paid)) == "entitlement.disbursed"
    assert refused(lambda: claim(world, park, paid, amount_fen=200_000)) == "entitlement.disbursed"


def test_rolling_registers_count_a_later_award_when_it_is_granted(workshop: WorkShop, clock: ManualClock) -> None:
    world = later_world(workshop, clock, rolling={"register": "aid", "years": 3, "amount_fen": 300_000}, caps=[])
    park = world.park()
    world.deliver(park, "twin")
    world.deliver(park, "twin")
    pay_march(world)
    first, second = own(world, park)
    assert (first.grantable_fen, second.grantable_fen) == (200_000, 200_000)
    claim(world, park, first)
    second = next(each for each in own(world, park) if each.id == second.id)
    assert (second.grantable_fen, second.reasons) == (100_000, ("CAP_ROLLING",))
    contract = Upload("c.pdf", "application/pdf", b"%PDF another contract")
    again = papers(str(park.tenant_id)) | {"contract": contract}
    assert claim(world, park, second, documents=again).granted_fen == 100_000
    with world.shop.work(park) as work:
        assert entitlements.replay_entitlement(work, entitlement_id=second.id).amount_fen == 100_000


def test_what_is_returned_takes_its_share_of_a_later_award_with_it(world: World) -> None:
    parks = world.park(1), world.park(2), world.park(3)
    for park in parks:
        world.deliver(park, "twin")
    pay_march(world)
    part, whole, granted = (only(world, park) for park in parks)
    returning = Returns(world)
    returning.back(part.order_line_id, 333_333)
    returning.back(whole.order_line_id)
    assert only(world, parks[1]).state is State.UNDONE
    assert refused(lambda: claim(world, parks[1], whole)) == "entitlement.undone"
    shown = only(world, parks[0])
    assert (shown.state, shown.grantable_fen) == (State.OPEN, 133_333), "two thirds of the price are left"
    assert claim(world, parks[0], shown).granted_fen == 133_333
    with world.shop.work(parks[0]) as work:
        assert entitlements.replay_entitlement(work, entitlement_id=part.id).amount_fen == 133_333
    claim(world, parks[2], granted)
    assert refused(lambda: returning.back(granted.order_line_id)) == "return.later_grant"
    case = returning.case(granted.order_line_id, ClawbackCause.INELIGIBLE, programme="later")
    assert case.amount_fen == 200_000, "the later grant alone; what was deducted at once is the return's"
    returning.uphold(case.id)
    back = returning.back(granted.order_line_id)
    assert (back.amount_fen, back.park_fen, back.public_fen) == (1_000_000, 400_000, 600_000)
    assert broken(world.shop, ALL) == {}


def test_a_grant_that_is_clawed_back_before_it_was_paid_is_over(world: World) -> None:
    park, offered = ready(world)
    claim(world, park, offered)
    clawing = Returns(world)
    case = clawing.case(offered.order_line_id, ClawbackCause.INELIGIBLE)
    clawing.uphold(case.id)
    assert only(world, park).state is State.UNDONE
    assert world.balances()[f"grants:park:{park.tenant_id}"] == 0
    assert refused(lambda: withdraw(world, park, offered)) == "entitlement.undone"
