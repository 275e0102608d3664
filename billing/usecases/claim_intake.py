"""Entering what was captured into its fund's claims, and telling what became of it.

For use cases of this package that have asked for their own permission: a delivery, and an award that is given after
the park has paid all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from billing.store import claim_intake, claim_queries
from tenants.kernel.identifiers import new_id
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
