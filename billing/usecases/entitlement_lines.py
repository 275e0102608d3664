"""What a grant that came after the delivery is in its funds' claims: entered, put in again, or taken back.

Steps of other use cases, which have asked for their own permission.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from billing.rules import ledger
from billing.rules.claims import LineStatus, PayeeKind
from billing.rules.entitlements import in_review
from billing.rules.periods import month_name
from billing.store import claim_intake
from billing.store.entitlements import Entitlement
from billing.usecases.claim_intake import (
    ClaimState,
    NewClaim,
    claims_of_holds,
    enter_claim_line,
    note_step,
    resubmit_claim_line,
    withdraw_claim_line,
)
from billing.usecases.holds import HoldView, read_line_holds
from billing.usecases.uncapture import Cause, Taken, uncapture
from tenants.kernel.work import Work


def open_batches(work: Work, funds: Iterable[UUID]) -> None:
    """Make sure that the month's batch of each fund is there, before ceilings and envelopes are taken: of two who open
    one batch the second waits for the first.
    """
    for fund_id in sorted(funds):
        claim_intake.share_fund(work.session, fund_id)
        claim_intake.open_batch(work.session, fund_id, month_name(work.now), work.now)


def enter(work: Work, row: Entitlement, held: Sequence[HoldView], proof: Mapping[str, Any]) -> None:
    """Claim every hold of a grant from its fund, for whom the policy names."""
    provider = row.facts.get("provider")
    payee_id = row.tenant_id if row.payee == PayeeKind.TENANT else UUID(provider) if provider else None
    for hold in sorted(held, key=lambda hold: (hold.fund_id, hold.id)):
        claim = NewClaim(
            tenant_id=row.tenant_id,
            hold_id=hold.id,
            fund_id=hold.fund_id,
            amount_fen=hold.amount_fen,
            payee_kind=row.payee,
            payee_id=payee_id,
            evidence=proof,
        )
        enter_claim_line(work, claim=claim, period=month_name(work.now))


def _returned(work: Work, row: Entitlement) -> list[ClaimState]:
    """Return the claims that were sent back, fund by fund as every transaction takes them."""
    holds = sorted(holds_of(work, row), key=lambda hold: (hold.fund_id, hold.id))
    states = claims_of_holds(work, hold_ids=[hold.id for hold in holds])
    return [states[hold.id] for hold in holds if states[hold.id].status == LineStatus.RETURNED]


def holds_of(work: Work, row: Entitlement) -> tuple[HoldView, ...]:
    """Return the holds of a grant: a line has others, of awards that were deducted at once."""
    return tuple(hold for hold in read_line_holds(work, row.order_line_id) if hold.programme == row.programme)


def enter_again(work: Work, row: Entitlement) -> None:
    """Put the lines that were sent back into their funds' next batches, each with the park's new documents."""
    files = [UUID(each["evidence_id"]) for _, each in sorted(row.evidence.items())]
    for state in _returned(work, row):
        resubmit_claim_line(work, tenant_id=row.tenant_id, line_id=state.line_id)
        for evidence_id in files:
            note_step(
                work,
                tenant_id=row.tenant_id,
                line_id=state.line_id,
                batch_id=state.batch_id,
                kind="attached",
                evidence_id=evidence_id,
            )


def give_back(work: Work, row: Entitlement) -> None:
    """Give the lines that were sent back up, their money back to its funds and ceilings, and strike it from the books.

    A grant is given up as a whole: Conflict ``entitlement.in_review`` while a line of it is still under review.
    """
    states = claims_of_holds(work, hold_ids=[hold.id for hold in holds_of(work, row)])
    if any(state.status != LineStatus.RETURNED for state in states.values()):
        raise in_review()
    for state in _returned(work, row):
        withdraw_claim_line(work, tenant_id=row.tenant_id, line_id=state.line_id, reason="entitlement.withdrawn")

    def journal(taken: Sequence[Taken]) -> ledger.JournalDraft:
        by_fund: dict[UUID, int] = {}
        for each in taken:
            by_fund[each.fund_id] = by_fund.get(each.fund_id, 0) + each.amount_fen
        return ledger.later_grant_undone(
            park_id=row.tenant_id, source_id=str(row.id), occurred_at=work.now, by_fund=by_fund
        )

    uncapture(
        work,
        cause=Cause("entitlement", row.id),
        amounts={hold.id: hold.captured_fen for hold in holds_of(work, row)},
        reason="entitlement.withdrawn",
        journal=journal,
    )
