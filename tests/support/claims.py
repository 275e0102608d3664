"""A month's claims on their way, with the people who may move them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from billing.usecases import claim_payouts, claim_review, claims
from billing.usecases.claim_views import BatchView, LineDetail, PayoutView
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.identifiers import new_id
from tests.support.billing_world import World

FINANCE, FIRST, SECOND = (system_actor(name, on_behalf_of=new_id()) for name in ("finance", "first", "second"))


@dataclass
class Claims:
    """A world in which two parks bought in March, were invoiced, and one paid by bank in April."""

    world: World
    parks: tuple[Actor, Actor]

    @property
    def clock(self) -> ManualClock:
        """Return the world's clock."""
        return self.world.clock

    def batch(self, period: str = "2026-03") -> BatchView:
        """Return a month's only batch."""
        with self.world.shop.work(FINANCE) as work:
            (found,) = [each for each in claims.list_batches(work).items if each.period == period]
        return found

    def lines(self, batch_id: UUID) -> tuple[LineDetail, ...]:
        """Return a batch's lines."""
        with self.world.shop.work(FINANCE) as work:
            return claims.list_batch_lines(work, batch_id=batch_id, limit=200).items

    def submit(self, *, defer: bool = False, period: str = "2026-03") -> BatchView:
        """Let finance submit a month's batch."""
        with self.world.shop.work(FINANCE) as work:
            return claim_review.submit_batch(work, batch_id=self.batch(period).id, defer_incomplete=defer)

    def review(
        self, actor: Actor, stage: str, *returns: claim_review.Return, batch_id: UUID | None = None
    ) -> BatchView:  # fmt: skip
        """Let somebody pass a review of March's batch."""
        with self.world.shop.work(actor) as work:
            return claim_review.review_batch(work, batch_id=batch_id or self.batch().id, stage=stage, returns=returns)

    def to_notice(self, period: str = "2026-03") -> BatchView:
        """Submit a month's batch and have it reviewed twice."""
        batch_id = self.submit(period=period).id
        self.review(FIRST, "first", batch_id=batch_id)
        return self.review(SECOND, "second", batch_id=batch_id)

    def after_notice(self, period: str = "2026-03") -> BatchView:
        """Let the notice of a month's batch end."""
        noticed = self.to_notice(period)
        assert noticed.notice_until is not None
        self.clock.instant = noticed.notice_until
        return noticed

    def prepare(self, actor: Actor = FINANCE, period: str = "2026-03") -> tuple[PayoutView, ...]:
        """Draw up the payouts of a month's batch."""
        with self.world.shop.work(actor) as work:
            return claim_payouts.prepare_payouts(work, batch_id=self.batch(period).id)

    def pay(self, payout_id: UUID, reference: str, actor: Actor = FINANCE, on: date | None = None) -> PayoutView:
        """Record a payout's payment."""
        with self.world.shop.work(actor) as work:
            day = on or (work.now + timedelta(hours=8)).date()
            return claim_payouts.record_payment(work, payout_id=payout_id, payment_reference=reference, paid_on=day)


def claimed(world: World) -> Claims:
    """Let two parks buy in March, be invoiced in April, and pay all they owe."""
    parks = (world.park(1), world.park(2))
    for park in parks:
        world.deliver(park, "twin")
    world.go_to(date(2026, 4, 3))
    invoices = world.issue("2026-03")
    rows = [
        (f"B-{number}", f"{invoice.payable_fen // 100}.{invoice.payable_fen % 100:02d}", invoice.payment_reference)
        for number, invoice in enumerate(invoices)
    ]
    world.bank(*rows)
    world.go_to(date(2026, 4, 16))
    return Claims(world, parks)
