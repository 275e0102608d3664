"""Returned services and clawbacks in tests of money: who does what, and what everything comes to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text

from billing.rules import ledger
from billing.rules.clawbacks import Bearer, ClawbackCause
from billing.rules.returns import ReturnCause
from billing.store.books import post_journal
from billing.usecases import (
    clawbacks,
    invariants,
    invariants_books,
    invariants_credit_notes,
    invariants_returns,
    returns,
    uncapture,
)
from billing.usecases.clawback_cases import ClawbackView
from billing.usecases.evidence import Upload
from billing.usecases.return_views import ReturnView
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import Work, WorkShop
from tenants.usecases import onboarding
from tests.support.billing_world import FINANCE, World
from tests.support.invariants import broken
from tests.support.subsidies import APPROVER, OFFICER

PROVIDER = new_id()
FILE = Upload("决定书.pdf", "application/pdf", b"%PDF decision")
ALL = (
    *invariants.INVARIANTS,
    *invariants_books.INVARIANTS_BOOKS,
    *invariants_returns.INVARIANTS_RETURNS,
    *invariants_credit_notes.INVARIANTS_CREDIT_NOTES,
)
MOVED = (
    "holds", "hold_returns", "line_returns", "clawbacks", "clawback_parts", "clawback_repayments", "fund_entries",
    "fund_envelopes", "cap_counters", "journals", "postings", "invoices", "payments", "allocations", "wallets",
    "wallet_entries", "evidence_files",
)  # fmt: skip


def state(shop: WorkShop) -> list[Any]:
    """Return everything that a return or a clawback changes."""
    with shop.work(system_actor("test")) as work:
        return [sorted(map(repr, work.session.execute(text(f"SELECT * FROM {table}")))) for table in MOVED]


@dataclass
class Returns:
    """Returns and cases in a world of money."""

    world: World

    @property
    def shop(self) -> WorkShop:
        """Where the work is done."""
        return self.world.shop

    def sold(self, park: Actor, offering: str = "twin", payment_method: str = "invoice") -> UUID:
        """Deliver a service now; return its order line."""
        self.world.deliver(park, offering, payment_method=payment_method)
        with self.shop.work(FINANCE) as work:
            latest = text("SELECT order_line_id FROM rated_usage ORDER BY rated_at DESC, id DESC LIMIT 1")
            return UUID(str(work.session.execute(latest).scalar_one()))

    def back(self, line: UUID, amount_fen: int | None = None, cause: ReturnCause = ReturnCause.RETURNED) -> ReturnView:
        """Return a line."""
        wish = returns.ReturnWish(cause, "结果无法使用", "服务机构 2026-03-02 来函", "孪生推演", amount_fen, FILE)
        with self.shop.work(FINANCE) as work:
            return returns.return_delivery(work, order_line_id=line, provider_id=PROVIDER, wish=wish)

    def pay_out(self, line: UUID) -> None:
        """Let the funds pay what the line captured, as a claim does."""
        with self.shop.work(FINANCE) as work:
            spent = uncapture.lock_spent(work, order_line_ids=[line])
            paid = uncapture.disburse(work, hold_ids=[each.hold_id for each in spent], reason="claim.paid")
            for each in paid:
                post_disbursement(work, each)

    def case(
        self,
        line: UUID,
        cause: ClawbackCause,
        amount_fen: int | None = None,
        bearer: Bearer | None = None,
        programme: str | None = None,
    ) -> ClawbackView:
        """Open a case."""
        due = date(2026, 12, 1)
        wish = clawbacks.ClawbackWish(cause, "资格不符", due, "孪生推演", amount_fen, bearer, FILE, programme)
        with self.shop.work(OFFICER) as work:
            return clawbacks.open_clawback(work, order_line_id=line, provider_id=PROVIDER, wish=wish)

    def uphold(self, clawback_id: UUID, actor: Actor = APPROVER, *, uphold: bool = True) -> ClawbackView:
        """Decide a case."""
        with self.shop.work(actor) as work:
            return clawbacks.decide_clawback(work, clawback_id=clawback_id, uphold=uphold, note="同意")

    def reference(self, park: Actor) -> str:
        """Return what a park writes on its transfers."""
        with self.shop.work(FINANCE) as work:
            return onboarding.read_organisation(work, organisation_id=park.require_tenant()).payment_reference

    def check(self) -> None:
        """Every invariant holds."""
        assert broken(self.shop, ALL) == {}


def post_disbursement(work: Work, paid: uncapture.Taken) -> None:
    """Post what a fund paid."""
    draft = ledger.disbursement(
        fund_id=paid.fund_id, source_id=str(new_id()), occurred_at=work.now, amount_fen=paid.amount_fen
    )
    post_journal(work.session, draft, user_id=None)
