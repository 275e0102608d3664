"""Entering what was captured into its fund's claims, and telling what became of it.

For use cases of this package that have asked for their own permission: a delivery, and an award that is given after
the park has paid all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from billing.rules.claims import LineStatus
from billing.store import claim_intake, claim_queries
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.work import Work


@dataclass(frozen=True)
class NewClaim:
    """A captured hold of a park and the payee its money is due to. ``evidence`` is what is known when it is entered.

    Without ``payee_id`` a provider's line can be entered and not be submitted.
    """

    tenant_id: UUID
    hold_id: UUID
    fund_id: UUID
    amount_fen: int
    payee_kind: str
    payee_id: UUID | None
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class ClaimState:
    """What became of a hold's claim. ``reason`` is why it was sent back last, '' when it never was."""

    line_id: UUID
    batch_id: UUID
    period: str
    batch_status: str
    status: str
    reason: str


def enter_claim_line(work: Work, *, claim: NewClaim, period: str) -> UUID:
    """Enter a captured hold into the fund's batch of ``period``, or of the next month that is not under review.

    Call it before the fund is moved: the funds' rows are taken last. A hold has one claim; a second one is refused by
    the database. Callers with several funds enter them in the order of ``fund_id``.
    """
    claim_intake.share_fund(work.session, claim.fund_id)
    line_id = new_id()
    claim_intake.insert_claim_line(
        work.session,
        {
            "tenant_id": claim.tenant_id,
            "id": line_id,
            "batch_id": claim_intake.open_batch(work.session, claim.fund_id, period, work.now),
            "hold_id": claim.hold_id,
            "amount_fen": claim.amount_fen,
            "evidence": dict(claim.evidence),
            "created_at": work.now,
            "status": "claimed",
            "payee_kind": claim.payee_kind,
            "payee_id": claim.payee_id,
        },
    )
    return line_id


def claims_of_holds(work: Work, *, hold_ids: Collection[UUID]) -> Mapping[UUID, ClaimState]:
    """Return by hold what became of its claim; a hold without one is missing."""
    return {
        row.hold_id: ClaimState(row.line_id, row.batch_id, row.period, row.batch_status, row.status, row.reason or "")
        for row in claim_queries.states_of_holds(work.session, hold_ids)
    }


def resubmit_claim_line(work: Work, *, tenant_id: UUID, line_id: UUID, note: str = "") -> None:
    """Put a line that was sent back into its fund's next batch that is not under review, with what completes it.

    Raises Conflict ``claim.not_returned`` for a line that is not sent back.
    """
    place = claim_queries.place_of_line(work.session, tenant_id, line_id)
    if place is None or place.status != LineStatus.RETURNED:
        raise not_returned()
    claim_intake.share_fund(work.session, place.fund_id)
    batch_id = claim_intake.open_batch(work.session, place.fund_id, place.period, work.now)
    if not claim_intake.set_line(
        work.session, tenant_id, line_id, before=LineStatus.RETURNED, status=LineStatus.CLAIMED, batch_id=batch_id
    ):
        raise not_returned()
    note_step(work, tenant_id=tenant_id, line_id=line_id, batch_id=batch_id, kind="resubmitted", reason=note)


def withdraw_claim_line(work: Work, *, tenant_id: UUID, line_id: UUID, reason: str) -> None:
    """Give a line up that was sent back. Its money is the caller's to give back, in the same transaction.

    Raises Conflict ``claim.not_returned`` for a line that is not sent back.
    """
    place = claim_queries.place_of_line(work.session, tenant_id, line_id)
    if place is None or not claim_intake.set_line(
        work.session, tenant_id, line_id, before=LineStatus.RETURNED, status=LineStatus.GIVEN_UP
    ):
        raise not_returned()
    note_step(work, tenant_id=tenant_id, line_id=line_id, batch_id=place.batch_id, kind="given_up", reason=reason)


def note_step(
    work: Work,
    *,
    tenant_id: UUID,
    line_id: UUID,
    batch_id: UUID,
    kind: str,
    reason: str = "",
    evidence_id: UUID | None = None,
) -> None:
    """Add a step to a line's history."""
    row = claim_intake.step_row(
        work.now, work.actor.user_id, tenant_id, line_id, batch_id, kind, reason, evidence_id=evidence_id
    )
    claim_intake.insert_steps(work.session, [row])


def not_returned() -> Conflict:
    """Return the refusal to complete or give up what is not sent back."""
    return Conflict("claim.not_returned", msg("该申报明细不在退回状态，不能补正或放弃。请刷新查看最新状态。"))
