"""Adjustments (补收): a line that a finalised invoice billed too low is charged the rest on the next invoice.

What was billed too high is taken back by a credit note. An adjustment is usage like any other once it is decided: an
event, rated usage that no programme subsidises, and a journal; so invoices, VAT and reconciliation know it without rules
of their own. Up to the legal entity's limit one person decides it; above it another one than who asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.rules import ledger
from billing.rules.invoices import LEGAL_ENTITY
from billing.rules.money import MAX_FEN
from billing.rules.periods import month_name
from billing.store import adjustments as store
from billing.store import legal_entities, settlements
from billing.store.adjustments import ADJUSTMENT, Adjustment, AdjustmentRow
from billing.store.books import post_journal
from billing.store.invoices import Invoice, InvoiceLine
from billing.usecases.metering import note_event
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit, onboarding

SOURCE = "marketplace/adjustment"
EVENT_TYPE = "invoice.adjustment"


@dataclass(frozen=True)
class AdjustmentWish:
    """What is still to be charged for a line of an invoice, VAT included, and why."""

    invoice_id: UUID
    line: int
    amount_fen: int
    reason: str


@dataclass(frozen=True)
class AdjustmentView:
    """An adjustment: of which line and month, and on which invoice line it stands once that is issued."""

    id: UUID
    park_id: UUID
    park_name: str
    invoice_id: UUID
    invoice_number: str
    invoice_line: int
    title: str
    period: str
    """The month that the adjusted line was used in."""
    amount_fen: int
    vat_bp: int
    reason: str
    status: str
    by_two: bool
    asked_by: UUID
    asked_at: datetime
    decided_at: datetime | None
    on_invoice_id: UUID | None
    on_invoice_number: str
    on_invoice_line: int | None
    event_source: str
    event_id: str


def ask_adjustment(work: Work, *, wish: AdjustmentWish) -> AdjustmentView:
    """Charge the rest of a line, or ask for it where it is above what one person may decide.

    Raises NotFound for an unknown line, Conflict for an invoice that is not finalised, Invalid for an amount that is not
    above zero or a missing reason.
    """
    work.actor.require(Permission.ISSUE_INVOICE)
    person = work.actor.require_person()
    with Faults() as faults:
        faults.take("amount_fen", _check_amount, wish.amount_fen)
        faults.take("reason", check_name, wish.reason)
    invoice, _line, _period = _adjusted(work, wish.invoice_id, wish.line)
    if invoice.status not in {"finalized", "paid"}:
        raise Conflict("adjustment.not_finalized", msg("只有已开具且未作废的账单可以补收。"))
    adjustment_id = new_id()
    by_two = wish.amount_fen > legal_entities.entity_of(work.session, LEGAL_ENTITY).alone_up_to_fen
    values = {
        "tenant_id": invoice.tenant_id,
        "id": adjustment_id,
        "invoice_id": wish.invoice_id,
        "invoice_line": wish.line,
        "amount_fen": wish.amount_fen,
        "reason": wish.reason.strip(),
        "status": "asked",
        "by_two": by_two,
        "asked_by": person,
        "asked_at": work.now,
    }
    store.insert_adjustment(work.session, values)
    audit.record(
        work, "adjustment.ask", "adjustment", adjustment_id, tenant_id=invoice.tenant_id, amount_fen=wish.amount_fen
    )
    if not by_two:
        _charge(work, _asked(work, adjustment_id))
    return _read(work, adjustment_id)


def approve_adjustment(work: Work, *, adjustment_id: UUID) -> AdjustmentView:
    """Charge an adjustment that another person asked for. Raises Conflict when it was decided, or one's own."""
    work.actor.require(Permission.ISSUE_INVOICE)
    person = work.actor.require_person()
    row = _asked(work, adjustment_id)
    if row.by_two and row.asked_by == person:
        raise Conflict("adjustment.same_person", msg("该补收超过一人可办理的限额。请由申请人以外的人确认。"))
    invoice, _line, _period = _adjusted(work, row.invoice_id, row.invoice_line)
    if invoice.status not in {"finalized", "paid"}:
        raise Conflict("adjustment.not_finalized", msg("只有已开具且未作废的账单可以补收。"))
    _charge(work, row)
    return _read(work, adjustment_id)


def refuse_adjustment(work: Work, *, adjustment_id: UUID) -> AdjustmentView:
    """Refuse an adjustment that was asked for; who asked may take it back. Nothing is charged."""
    work.actor.require(Permission.ISSUE_INVOICE)
    person = work.actor.require_person()
    row = _asked(work, adjustment_id)
    row.status, row.decided_by, row.decided_at = "refused", person, work.now
    work.session.flush()
    audit.record(work, "adjustment.refuse", "adjustment", adjustment_id, tenant_id=row.tenant_id)
    return _read(work, adjustment_id)


def list_adjustments(
    work: Work,
    *,
    park_id: UUID | None = None,
    invoice_id: UUID | None = None,
    status: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[AdjustmentView]:
    """Return adjustments, newest first: a park's own that were charged, for staff those of ``park_id`` or of all."""
    work.actor.require(Permission.READ_INVOICE)
    found = store.adjustments_page(
        work.session,
        park_id=work.actor.tenant_id or park_id,
        invoice_id=invoice_id,
        status=_shown_status(work.actor, status),
        before=decode_cursor(cursor),
        limit=check_limit(limit) + 1,
    )
    page = page_of(found, limit, lambda row: row, lambda row: (row[0].asked_at, row[0].id))
    return Page(_views(work, page.items), page.next_cursor)


def read_adjustment(work: Work, *, adjustment_id: UUID) -> AdjustmentView:
    """Return an adjustment; NotFound for another park's, and for a park while it is not charged."""
    work.actor.require(Permission.READ_INVOICE)
    return _read(work, adjustment_id)


def _adjusted(work: Work, invoice_id: UUID, line: int) -> tuple[Invoice, InvoiceLine, str]:
    found = store.adjusted_line(work.session, invoice_id, line)
    if found is None:
        raise NotFound("invoice.line_not_found", msg("没有找到该账单行。请从账单中重新打开。"))
    return found


def _asked(work: Work, adjustment_id: UUID) -> Adjustment:
    row = store.lock_adjustment(work.session, adjustment_id)
    if row is None:
        raise _not_found()
    if row.status != "asked":
        raise Conflict("adjustment.decided", msg("该补收已办理。请刷新后查看结果。"))
    return row


def _charge(work: Work, row: Adjustment) -> None:
    """Let an adjustment be usage of the running month: its event, what it costs, and its journal."""
    invoice, line, period = _adjusted(work, row.invoice_id, row.invoice_line)
    tenant, adjustment_id = row.tenant_id, row.id
    data = {
        "quantity": 1,
        "invoice": invoice.number,
        "line": row.invoice_line,
        "period": period,
        "amount_fen": row.amount_fen,
    }
    note_event(
        work,
        tenant,
        source=SOURCE,
        event_id=str(adjustment_id),
        event_type=EVENT_TYPE,
        subject=str(tenant),
        time=work.now,
        data=data,
    )
    values: dict[str, Any] = {
        "tenant_id": tenant,
        "id": new_id(),
        "event_source": SOURCE,
        "event_id": str(adjustment_id),
        "order_line_id": adjustment_id,
        "offering": ADJUSTMENT,
        "title": f"补收 {invoice.number} 第 {row.invoice_line} 行（{period}）：{line.title}"[:200],
        "price_id": adjustment_id,
        "quantity": 1,
        "vat_bp": line.vat_bp,
        "gross_fen": row.amount_fen,
        "subsidy_fen": 0,
        "payable_fen": row.amount_fen,
        "awards": [],
        "payment_method": "invoice",
        "period": month_name(work.now),
        "rated_at": work.now,
    }
    settlements.insert_rated(work.session, values)
    journal = ledger.delivery(
        park_id=tenant,
        source_id=str(adjustment_id),
        occurred_at=work.now,
        payable_fen=row.amount_fen,
        by_fund={},
        vat_bp=line.vat_bp,
    )
    assert journal is not None, "it is above zero"  # noqa: S101 - for the type checker
    post_journal(work.session, journal, user_id=work.actor.user_id)
    row.status, row.decided_by, row.decided_at = "charged", work.actor.require_person(), work.now
    work.session.flush()
    audit.record(
        work, "adjustment.charge", "adjustment", adjustment_id, tenant_id=tenant, amount_fen=row.amount_fen,
        invoice=invoice.number, line=row.invoice_line,
    )  # fmt: skip


def _check_amount(amount_fen: int) -> None:
    if not 0 < amount_fen <= MAX_FEN:
        raise Invalid("adjustment.amount", msg("补收金额须大于零。多收的请开具红字账单。"))


def _shown_status(actor: Actor, status: str | None) -> str | None:
    return "charged" if actor.tenant_id is not None else status


def _read(work: Work, adjustment_id: UUID) -> AdjustmentView:
    found = store.adjustments_page(
        work.session, adjustment_id=adjustment_id, status=_shown_status(work.actor, None)
    )  # fmt: skip
    if not found:
        raise _not_found()
    (view,) = _views(work, found)
    return view


def _views(work: Work, rows: Sequence[AdjustmentRow]) -> tuple[AdjustmentView, ...]:
    names = onboarding.park_names(work, park_ids={row.tenant_id for row, *_ in rows})
    places = store.places_of(work.session, [row.id for row, *_ in rows])
    found = []
    for row, invoice, line, period in rows:
        place = places.get(row.id)
        found.append(
            AdjustmentView(
                id=row.id,
                park_id=row.tenant_id,
                park_name=names.get(row.tenant_id, ""),
                invoice_id=row.invoice_id,
                invoice_number=invoice.number or "",
                invoice_line=row.invoice_line,
                title=line.title or line.offering,
                period=period,
                amount_fen=row.amount_fen,
                vat_bp=line.vat_bp,
                reason=row.reason,
                status=row.status,
                by_two=row.by_two,
                asked_by=row.asked_by,
                asked_at=row.asked_at,
                decided_at=row.decided_at,
                on_invoice_id=place[0] if place else None,
                on_invoice_number=place[1] if place else "",
                on_invoice_line=place[2] if place else None,
                event_source=SOURCE,
                event_id=str(row.id),
            )
        )
    return tuple(found)


def _not_found() -> NotFound:
    return NotFound("adjustment.not_found", msg("没有找到该补收。请从列表中重新打开。"))
