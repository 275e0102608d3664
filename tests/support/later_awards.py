"""Parks that claim awards which come after the delivery, and a reviewer who sends claims back."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from billing.rules.claims import LineStatus
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store import claim_intake
from billing.usecases import (
    claim_payouts,
    claim_review,
    claims,
    entitlement_claims,
    entitlements,
    invariants,
    invariants_books,
)
from billing.usecases.claim_intake import claims_of_holds, note_step
from billing.usecases.entitlement_lines import holds_of
from billing.usecases.entitlements import EntitlementView
from billing.usecases.evidence import Upload
from billing.usecases.invariants_entitlements import INVARIANTS_ENTITLEMENTS
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support import subsidies
from tests.support.billing_world import World, make_world
from tests.support.claims import FINANCE, FIRST, SECOND
from tests.support.province import Province

STAFF = system_actor("reviewer", on_behalf_of=new_id())
ALL = (*invariants.INVARIANTS, *invariants_books.INVARIANTS_BOOKS, *INVARIANTS_ENTITLEMENTS)
YUAN = 100
LATER = {"payee": "tenant", "rates": [{"rate_bp": 2000}]}


def later_world(shop: WorkShop, clock: ManualClock, city_fen: int = 1_000_000 * YUAN, **changes: Any) -> World:
    """60 % of 10,000 yuan is deducted at once, 20 % comes later from two funds, up to 5,000 yuan a park and year."""
    world = make_world(shop, clock)
    subsidies.fill_fund(shop, "city", city_fen, western=1_000 * YUAN)
    funders = [{"fund": "province", "share_bp": 5000}, {"fund": "city", "share_bp": 5000}]
    caps = [{"scope": "entity_year", "amount_fen": 5_000 * YUAN}]
    terms = {"mode": "reimburse", "funders": funders, "caps": caps, "claim_days": 90, **LATER, **changes}
    subsidies.approve_programme(shop, "later", subsidies.policy(**terms))
    return world


def own(world: World, park: Actor, **wanted: Any) -> tuple[EntitlementView, ...]:
    """Return a park's awards that come later."""
    with world.shop.work(park) as work:
        return entitlements.list_entitlements(work, **wanted).items


def only(world: World, park: Actor) -> EntitlementView:
    """Return the only one a park has."""
    (one,) = own(world, park)
    return one


def pay_march(world: World) -> None:
    """Issue March's invoices and let each be paid by bank transfer."""
    world.go_to(date(2026, 4, 1))
    for number, invoice in enumerate(world.issue("2026-03")):
        yuan = f"{invoice.payable_fen // 100}.{invoice.payable_fen % 100:02d}"
        said = world.bank((f"T{number}", yuan, invoice.payment_reference), name=f"{number}.csv")
        assert said.matched == 1


def ready(world: World, number: int = 1) -> tuple[Actor, EntitlementView]:
    """A park whose delivery is paid, and what it can claim."""
    park = world.park(number)
    world.deliver(park, "twin")
    pay_march(world)
    return park, only(world, park)


def papers(mark: str = "") -> dict[str, Upload | UUID]:
    """Return the files of a claim; another mark makes other files."""
    return {
        kind: Upload(f"{kind}.pdf", "application/pdf", f"%PDF {kind} {mark}".encode())
        for kind in ("contract", "invoice", "payment_proof")
    }


def claim(world: World, park: Actor, entitlement: EntitlementView, **changes: Any) -> EntitlementView:
    """Claim what is shown, with files of the park's own."""
    given = {"amount_fen": entitlement.grantable_fen, "documents": papers(str(park.tenant_id))} | changes
    with world.shop.work(park) as work:
        return entitlement_claims.claim_entitlement(work, entitlement_id=entitlement.id, **given)


def withdraw(world: World, park: Actor, entitlement: EntitlementView) -> EntitlementView:
    """Give an award up."""
    with world.shop.work(park) as work:
        return entitlement_claims.withdraw_entitlement(work, entitlement_id=entitlement.id)


def send_back(world: World | Province, entitlement_id: UUID, reason: str) -> None:
    """Let a reviewer send the claim of every fund back."""
    shop = world.shop if isinstance(world, World) else world.workshop
    with shop.work(STAFF) as work:
        row = entitlements.find(work, entitlement_id)
        holds = holds_of(work, row)
        for state in claims_of_holds(work, hold_ids=[hold.id for hold in holds]).values():
            assert claim_intake.set_line(
                work.session, row.tenant_id, state.line_id, before=LineStatus.CLAIMED, status=LineStatus.RETURNED
            )
            note_step(
                work,
                tenant_id=row.tenant_id,
                line_id=state.line_id,
                batch_id=state.batch_id,
                kind="returned",
                reason=reason,
            )


def pay_out(world: World, fund: str, period: str, reference: str) -> None:
    """Take a fund's batch of a month all the way: submitted, reviewed by two, shown in public, paid."""
    finance, first, second = FINANCE, FIRST, SECOND
    with world.shop.work(finance) as work:
        (batch,) = (each for each in claims.list_batches(work).items if (each.fund, each.period) == (fund, period))
        claim_review.submit_batch(work, batch_id=batch.id)
    with world.shop.work(first) as work:
        claim_review.review_batch(work, batch_id=batch.id, stage="first", returns=())
    with world.shop.work(second) as work:
        noticed = claim_review.review_batch(work, batch_id=batch.id, stage="second", returns=())
    assert noticed.notice_until is not None
    world.clock.instant = noticed.notice_until
    with world.shop.work(finance) as work:
        (payout,) = claim_payouts.prepare_payouts(work, batch_id=batch.id)
    with world.shop.work(finance) as work:
        day = local_day(work.now, DEFAULT_ZONE)
        claim_payouts.record_payment(work, payout_id=payout.id, payment_reference=reference, paid_on=day)
