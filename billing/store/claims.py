"""Claims: a month's captured money of a fund, reviewed by two, shown in public, and paid out to whom it is due."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.rules.claims import BatchStatus, LineStatus, PayeeKind
from tenants.kernel.database import Base, Code, Fen, Name, TenantOwned, one_of, owned_reference


class ClaimBatch(Base):
    """The claims of one fund and month, on their way to disbursement: submitted, reviewed twice, shown in public."""

    __tablename__ = "claim_batches"
    __table_args__ = (
        UniqueConstraint("fund_id", "period"),
        UniqueConstraint("id", "first_reviewed_by", "second_reviewed_by"),
        one_of("status", BatchStatus),
        CheckConstraint("(status = 'open') = (submitted_by IS NULL)", name="submitted"),
        CheckConstraint("first_reviewed_by <> submitted_by", name="first_reviewer_is_another"),
        CheckConstraint(
            "second_reviewed_by <> submitted_by AND second_reviewed_by <> first_reviewed_by",
            name="second_reviewer_is_another",
        ),
        CheckConstraint("second_reviewed_by IS NULL OR first_reviewed_by IS NOT NULL", name="first_review_first"),
        CheckConstraint(
            "status NOT IN ('notice', 'disbursed') OR (second_reviewed_by IS NOT NULL AND notice_until IS NOT NULL)",
            name="reviewed_twice",
        ),
        CheckConstraint("notice_until >= notice_from + interval '5 days'", name="notice_long_enough"),
        {"info": {"shared": "public money of the province, which all parks draw on"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    fund_id: Mapped[UUID] = mapped_column(ForeignKey("funds.id"))
    period: Mapped[str] = mapped_column(String(7))
    status: Mapped[Code]
    created_at: Mapped[datetime]
    submitted_by: Mapped[UUID | None]
    submitted_at: Mapped[datetime | None]
    first_reviewed_by: Mapped[UUID | None]
    first_reviewed_at: Mapped[datetime | None]
    second_reviewed_by: Mapped[UUID | None]
    second_reviewed_at: Mapped[datetime | None]
    notice_from: Mapped[datetime | None]
    notice_until: Mapped[datetime | None]
    done_at: Mapped[datetime | None]


class Payout(Base):
    """What one payee gets of a batch. It carries the batch's reviewers, so that the database keeps them from paying."""

    __tablename__ = "payouts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["batch_id", "first_reviewed_by", "second_reviewed_by"],
            ["claim_batches.id", "claim_batches.first_reviewed_by", "claim_batches.second_reviewed_by"],
            name="fk_payouts_reviewers_claim_batches",
        ),
        UniqueConstraint("payment_reference"),
        one_of("payee_kind", PayeeKind),
        one_of("status", ("pending", "paid", "cancelled")),
        CheckConstraint("amount_fen > 0", name="positive"),
        CheckConstraint("set_off_fen BETWEEN 0 AND amount_fen", name="set_off"),
        CheckConstraint(
            "(status = 'paid') = (num_nonnulls(payment_reference, paid_on, paid_by, paid_at) = 4)", name="paid"
        ),
        CheckConstraint(
            "status = 'paid' OR num_nonnulls(payment_reference, paid_on, paid_by, paid_at) = 0", name="unpaid"
        ),
        CheckConstraint(
            "prepared_by NOT IN (first_reviewed_by, second_reviewed_by)"
            " AND (paid_by IS NULL OR paid_by NOT IN (first_reviewed_by, second_reviewed_by))",
            name="payer_did_not_review",
        ),
        Index(None, "batch_id"),
        Index(None, "payee_id"),
        {
            "info": {
                "shared": "a provider is paid for many parks at once; a row policy shows a park what it gets itself"
            }
        },
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    batch_id: Mapped[UUID]
    first_reviewed_by: Mapped[UUID]
    second_reviewed_by: Mapped[UUID]
    payee_kind: Mapped[Code]
    payee_id: Mapped[UUID]
    amount_fen: Mapped[Fen]
    set_off_fen: Mapped[Fen] = mapped_column(server_default="0")
    """What of it pays clawbacks of the payee; the rest is transferred."""
    status: Mapped[Code]
    prepared_by: Mapped[UUID]
    created_at: Mapped[datetime]
    payment_reference: Mapped[Name | None]
    paid_on: Mapped[date | None] = mapped_column(Date)
    paid_by: Mapped[UUID | None]
    paid_at: Mapped[datetime | None]


class ClaimLine(TenantOwned, Base):
    """One captured hold, claimed from its fund for its payee with the evidence of what was delivered for it.

    ``batch_id`` is the batch it stands in, or that sent it back. A line without a payee cannot be submitted.
    """

    __tablename__ = "claim_lines"
    __table_args__ = (
        UniqueConstraint("tenant_id", "hold_id"),
        ForeignKeyConstraint(["tenant_id", "hold_id"], ["holds.tenant_id", "holds.id"]),
        CheckConstraint("amount_fen > 0", name="positive"),
        one_of("status", LineStatus),
        one_of("payee_kind", PayeeKind),
        CheckConstraint("status <> 'paid' OR payout_id IS NOT NULL", name="paid_by_a_payout"),
        CheckConstraint("status IN ('claimed', 'paid') OR payout_id IS NULL", name="no_payout_of_what_went_back"),
        CheckConstraint("payout_id IS NULL OR payee_id IS NOT NULL", name="payee"),
        Index(None, "batch_id"),
        Index(None, "payout_id"),
        Index(None, "payee_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("claim_batches.id"))
    hold_id: Mapped[UUID]
    amount_fen: Mapped[Fen]
    evidence: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    status: Mapped[Code]
    payee_kind: Mapped[Code]
    payee_id: Mapped[UUID | None]
    payout_id: Mapped[UUID | None] = mapped_column(ForeignKey("payouts.id"))


class ClaimLineEvent(TenantOwned, Base):
    """One step in a claim line's life: who did what, when, why, in which batch. Rows are added and never changed.

    ``details`` of a submission hold the evidence as it stood then; ``evidence_id`` names a file that was attached.
    """

    __tablename__ = "claim_line_events"
    __table_args__ = (
        owned_reference("line_id", "claim_lines"),
        owned_reference("evidence_id", "evidence_files"),
        Index(None, "tenant_id", "line_id"),
        Index(None, "batch_id", "kind"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    line_id: Mapped[UUID]
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("claim_batches.id"))
    kind: Mapped[Code]
    reason: Mapped[str] = mapped_column(String(500))
    details: Mapped[dict[str, Any]]
    evidence_id: Mapped[UUID | None]
    user_id: Mapped[UUID | None]
    at: Mapped[datetime]


class ClaimObjection(TenantOwned, Base):
    """An objection to a line during its public notice; while it is open, the line is not paid."""

    __tablename__ = "claim_objections"
    __table_args__ = (
        owned_reference("line_id", "claim_lines"),
        one_of("status", ("open", "upheld", "dismissed")),
        CheckConstraint("(status = 'open') = (decided_by IS NULL)", name="decided"),
        CheckConstraint("decided_by <> recorded_by", name="four_eyes"),
        Index("uq_claim_objections_one_open", "tenant_id", "line_id", unique=True, postgresql_where="status = 'open'"),
        Index(None, "batch_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    line_id: Mapped[UUID]
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("claim_batches.id"))
    objector: Mapped[Name]
    """Who objects; shown to staff only."""
    reason: Mapped[str] = mapped_column(String(500))
    status: Mapped[Code]
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    decision: Mapped[str] = mapped_column(String(500))


class Acceptance(TenantOwned, Base):
    """A word on a delivery (服务确认): accepted or disputed by the park, or accepted by the passing of its days.

    Rows are added and never changed; the latest one counts.
    """

    __tablename__ = "acceptances"
    __table_args__ = (
        one_of("kind", ("accepted", "disputed", "automatic")),
        CheckConstraint("(kind = 'automatic') = (user_id IS NULL)", name="by_a_person"),
        Index(None, "tenant_id", "order_line_id", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_line_id: Mapped[UUID]
    kind: Mapped[Code]
    note: Mapped[str] = mapped_column(String(500))
    user_id: Mapped[UUID | None]
    at: Mapped[datetime]
