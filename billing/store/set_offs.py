"""What of a payout is set off against clawbacks: kept when it is drawn up, repaid when it is paid."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.store.claims import ClaimBatch, Payout
from billing.store.clawbacks import Clawback
from tenants.kernel.database import Base, Fen, TenantOwned, owned_reference


class PayoutSetOff(TenantOwned, Base):
    """A part of a payout that pays a clawback of its payee instead of going to it; ``repayment_id`` once it is paid."""

    __tablename__ = "payout_set_offs"
    __table_args__ = (
        owned_reference("clawback_id", "clawbacks"),
        owned_reference("repayment_id", "clawback_repayments"),
        UniqueConstraint("tenant_id", "repayment_id"),
        CheckConstraint("amount_fen > 0", name="positive"),
        Index(None, "payout_id"),
        Index(None, "tenant_id", "clawback_id"),
    )

    payout_id: Mapped[UUID] = mapped_column(ForeignKey("payouts.id"), primary_key=True)
    clawback_id: Mapped[UUID] = mapped_column(primary_key=True)
    amount_fen: Mapped[Fen]
    repayment_id: Mapped[UUID | None]


@dataclass(frozen=True)
class SetOffRow:
    """A set-off with the payout it is of and the case it pays."""

    payout_id: UUID
    batch_id: UUID
    period: str
    payout_status: str
    clawback_id: UUID
    tenant_id: UUID
    number: str
    amount_fen: int


def lock_owing(session: Session, provider_id: UUID) -> Sequence[Clawback]:
    """Return the upheld cases that a provider bears and has not repaid, the oldest first, under lock."""
    query = (
        select(Clawback)
        .where(
            Clawback.bearer == "provider",
            Clawback.bearer_id == provider_id,
            Clawback.status == "upheld",
            Clawback.repaid_fund_fen < Clawback.to_fund_fen,
        )
        .order_by(Clawback.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return sorted(session.execute(query).scalars(), key=lambda case: (case.opened_at, case.id))


def pending_by_case(session: Session, clawback_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return, by case, what payouts that are drawn up and not paid set off of it."""
    query = (
        select(PayoutSetOff.clawback_id, func.sum(PayoutSetOff.amount_fen))
        .join(Payout, Payout.id == PayoutSetOff.payout_id)
        .where(PayoutSetOff.clawback_id.in_(clawback_ids), Payout.status == "pending")
        .group_by(PayoutSetOff.clawback_id)
    )
    return {row[0]: int(row[1]) for row in session.execute(query)}


def insert_set_offs(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what of a payout is set off."""
    if rows:
        session.execute(insert(PayoutSetOff), list(rows))


def note_repayment(session: Session, payout_id: UUID, clawback_id: UUID, repayment_id: UUID) -> None:
    """Note by which repayment a set-off has paid its case."""
    session.execute(
        update(PayoutSetOff)
        .where(PayoutSetOff.payout_id == payout_id, PayoutSetOff.clawback_id == clawback_id)
        .values(repayment_id=repayment_id)
        .execution_options(synchronize_session=False)
    )


def set_off_rows(
    session: Session, *, payout_ids: Collection[UUID] | None = None, clawback_id: UUID | None = None
) -> Sequence[SetOffRow]:
    """Return the set-offs of some payouts, or of one case, the oldest case first; those of cancelled payouts are none."""
    query = (
        select(
            Payout.id,
            Payout.batch_id,
            ClaimBatch.period,
            Payout.status,
            Clawback.id,
            Clawback.tenant_id,
            Clawback.number,
            PayoutSetOff.amount_fen,
        )
        .select_from(PayoutSetOff)
        .join(Payout, Payout.id == PayoutSetOff.payout_id)
        .join(ClaimBatch, ClaimBatch.id == Payout.batch_id)
        .join(Clawback, (Clawback.tenant_id == PayoutSetOff.tenant_id) & (Clawback.id == PayoutSetOff.clawback_id))
        .where(Payout.status != "cancelled")
        .order_by(Payout.created_at, Payout.id, Clawback.opened_at, Clawback.id)
    )
    if payout_ids is not None:
        query = query.where(PayoutSetOff.payout_id.in_(payout_ids))
    if clawback_id is not None:
        query = query.where(PayoutSetOff.clawback_id == clawback_id)
    return [SetOffRow(*row) for row in session.execute(query)]
