"""Reads and writes of returned services."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.store.clawbacks import Clawback
from billing.store.invoices import InvoiceLine
from billing.store.payments import Payment
from billing.store.returns import LineReturn
from billing.store.usage import RatedUsage
from tenants.kernel.writing import array_of_ids, rows_written


@dataclass(frozen=True)
class Before:
    """What of an order line was returned before; ``sale_back_fen`` and ``vat_fen`` count what clawbacks took back too."""

    returns: int
    amount_fen: int
    park_fen: int
    sale_back_fen: int
    vat_fen: int


def usage_of_line(session: Session, order_line_id: UUID) -> RatedUsage | None:
    """Return what an order line was charged, if it was delivered; order lines are known by their id alone."""
    return session.execute(select(RatedUsage).where(RatedUsage.order_line_id == order_line_id)).scalar_one_or_none()


def returned_before(session: Session, tenant_id: UUID, order_line_id: UUID) -> Before:
    """Return what was returned of an order line so far."""
    count, amount, park, vat = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(LineReturn.amount_fen), 0),
            func.coalesce(func.sum(LineReturn.park_fen), 0),
            func.coalesce(func.sum(LineReturn.vat_fen), 0),
        ).where(LineReturn.tenant_id == tenant_id, LineReturn.order_line_id == order_line_id)
    ).one()
    clawed, clawed_vat = session.execute(
        select(func.coalesce(func.sum(Clawback.sale_back_fen), 0), func.coalesce(func.sum(Clawback.vat_fen), 0)).where(
            Clawback.tenant_id == tenant_id, Clawback.order_line_id == order_line_id
        )
    ).one()
    return Before(int(count), int(amount), int(park), int(amount) + int(clawed), int(vat) + int(clawed_vat))


def invoice_line_of_usage(session: Session, tenant_id: UUID, usage_id: UUID) -> InvoiceLine | None:
    """Return the invoice line that a delivery stands on, if it does yet."""
    query = select(InvoiceLine).where(
        InvoiceLine.tenant_id == tenant_id, InvoiceLine.rated_usage_id == usage_id, ~InvoiceLine.voided
    )
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def insert_line_return(session: Session, values: Mapping[str, Any]) -> bool:
    """Write a return; False when its number within the line is taken."""
    number = ["tenant_id", "order_line_id", "number"]
    return rows_written(session, insert(LineReturn).values(values).on_conflict_do_nothing(index_elements=number)) == 1


def returns_of_lines(session: Session, order_line_ids: Collection[UUID]) -> Sequence[LineReturn]:
    """Return the returns of some order lines, in order."""
    query = select(LineReturn).where(LineReturn.order_line_id.in_(order_line_ids))
    return session.execute(query.order_by(LineReturn.order_line_id, LineReturn.number)).scalars().all()


def amounts_returned(session: Session, order_line_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return what came back of each of some order lines, or of what stands for one; those without a return are missing."""
    if not order_line_ids:
        return {}
    query = select(LineReturn.order_line_id, func.sum(LineReturn.amount_fen)).where(
        LineReturn.order_line_id.in_(order_line_ids)
    )
    return {row[0]: int(row[1]) for row in session.execute(query.group_by(LineReturn.order_line_id))}


def returns_by_id(session: Session, return_ids: Collection[UUID]) -> dict[UUID, LineReturn]:
    """Return some returns by their ids."""
    query = select(LineReturn).where(LineReturn.id.in_(return_ids))
    return {each.id: each for each in session.execute(query).scalars()}


def waiting_credits(session: Session, parks: Collection[UUID]) -> dict[UUID, list[tuple[UUID, int]]]:
    """Return, by rated usage of some parks, the returns (id and fen) whose credit waits for the usage's invoice."""
    credited = select(Payment.reference).where(Payment.tenant_id == LineReturn.tenant_id, Payment.method == "return")
    query = select(LineReturn.rated_usage_id, LineReturn.id, LineReturn.waiting_fen).where(
        LineReturn.tenant_id == func.any(array_of_ids(parks)),
        LineReturn.waiting_fen > 0,
        func.concat("return:", LineReturn.id).not_in(credited),
    )
    found: dict[UUID, list[tuple[UUID, int]]] = {}
    for usage_id, return_id, fen in session.execute(query.order_by(LineReturn.id)):
        found.setdefault(usage_id, []).append((return_id, fen))
    return found


def waiting_sums(session: Session) -> dict[UUID, int]:
    """Return, by park, the credit that waits for invoices, in fen."""
    credited = select(Payment.reference).where(Payment.tenant_id == LineReturn.tenant_id, Payment.method == "return")
    query = (
        select(LineReturn.tenant_id, func.sum(LineReturn.waiting_fen).label("fen"))
        .where(LineReturn.waiting_fen > 0, func.concat("return:", LineReturn.id).not_in(credited))
        .group_by(LineReturn.tenant_id)
    )
    return {row.tenant_id: int(row.fen) for row in session.execute(query)}
