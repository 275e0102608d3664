"""Claims as they are shown: batches, lines with their proofs, histories, payouts, objections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from billing.rules.claims import LineProof, LineStatus, Proof, missing_proofs
from billing.rules.use_proofs import UseProof, use_proof_of
from billing.store.attendance_disputes import corrected_times
from billing.store.claims import ClaimLineEvent, ClaimObjection, Payout
from billing.store.set_offs import SetOffRow
from billing.usecases.set_offs import set_offs_of
from tenants.kernel.database import AnyRow
from tenants.kernel.work import Work
from tenants.usecases import onboarding


@dataclass(frozen=True)
class BatchView:
    """A batch with its sums: ``amount_fen`` of the lines in it, ``returned_fen`` of those sent back, ``paid_fen`` paid.

    The four people are different ones, but who submitted may pay. ``notice_until`` is the first moment after the notice.
    """

    id: UUID
    fund_id: UUID
    fund: str
    fund_name: str
    fund_name_en: str
    period: str
    status: str
    created_at: datetime
    submitted_by: UUID | None
    submitted_at: datetime | None
    first_reviewed_by: UUID | None
    first_reviewed_at: datetime | None
    second_reviewed_by: UUID | None
    second_reviewed_at: datetime | None
    notice_from: datetime | None
    notice_until: datetime | None
    done_at: datetime | None
    lines: int
    amount_fen: int
    returned_lines: int
    returned_fen: int
    paid_fen: int
    open_objections: int

    @property
    def unpaid_fen(self) -> int:
        """Return what of the batch is not paid yet."""
        return self.amount_fen - self.paid_fen


@dataclass(frozen=True)
class CorrectedUse:
    """When people really came and left, as an accepted dispute says."""

    came_at: datetime
    left_at: datetime


@dataclass(frozen=True)
class LineDetail:
    """A claim line with what proves it. ``due_fen`` is its amount less what went back to the fund; ``missing`` what it
    lacks; ``objected`` while an objection is open; ``reason`` why it was sent back last.
    """

    id: UUID
    tenant_id: UUID
    park_name: str
    batch_id: UUID
    period: str
    batch_status: str
    fund_id: UUID
    fund: str
    fund_name: str
    fund_name_en: str
    programme: str
    programme_name: str
    programme_name_en: str
    version: int
    mode: str
    hold_id: UUID
    order_line_id: UUID
    offering: str | None
    title: str | None
    amount_fen: int
    due_fen: int
    gross_fen: int | None
    payable_fen: int | None
    status: str
    payee_kind: str
    payee_id: UUID | None
    payee_name: str
    payout_id: UUID | None
    evidence: Mapping[str, Any]
    delivered_at: datetime | None
    event_source: str | None
    event_id: str | None
    event_hash: str | None
    acceptance: str | None
    accepted_at: datetime | None
    invoice_number: str | None
    invoice_paid: bool
    payment_references: tuple[str, ...]
    objected: bool
    reason: str
    created_at: datetime
    corrected_use: CorrectedUse | None
    """What an accepted dispute says of the times that ``use`` tells; None where there was none."""

    @property
    def order(self) -> str | None:
        """Return the order's number, or the order line where the number was not kept."""
        found = self.evidence.get("order") or self.evidence.get("order_line")
        return None if found is None else str(found)

    @property
    def report_sha256(self) -> str | None:
        """Return the hash of what was delivered."""
        found = self.evidence.get("report_sha256")
        return None if found is None else str(found)

    @property
    def use(self) -> UseProof | None:
        """Return what proves the use of an instrument or the test of samples; None for other services."""
        return use_proof_of(self.evidence)

    @property
    def exemption(self) -> str | None:
        """Return the document number of the case-by-case decision behind the award, if there was one."""
        found = self.evidence.get("exemption")
        return None if found is None else str(found)

    @property
    def missing(self) -> tuple[Proof, ...]:
        """Return which proofs the line lacks."""
        return missing_proofs(
            LineProof(
                payee_id=self.payee_id,
                order_line=self.order,
                event_id=self.event_id,
                acceptance=self.acceptance,
                report_sha256=self.report_sha256,
                invoice_number=self.invoice_number,
                invoice_paid=self.invoice_paid,
                payable_fen=self.payable_fen or 0,
            )
        )

    @property
    def is_in_batch(self) -> bool:
        """Tell whether the line counts in its batch: it was not sent back or given up."""
        return self.status in {LineStatus.CLAIMED, LineStatus.PAID}

    def proofs(self) -> dict[str, Any]:
        """Return what proves the line, as JSON: this is what reviewers decide on."""
        right = self.corrected_use
        corrected = {} if right is None else {"corrected_use": {name: _text(at) for name, at in vars(right).items()}}
        return {
            **dict(self.evidence),
            **corrected,
            "event_source": self.event_source,
            "event_id": self.event_id,
            "event_sha256": self.event_hash,
            "delivered_at": _text(self.delivered_at),
            "acceptance": self.acceptance,
            "accepted_at": _text(self.accepted_at),
            "invoice": self.invoice_number,
            "payments": list(self.payment_references),
            "gross_fen": self.gross_fen,
            "payable_fen": self.payable_fen,
            "amount_fen": self.due_fen,
        }


@dataclass(frozen=True)
class StepView:
    """One step in a line's life."""

    id: UUID
    batch_id: UUID
    kind: str
    reason: str
    details: Mapping[str, Any]
    evidence_id: UUID | None
    user_id: UUID | None
    at: datetime


@dataclass(frozen=True)
class PayoutView:
    """What one payee gets of a batch; ``pending`` until its payment is recorded. ``set_off_fen`` of it pays the payee's
    clawbacks, ``transfer_fen`` is transferred.
    """

    id: UUID
    batch_id: UUID
    payee_kind: str
    payee_id: UUID
    payee_name: str
    amount_fen: int
    set_off_fen: int
    transfer_fen: int
    lines: int
    status: str
    prepared_by: UUID
    created_at: datetime
    payment_reference: str | None
    paid_on: date | None
    paid_by: UUID | None
    paid_at: datetime | None
    set_offs: tuple[SetOffRow, ...]


@dataclass(frozen=True)
class ObjectionView:
    """An objection to a line during its public notice."""

    id: UUID
    tenant_id: UUID
    line_id: UUID
    batch_id: UUID
    objector: str
    reason: str
    status: str
    recorded_by: UUID
    recorded_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    decision: str


_BATCH = tuple(BatchView.__dataclass_fields__)
_PLAIN = tuple(
    name
    for name in LineDetail.__dataclass_fields__
    if name
    not in {"park_name", "payee_name", "invoice_paid", "payment_references", "objected", "reason", "corrected_use"}
)
_OBJECTION = tuple(ObjectionView.__dataclass_fields__)
_STEP = tuple(StepView.__dataclass_fields__)


def batch_view(row: AnyRow) -> BatchView:
    """Return a batch as it is shown."""
    return BatchView(**{name: getattr(row, name) for name in _BATCH})


def line_views(work: Work, rows: Sequence[AnyRow]) -> tuple[LineDetail, ...]:
    """Return lines as they are shown, with the names of parks and payees."""
    ids = {row.tenant_id for row in rows} | {row.payee_id for row in rows if row.payee_id is not None}
    names = onboarding.park_names(work, park_ids=ids)
    right = corrected_times(work.session, [row.order_line_id for row in rows])
    return tuple(
        LineDetail(
            **{name: getattr(row, name) for name in _PLAIN},
            park_name=names.get(row.tenant_id, ""),
            payee_name="" if row.payee_id is None else names.get(row.payee_id, ""),
            invoice_paid=bool(row.invoice_paid),
            payment_references=tuple(row.payment_references or ()),
            objected=bool(row.objected),
            reason=row.reason or "",
            corrected_use=CorrectedUse(*right[row.order_line_id]) if row.order_line_id in right else None,
        )
        for row in rows
    )


def step_view(row: ClaimLineEvent) -> StepView:
    """Return a step as it is shown."""
    return StepView(**{name: getattr(row, name) for name in _STEP})


def payout_views(work: Work, found: Iterable[tuple[Payout, int]]) -> tuple[PayoutView, ...]:
    """Return payouts as they are shown, with the names of who is paid."""
    rows = list(found)
    names = onboarding.park_names(work, park_ids={payout.payee_id for payout, _ in rows})
    kept = set_offs_of(work, [payout.id for payout, _ in rows])
    return tuple(
        PayoutView(
            id=payout.id,
            batch_id=payout.batch_id,
            payee_kind=payout.payee_kind,
            payee_id=payout.payee_id,
            payee_name=names.get(payout.payee_id, ""),
            amount_fen=payout.amount_fen,
            set_off_fen=payout.set_off_fen,
            transfer_fen=payout.amount_fen - payout.set_off_fen,
            lines=lines,
            status=payout.status,
            prepared_by=payout.prepared_by,
            created_at=payout.created_at,
            payment_reference=payout.payment_reference,
            paid_on=payout.paid_on,
            paid_by=payout.paid_by,
            paid_at=payout.paid_at,
            set_offs=kept[payout.id],
        )
        for payout, lines in rows
    )


def objection_view(row: ClaimObjection) -> ObjectionView:
    """Return an objection as it is shown to staff."""
    return ObjectionView(**{name: getattr(row, name) for name in _OBJECTION})


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
