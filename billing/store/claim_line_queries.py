"""Claim lines with everything that proves them, in one query: order, metering, acceptance, report, invoice, payment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from billing.store.claim_batch_queries import DUE_FEN
from billing.store.claims import Acceptance, ClaimBatch, ClaimLine, ClaimLineEvent, ClaimObjection
from billing.store.funds import Fund, Hold
from billing.store.invoices import Invoice, InvoiceLine
from billing.store.payments import Allocation, Payment
from billing.store.programmes import PolicyVersion, Programme
from billing.store.usage import RatedUsage, UsageEvent
from tenants.kernel.database import AnyRow


def line_rows(
    session: Session, *conditions: Any, after: tuple[datetime, UUID] | None = None, limit: int | None = None
) -> Sequence[AnyRow]:
    """Return the lines that meet ``conditions`` (on ``ClaimLine``), oldest first, after a place if one is given."""
    word = (
        select(Acceptance.kind, Acceptance.at)
        .where(Acceptance.tenant_id == Hold.tenant_id, Acceptance.order_line_id == Hold.order_line_id)
        .order_by(Acceptance.at.desc(), Acceptance.id.desc())
        .limit(1)
        .lateral("word")
    )
    payments = (
        select(func.array_agg(aggregate_order_by(Payment.reference, Payment.reference)))
        .join(Allocation, (Allocation.tenant_id == Payment.tenant_id) & (Allocation.payment_id == Payment.id))
        .where(Allocation.tenant_id == Invoice.tenant_id, Allocation.invoice_id == Invoice.id)
        .correlate(Invoice)
        .scalar_subquery()
    )
    objected = (
        select(func.count() > 0)
        .where(
            ClaimObjection.tenant_id == ClaimLine.tenant_id,
            ClaimObjection.line_id == ClaimLine.id,
            ClaimObjection.status == "open",
        )
        .correlate(ClaimLine)
        .scalar_subquery()
    )
    reason = (
        select(ClaimLineEvent.reason)
        .where(
            ClaimLineEvent.tenant_id == ClaimLine.tenant_id,
            ClaimLineEvent.line_id == ClaimLine.id,
            ClaimLineEvent.kind == "returned",
        )
        .order_by(ClaimLineEvent.at.desc(), ClaimLineEvent.id.desc())
        .limit(1)
        .correlate(ClaimLine)
        .scalar_subquery()
    )
    query: Any = (
        select(
            *ClaimLine.__table__.columns,
            DUE_FEN.label("due_fen"),
            ClaimBatch.period,
            ClaimBatch.status.label("batch_status"),
            ClaimBatch.fund_id,
            Fund.slug.label("fund"),
            Fund.name.label("fund_name"),
            Fund.name_en.label("fund_name_en"),
            Hold.programme,
            Hold.version,
            Hold.order_line_id,
            func.coalesce(Programme.name, Hold.programme).label("programme_name"),
            func.coalesce(Programme.name_en, Hold.programme).label("programme_name_en"),
            func.coalesce(PolicyVersion.policy["mode"].astext, "instant").label("mode"),
            RatedUsage.offering,
            RatedUsage.title,
            RatedUsage.gross_fen,
            RatedUsage.payable_fen,
            RatedUsage.rated_at.label("delivered_at"),
            RatedUsage.event_source,
            RatedUsage.event_id,
            UsageEvent.body_hash.label("event_hash"),
            word.c.kind.label("acceptance"),
            word.c.at.label("accepted_at"),
            Invoice.number.label("invoice_number"),
            (Invoice.paid_fen == Invoice.payable_fen).label("invoice_paid"),
            payments.label("payment_references"),
            objected.label("objected"),
            reason.label("reason"),
        )
        .select_from(ClaimLine)
        .join(ClaimBatch, ClaimBatch.id == ClaimLine.batch_id)
        .join(Fund, Fund.id == ClaimBatch.fund_id)
        .join(Hold, (Hold.tenant_id == ClaimLine.tenant_id) & (Hold.id == ClaimLine.hold_id))
        .outerjoin(Programme, Programme.slug == Hold.programme)
        .outerjoin(
            PolicyVersion, (PolicyVersion.programme_id == Programme.id) & (PolicyVersion.version == Hold.version)
        )
        .outerjoin(
            RatedUsage,
            (RatedUsage.tenant_id == Hold.tenant_id) & (RatedUsage.order_line_id == Hold.order_line_id),
        )
        .outerjoin(
            UsageEvent,
            (UsageEvent.tenant_id == RatedUsage.tenant_id)
            & (UsageEvent.source == RatedUsage.event_source)
            & (UsageEvent.event_id == RatedUsage.event_id),
        )
        .outerjoin(
            InvoiceLine,
            (InvoiceLine.tenant_id == RatedUsage.tenant_id)
            & (InvoiceLine.rated_usage_id == RatedUsage.id)
            & ~InvoiceLine.voided,
        )
        .outerjoin(
            Invoice,
            (Invoice.tenant_id == InvoiceLine.tenant_id)
            & (Invoice.id == InvoiceLine.invoice_id)
            & Invoice.status.in_(("finalized", "paid")),
        )
        .outerjoin(word, true())
        .where(*conditions)
        .order_by(ClaimLine.created_at, ClaimLine.id)
    )
    if after is not None:
        at, row_id = after
        query = query.where((ClaimLine.created_at > at) | ((ClaimLine.created_at == at) & (ClaimLine.id > row_id)))
    if limit is not None:
        query = query.limit(limit)
    found: Sequence[AnyRow] = session.execute(query).all()
    return found


def steps_of_line(session: Session, tenant_id: UUID, line_id: UUID) -> Sequence[ClaimLineEvent]:
    """Return a line's history, oldest first."""
    query = (
        select(ClaimLineEvent)
        .where(ClaimLineEvent.tenant_id == tenant_id, ClaimLineEvent.line_id == line_id)
        .order_by(ClaimLineEvent.at, ClaimLineEvent.id)
    )
    return session.execute(query).scalars().all()


def steps_of_batch(session: Session, batch_id: UUID) -> Sequence[ClaimLineEvent]:
    """Return all steps that lines took in a batch, in a stable order."""
    query = (
        select(ClaimLineEvent).where(ClaimLineEvent.batch_id == batch_id).order_by(ClaimLineEvent.at, ClaimLineEvent.id)
    )
    return session.execute(query).scalars().all()
