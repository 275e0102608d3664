"""Reads and writes of invoices."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, cast, exists, func, select, true, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from billing.store.invoices import Invoice, InvoiceCounter, InvoiceLine
from billing.store.payments import Allocation, Payment
from billing.store.usage import RatedUsage, UsageEvent
from tenants.kernel.writing import array_of_ids, array_text

READ_AT_ONCE = 1000


@dataclass(frozen=True)
class LineRow:
    """An invoice line with what it was made from."""

    line: InvoiceLine
    period: str
    payment_method: str
    event_source: str
    event_id: str
    used_at: datetime
    included: int
    included_fen: int
    agreed_discount_fen: int
    repeats: UUID | None


def lock_counter(session: Session, legal_entity: str, year: int) -> int:
    """Return the last number given, under lock until the transaction ends: numbers run on without a gap."""
    first = insert(InvoiceCounter).values(legal_entity=legal_entity, year=year, last_number=0)
    session.execute(first.on_conflict_do_nothing())
    query = select(InvoiceCounter.last_number).where(
        InvoiceCounter.legal_entity == legal_entity, InvoiceCounter.year == year
    )
    return session.execute(query.with_for_update()).scalar_one()


def set_counter(session: Session, legal_entity: str, year: int, last_number: int) -> None:
    """Note the last number given."""
    session.execute(
        update(InvoiceCounter)
        .where(InvoiceCounter.legal_entity == legal_entity, InvoiceCounter.year == year)
        .values(last_number=last_number)
    )


def pending_parks(session: Session, period: str) -> Sequence[UUID]:
    """Return the parks that have usage up to a month on no invoice, and no invoice of that month, in order."""
    query = select(RatedUsage.tenant_id).where(*_pending(period)).distinct().order_by(RatedUsage.tenant_id)
    return session.execute(query).scalars().all()


@dataclass(frozen=True, slots=True)
class PendingLine:
    """What an invoice's sums need of a delivery; the rest goes from table to table."""

    tenant_id: UUID
    id: UUID
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    vat_bp: int
    is_prepaid: bool


def pending_usage(session: Session, period: str, parks: Collection[UUID]) -> Iterator[tuple[UUID, list[PendingLine]]]:
    """Yield, park by park, the usage up to a month that is on no invoice, for those without that month's invoice."""
    query = (
        select(
            RatedUsage.tenant_id,
            RatedUsage.id,
            RatedUsage.gross_fen,
            RatedUsage.subsidy_fen,
            RatedUsage.payable_fen,
            RatedUsage.vat_bp,
            RatedUsage.payment_method == "wallet",
        )
        .where(RatedUsage.tenant_id == func.any(array_of_ids(parks)), *_pending(period))
        .order_by(RatedUsage.tenant_id, RatedUsage.period, RatedUsage.rated_at, RatedUsage.id)
        .execution_options(yield_per=READ_AT_ONCE)
    )
    with session.execute(query) as found:
        for tenant_id, rows in groupby(found, key=lambda row: row[0]):
            yield tenant_id, [PendingLine(*row) for row in rows]


def usage_by_id(session: Session, tenant_id: UUID, usage_ids: Collection[UUID]) -> dict[UUID, RatedUsage]:
    """Return some of a park's deliveries by their ids."""
    query = select(RatedUsage).where(RatedUsage.tenant_id == tenant_id, RatedUsage.id.in_(usage_ids))
    return {usage.id: usage for usage in session.execute(query).scalars()}


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line to be written: its place on an invoice, the delivery it bills, its part of the invoice's VAT and discount."""

    tenant_id: UUID
    invoice_id: UUID
    line: int
    usage_id: UUID
    vat_fen: int
    discount_fen: int = 0


# Each delivery is looked up by its key: a join of a thousand lines would rather read all deliveries there ever were.
_COPIED = "offering, title, quantity, gross_fen, subsidy_fen, vat_bp, awards"
_LINES = f"""
    INSERT INTO invoice_lines (tenant_id, invoice_id, line, rated_usage_id, vat_fen, discount_fen, payable_fen, {_COPIED})
    SELECT given.tenant_id, given.invoice_id, given.line, given.usage_id, given.vat_fen, given.discount_fen,
           payable_fen - given.discount_fen, {_COPIED}
    FROM unnest(%(tenants)s::uuid[], %(invoices)s::uuid[], %(lines)s::integer[], %(usages)s::uuid[], %(vat)s::bigint[],
                %(discounts)s::bigint[])
        AS given (tenant_id, invoice_id, line, usage_id, vat_fen, discount_fen)
    CROSS JOIN LATERAL (
        SELECT payable_fen, {_COPIED} FROM rated_usage WHERE tenant_id = given.tenant_id AND id = given.usage_id LIMIT 1
    ) AS usage
"""  # noqa: S608 - the columns are ours


def insert_lines(session: Session, lines: Sequence[NewLine]) -> None:
    """Write lines of many invoices from their deliveries as these stand, in one statement; places and VAT are given."""
    columns: dict[str, list[Any]] = {
        "tenants": [line.tenant_id for line in lines],
        "invoices": [line.invoice_id for line in lines],
        "lines": [line.line for line in lines],
        "usages": [line.usage_id for line in lines],
        "vat": [line.vat_fen for line in lines],
        "discounts": [line.discount_fen for line in lines],
    }
    values = {name: array_text(column) for name, column in columns.items()}
    session.connection().exec_driver_sql(_LINES, values)


@dataclass(frozen=True)
class PendingSum:
    """What a park's next invoice has at one rate of VAT; ``prepaid_fen`` of it the wallet has paid."""

    tenant_id: UUID
    vat_bp: int
    lines: int
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    prepaid_fen: int


def pending_sums(session: Session, period: str) -> Iterator[PendingSum]:
    """Yield the sums of what ``pending_usage`` yields, by park and rate of VAT, worked out by the database."""
    total = func.sum
    query = (
        select(
            RatedUsage.tenant_id,
            RatedUsage.vat_bp,
            func.count(),
            total(RatedUsage.gross_fen),
            total(RatedUsage.subsidy_fen),
            total(RatedUsage.payable_fen),
            func.coalesce(total(RatedUsage.payable_fen).filter(RatedUsage.payment_method == "wallet"), 0),
        )
        .where(*_pending(period))
        .group_by(RatedUsage.tenant_id, RatedUsage.vat_bp)
        .order_by(RatedUsage.tenant_id, RatedUsage.vat_bp)
    )
    for tenant_id, vat_bp, *figures in session.execute(query):
        yield PendingSum(tenant_id, vat_bp, *(int(figure) for figure in figures))


def later_awards_of(session: Session, tenant_id: UUID, usage_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return what programmes that pay later give of some of a park's deliveries, in fen, where they give anything."""
    award = func.jsonb_array_elements(RatedUsage.awards).table_valued("value").render_derived(name="award")
    value = cast(award.c.value, JSONB)
    query = (
        select(RatedUsage.id, func.sum(cast(value["amount_fen"].astext, BigInteger)))
        .select_from(RatedUsage)
        .join(award, true())
        .where(RatedUsage.tenant_id == tenant_id, RatedUsage.id.in_(usage_ids), value["mode"].astext != "instant")
        .group_by(RatedUsage.id)
    )
    return {row[0]: int(row[1] or 0) for row in session.execute(query)}


def event_times(session: Session, tenant_id: UUID, usage_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Return when some of a park's usage was used, by its id."""
    query = (
        select(RatedUsage.id, UsageEvent.time)
        .join(
            UsageEvent,
            (UsageEvent.tenant_id == RatedUsage.tenant_id)
            & (UsageEvent.source == RatedUsage.event_source)
            & (UsageEvent.event_id == RatedUsage.event_id),
        )
        .where(RatedUsage.tenant_id == tenant_id, RatedUsage.id.in_(usage_ids))
    )
    return {row.id: row.time for row in session.execute(query)}


def _pending(period: str) -> tuple[ColumnElement[bool], ...]:
    on_line = exists().where(
        InvoiceLine.tenant_id == RatedUsage.tenant_id, InvoiceLine.rated_usage_id == RatedUsage.id, ~InvoiceLine.voided
    )
    has_invoice = exists().where(
        Invoice.tenant_id == RatedUsage.tenant_id, Invoice.period == period, Invoice.status != "void"
    )
    return RatedUsage.period <= period, ~on_line, ~has_invoice


def invoice_of(session: Session, invoice_id: UUID, *, lock: bool = False) -> Invoice | None:
    """Return an invoice that the transaction may see, under lock where asked."""
    query = select(Invoice).where(Invoice.id == invoice_id).execution_options(populate_existing=True)
    return session.execute(query.with_for_update(key_share=True) if lock else query).scalar_one_or_none()


def invoice_page(
    session: Session,
    *,
    period: str | None,
    park_id: UUID | None,
    status: str | None,
    before: tuple[datetime, UUID] | None,
    limit: int | None,
) -> Sequence[Invoice]:
    """Return invoices, newest first."""
    query = select(Invoice).order_by(Invoice.created_at.desc(), Invoice.id.desc()).limit(limit)
    for column, wanted in ((Invoice.period, period), (Invoice.tenant_id, park_id), (Invoice.status, status)):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        at, invoice_id = before
        query = query.where((Invoice.created_at < at) | ((Invoice.created_at == at) & (Invoice.id < invoice_id)))
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def issued_between(
    session: Session, *, first_period: str, last_period: str, park_id: UUID | None, limit: int
) -> Sequence[Invoice]:
    """Return the issued invoices of some months (both included) that are not void, by number."""
    months = Invoice.period.between(first_period, last_period)
    query = select(Invoice).where(months, Invoice.status.in_(("finalized", "paid")))
    if park_id is not None:
        query = query.where(Invoice.tenant_id == park_id)
    found = query.order_by(Invoice.number).limit(limit).execution_options(populate_existing=True)
    return session.execute(found).scalars().all()


def lines_of(session: Session, tenant_id: UUID, invoice_id: UUID) -> Sequence[LineRow]:
    """Return the lines of an invoice in order."""
    query = (
        select(
            InvoiceLine,
            RatedUsage.period,
            RatedUsage.payment_method,
            RatedUsage.event_source,
            RatedUsage.event_id,
            UsageEvent.time,
            RatedUsage.included,
            RatedUsage.discount_fen,
            RatedUsage.agreed_discount_fen,
            RatedUsage.repeats,
        )
        .join(
            RatedUsage,
            (RatedUsage.tenant_id == InvoiceLine.tenant_id) & (RatedUsage.id == InvoiceLine.rated_usage_id),
        )
        .join(
            UsageEvent,
            (UsageEvent.tenant_id == RatedUsage.tenant_id)
            & (UsageEvent.source == RatedUsage.event_source)
            & (UsageEvent.event_id == RatedUsage.event_id),
        )
        .where(InvoiceLine.tenant_id == tenant_id, InvoiceLine.invoice_id == invoice_id)
        .order_by(InvoiceLine.line)
    )
    return [LineRow(*tuple(row)) for row in session.execute(query)]


def lock_open_invoices(session: Session, tenant_id: UUID) -> Sequence[Invoice]:
    """Lock a park's invoices that are not paid in full, oldest first."""
    query = (
        select(Invoice)
        .where(Invoice.tenant_id == tenant_id, Invoice.status == "finalized")
        .order_by(Invoice.period, Invoice.number)
        .with_for_update(key_share=True)
    )
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def pay(session: Session, invoice: Invoice, payment_id: UUID, amount_fen: int, at: datetime) -> None:
    """Allocate a part of a payment to an invoice that is under lock."""
    session.execute(
        insert(Allocation).values(
            tenant_id=invoice.tenant_id,
            payment_id=payment_id,
            invoice_id=invoice.id,
            amount_fen=amount_fen,
            created_at=at,
        )
    )
    invoice.paid_fen += amount_fen
    if invoice.paid_fen == invoice.payable_fen:
        invoice.status = "paid"
    session.flush()


def insert_payment(session: Session, values: Mapping[str, Any]) -> bool:
    """Write a payment unless its reference has paid before."""
    written = insert(Payment).values(values).on_conflict_do_nothing(index_elements=["tenant_id", "reference"])
    return session.execute(written.returning(Payment.id)).scalar_one_or_none() is not None


def allocated(session: Session, invoice_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return what payments were allocated to each invoice."""
    query = (
        select(Allocation.invoice_id, func.sum(Allocation.amount_fen).label("fen"))
        .where(Allocation.invoice_id.in_(invoice_ids))
        .group_by(Allocation.invoice_id)
    )
    return {row.invoice_id: int(row.fen) for row in session.execute(query)}
