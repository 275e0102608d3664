"""Reads and writes of entitlements, and what their standing hangs on: payment, and the claim lines of a grant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.store.entitlements import Entitlement
from billing.store.funds import Hold
from billing.store.invoices import Invoice, InvoiceLine
from billing.store.payments import Allocation, Payment
from billing.store.returns import LineReturn
from billing.store.usage import RatedUsage
from tenants.kernel.writing import rows_written

_UNOFFERED = """
    SELECT r.tenant_id, r.order_line_id FROM rated_usage r
    WHERE jsonb_path_exists(r.awards, '$[*] ? (@.mode != "instant" && @.amount_fen > 0)')
      AND NOT EXISTS (SELECT FROM entitlements e WHERE e.tenant_id = r.tenant_id AND e.order_line_id = r.order_line_id)
    ORDER BY r.tenant_id, r.order_line_id LIMIT :limit
"""


@dataclass(frozen=True)
class Paid:
    """How far the park's own part of a line is paid, and on which invoice it stands (None: on none yet).

    ``returned_fen`` of its price were given back to those who paid.
    """

    paid: bool
    gross_fen: int
    returned_fen: int
    invoice_id: UUID | None
    invoice_number: str | None
    method: str


def insert_entitlement(session: Session, values: Mapping[str, Any]) -> bool:
    """Write an entitlement unless its line has one of the programme; tell whether it is new."""
    return rows_written(session, insert(Entitlement).values(values).on_conflict_do_nothing()) == 1


def unoffered_lines(session: Session, limit: int) -> Sequence[tuple[UUID, UUID]]:
    """Return park and order line of deliveries that have later awards and no entitlement."""
    return [(row.tenant_id, row.order_line_id) for row in session.execute(text(_UNOFFERED), {"limit": limit})]


def entitlement_of(session: Session, entitlement_id: UUID, *, lock: bool = False) -> Entitlement | None:
    """Return an entitlement that the transaction may see, under lock where asked: it is granted once."""
    query = select(Entitlement).where(Entitlement.id == entitlement_id).execution_options(populate_existing=True)
    return session.execute(query.with_for_update(key_share=True) if lock else query).scalar_one_or_none()


def lock_of_line(session: Session, order_line_id: UUID) -> None:
    """Lock the entitlements of an order line: none is granted while the line is returned, nor the other way round."""
    query = select(Entitlement.id).where(Entitlement.order_line_id == order_line_id).order_by(Entitlement.id)
    session.execute(query.with_for_update(key_share=True)).all()


def entitlement_page(
    session: Session,
    *,
    park_id: UUID | None,
    mode: str | None,
    programme: str | None,
    status: str | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[Entitlement]:
    """Return entitlements, the latest delivery first."""
    query = select(Entitlement).order_by(Entitlement.delivered_at.desc(), Entitlement.id.desc()).limit(limit)
    wanted = (
        (Entitlement.tenant_id, park_id),
        (Entitlement.mode, mode),
        (Entitlement.programme, programme),
        (Entitlement.status, status),
    )
    for column, value in wanted:
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        at, last = before
        query = query.where(
            (Entitlement.delivered_at < at) | ((Entitlement.delivered_at == at) & (Entitlement.id < last))
        )
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def offered_to(session: Session, tenant_id: UUID, mode: str, now: datetime, limit: int) -> Sequence[Entitlement]:
    """Return what a park has been offered and can still take, the earliest deadline first."""
    query = (
        select(Entitlement)
        .where(
            Entitlement.tenant_id == tenant_id,
            Entitlement.status == "offered",
            Entitlement.mode == mode,
            Entitlement.claim_until > now,
        )
        .order_by(Entitlement.claim_until, Entitlement.id)
        .limit(limit)
    )
    return session.execute(query).scalars().all()


def payments_of_lines(session: Session, lines: Collection[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Paid]:
    """Return how the parks' parts of some (park, order line) are paid."""
    if not lines:
        return {}
    returned = (
        select(func.coalesce(func.sum(LineReturn.amount_fen), 0))
        .where(LineReturn.tenant_id == RatedUsage.tenant_id, LineReturn.order_line_id == RatedUsage.order_line_id)
        .correlate(RatedUsage)
        .scalar_subquery()
    )
    query = (
        select(RatedUsage, Invoice.id, Invoice.number, Invoice.status, returned)
        .outerjoin(
            InvoiceLine,
            (InvoiceLine.tenant_id == RatedUsage.tenant_id)
            & (InvoiceLine.rated_usage_id == RatedUsage.id)
            & ~InvoiceLine.voided,
        )
        .outerjoin(Invoice, (Invoice.tenant_id == InvoiceLine.tenant_id) & (Invoice.id == InvoiceLine.invoice_id))
        .where(tuple_(RatedUsage.tenant_id, RatedUsage.order_line_id).in_(list(lines)))
    )
    return {
        (usage.tenant_id, usage.order_line_id): Paid(
            paid=usage.payment_method == "wallet" or not usage.payable_fen or status == "paid",
            gross_fen=usage.gross_fen,
            returned_fen=int(back),
            invoice_id=invoice_id,
            invoice_number=number,
            method=usage.payment_method,
        )
        for usage, invoice_id, number, status, back in session.execute(query)
    }


def payment_references(session: Session, tenant_id: UUID, invoice_id: UUID) -> Sequence[str]:
    """Return the references of the payments that paid an invoice."""
    query = (
        select(Payment.reference)
        .join(Allocation, (Allocation.tenant_id == Payment.tenant_id) & (Allocation.payment_id == Payment.id))
        .where(Allocation.tenant_id == tenant_id, Allocation.invoice_id == invoice_id)
        .order_by(Payment.reference)
    )
    return session.execute(query).scalars().all()


def holds_of_grants(
    session: Session, grants: Collection[tuple[UUID, UUID, str]]
) -> dict[tuple[UUID, UUID, str], list[tuple[UUID, int]]]:
    """Return the holds of some grants, each named by park, order line and programme, with what of each was not taken
    back before it was paid out (fen).
    """
    if not grants:
        return {}
    query = (
        select(Hold.tenant_id, Hold.order_line_id, Hold.programme, Hold.id, Hold.captured_fen - Hold.withdrawn_fen)
        .where(tuple_(Hold.tenant_id, Hold.order_line_id, Hold.programme).in_(list(grants)))
        .order_by(Hold.id)
    )
    found: dict[tuple[UUID, UUID, str], list[tuple[UUID, int]]] = {}
    for tenant_id, line_id, programme, hold_id, kept in session.execute(query):
        found.setdefault((tenant_id, line_id, programme), []).append((hold_id, int(kept)))
    return found
