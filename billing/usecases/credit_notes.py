"""Credit notes (红字账单): what of an invoice is to be taken back, asked, decided, listed and read.

What moves is a return (``returns``): one mechanism for the money, of which the credit note is the document. Up to the
legal entity's limit one person issues it; above it another one decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from billing.gateways.credit_note_pdf import render_credit_note
from billing.rules.invoices import LEGAL_ENTITY
from billing.rules.money import format_yuan
from billing.rules.returns import ReturnCause
from billing.store import credit_note_queries, invoice_queries, legal_entities
from billing.store.credit_note_queries import NoteLineRow
from billing.store.credit_notes import CreditNote
from billing.usecases.credit_note_views import CreditNoteRow, CreditNoteView, note_document, note_row, note_view
from billing.usecases.fee_returns import fee_of_usage, fen_of_days
from billing.usecases.invoice_views import invoice_not_found
from billing.usecases.issuers import issuer_at
from billing.usecases.returns import ReturnedLine, ReturnWish, left_to_return, return_lines
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.days import Span
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit, onboarding


@dataclass(frozen=True)
class CreditWish:
    """What is to be taken back: fen by invoice line (None for all that is left), why, and who agreed for the provider.

    Of a subscription's fee it may be some of its ``days`` instead, by invoice line.
    """

    invoice_id: UUID
    lines: Mapping[int, int | None]
    cause: ReturnCause
    reason: str
    agreement: str
    days: Mapping[int, Span] = field(default_factory=dict)


@dataclass(frozen=True)
class CreditableLine:
    """A line of an invoice and what of it may be taken back, in fen; a subscription's fee also by its days, both ends
    included.
    """

    line: int
    title: str
    gross_fen: int
    left_fen: int
    first_day: date | None
    last_day: date | None


@dataclass(frozen=True)
class AskedNote:
    """A credit note that was asked for: its order lines, and whether another person has to decide."""

    id: UUID
    by_two: bool
    order_line_ids: tuple[UUID, ...]


@dataclass(frozen=True)
class Delivered:
    """Who delivered an order line, and what people call it."""

    provider_id: UUID
    subject: str


def creditable_lines(work: Work, *, invoice_id: UUID) -> tuple[CreditableLine, ...]:
    """Return the lines of an invoice with what may be taken back of each; none of one that is void."""
    work.actor.require(Permission.RETURN_DELIVERY)
    invoice = invoice_queries.invoice_of(work.session, invoice_id)
    if invoice is None:
        raise invoice_not_found()
    found = credit_note_queries.invoice_lines_with_usage(work.session, invoice.tenant_id, invoice.id)
    fees = {line.line: fee_of_usage(work, usage) for line, usage in found}
    return tuple(
        CreditableLine(
            line=line.line,
            title=line.title,
            gross_fen=line.gross_fen,
            left_fen=left_to_return(work, usage),
            first_day=None if fee is None else fee.own_days.start,
            last_day=None if fee is None else fee.own_days.end - timedelta(days=1),
        )
        for line, usage in found
        for fee in [fees[line.line]]
    )


def ask_credit_note(work: Work, *, wish: CreditWish) -> AskedNote:
    """Ask for a credit note. What it takes back does not move yet.

    Raises NotFound for an unknown invoice, Conflict for one that is not finalised, Invalid for a line that is not on it
    or an amount above what is left of one.
    """
    work.actor.require(Permission.RETURN_DELIVERY)
    person = work.actor.require_person()
    with Faults() as faults:
        faults.take("reason", check_name, wish.reason)
        faults.take("agreement", check_name, wish.agreement)
    invoice = invoice_queries.invoice_of(work.session, wish.invoice_id)
    if invoice is None:
        raise invoice_not_found()
    if invoice.status not in {"finalized", "paid"}:
        raise Conflict("credit_note.not_finalized", msg("只有已开具且未作废的账单可以开具红字账单。"))
    places = {*wish.lines, *wish.days}
    found = {
        line.line: usage
        for line, usage in credit_note_queries.invoice_lines_with_usage(
            work.session, invoice.tenant_id, invoice.id, places
        )
    }
    asked = dict(wish.lines) | {
        place: fen_of_days(fee_of_usage(work, found[place]), days, f"lines[{place}].first_day")
        for place, days in wish.days.items()
        if place in found
    }
    left = {place: left_to_return(work, usage) for place, usage in found.items()}
    amounts = _amounts(dict.fromkeys(places) | asked, left)
    by_two = sum(amounts.values()) > legal_entities.entity_of(work.session, LEGAL_ENTITY).alone_up_to_fen
    note_id = new_id()
    row: dict[str, Any] = {
        "tenant_id": invoice.tenant_id,
        "id": note_id,
        "legal_entity": invoice.legal_entity,
        "invoice_id": invoice.id,
        "status": "asked",
        "amount_fen": sum(amounts.values()),
        **dict.fromkeys(("park_fen", "public_fen", "vat_fen"), 0),
        "by_two": by_two,
        "cause": wish.cause,
        "reason": wish.reason.strip(),
        "agreement": wish.agreement.strip(),
        "asked_by": person,
        "asked_at": work.now,
    }
    lines = [
        {
            "tenant_id": invoice.tenant_id,
            "credit_note_id": note_id,
            "invoice_line": place,
            "invoice_id": invoice.id,
            "amount_fen": fen,
            "from_day": wish.days[place].start if place in wish.days else None,
            "until_day": wish.days[place].end if place in wish.days else None,
        }
        for place, fen in sorted(amounts.items())
    ]
    credit_note_queries.insert_note(work.session, row, lines)
    audit.record(
        work, "credit_note.ask", "credit_note", note_id, tenant_id=invoice.tenant_id, amount_fen=row["amount_fen"]
    )
    return AskedNote(note_id, by_two, tuple(found[place].order_line_id for place in sorted(found)))


def lock_asked(work: Work, *, note_id: UUID) -> AskedNote:
    """Lock a credit note that waits for a decision. Raises NotFound; Conflict for one that is decided."""
    work.actor.require(Permission.RETURN_DELIVERY)
    note = _asked(work, note_id)
    rows = credit_note_queries.note_lines(work.session, note)
    return AskedNote(note.id, note.by_two, tuple(row.order_line_id for row in rows))


def issue_credit_note(work: Work, *, note_id: UUID, deliveries: Mapping[UUID, Delivered]) -> CreditNoteView:
    """Issue a credit note that was asked for: return its lines, by order line, and give it its number. Lines that are
    no order's are the platform's own: nobody else has delivered them.

    Raises Conflict when it takes two people and the same one asked, and as ``returns`` does.
    """
    work.actor.require(Permission.RETURN_DELIVERY)
    person = work.actor.require_person()
    note = _asked(work, note_id)
    if note.by_two and note.asked_by == person:
        raise Conflict("credit_note.same_person", msg("该红字账单超过一人可办理的限额。请由申请人以外的人确认。"))
    rows = credit_note_queries.note_lines(work.session, note)
    if any(row.invoice_line.voided for row in rows):
        raise Conflict("credit_note.not_finalized", msg("只有已开具且未作废的账单可以开具红字账单。"))
    return_lines(work, [_returned(note, row, deliveries.get(row.order_line_id)) for row in rows], note=note)
    return _read(work, note_id)


def refuse_credit_note(work: Work, *, note_id: UUID) -> CreditNoteView:
    """Refuse a credit note that was asked for; who asked may take it back. Nothing moves."""
    work.actor.require(Permission.RETURN_DELIVERY)
    person = work.actor.require_person()
    note = _asked(work, note_id)
    note.status, note.decided_by, note.decided_at = "refused", person, work.now
    work.session.flush()
    audit.record(work, "credit_note.refuse", "credit_note", note_id, tenant_id=note.tenant_id)
    return _read(work, note_id)


def list_credit_notes(
    work: Work,
    *,
    park_id: UUID | None = None,
    invoice_id: UUID | None = None,
    status: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[CreditNoteRow]:
    """Return credit notes, newest first: a park's own, for staff those of ``park_id`` or of all parks."""
    work.actor.require(Permission.READ_INVOICE)
    found = credit_note_queries.notes_page(
        work.session,
        park_id=park_id,
        invoice_id=invoice_id,
        status=status,
        before=decode_cursor(cursor),
        limit=check_limit(limit) + 1,
    )
    page = page_of(found, limit, lambda row: row, lambda row: (row[0].asked_at, row[0].id))
    return Page(_rows(work, page.items), page.next_cursor)


def read_credit_note(work: Work, *, note_id: UUID) -> CreditNoteView:
    """Return a credit note with its lines; NotFound for another park's."""
    work.actor.require(Permission.READ_INVOICE)
    return _read(work, note_id)


def credit_note_pdf(work: Work, *, note_id: UUID) -> bytes:
    """Return an issued credit note as an A4 page in Chinese; NotFound for another park's, or one not issued."""
    work.actor.require(Permission.READ_INVOICE)
    note = _read(work, note_id)
    if note.number is None:
        raise _not_found()
    buyer = onboarding.read_organisation(work, organisation_id=note.park_id)
    issuer = issuer_at(work, note.decided_at or work.now)
    return render_credit_note(note_document(note, buyer.uscc, issuer))


def _read(work: Work, note_id: UUID) -> CreditNoteView:
    note = credit_note_queries.note_of(work.session, note_id)
    invoice = None if note is None else invoice_queries.invoice_of(work.session, note.invoice_id)
    if note is None or invoice is None:
        raise _not_found()
    name = onboarding.park_names(work, park_ids={note.tenant_id}).get(note.tenant_id, "")
    return note_view(note, invoice.number or "", name, credit_note_queries.note_lines(work.session, note))


def _rows(work: Work, found: Sequence[tuple[CreditNote, str]]) -> tuple[CreditNoteRow, ...]:
    names = onboarding.park_names(work, park_ids={note.tenant_id for note, _ in found})
    return tuple(note_row(note, number, names.get(note.tenant_id, "")) for note, number in found)


def _amounts(wished: Mapping[int, int | None], left: Mapping[int, int]) -> dict[int, int]:
    """Return fen by line; Invalid names each line that is not on the invoice or has less left."""
    errors = []
    amounts: dict[int, int] = {}
    for place, asked in wished.items():
        most = left.get(place)
        field = f"lines[{place}].amount_fen"
        if most is None:
            errors.append(
                FieldError(field, "credit_note.no_line", msg("账单没有第 {line} 行。请改正行号。", line=place))
            )
        elif not most or not 0 < (most if asked is None else asked) <= most:
            wrong = msg("第 {line} 行最多可冲 {most} 元。请改正金额。", line=place, most=format_yuan(most))
            errors.append(FieldError(field, "credit_note.amount", wrong))
        else:
            amounts[place] = most if asked is None else asked
    if errors:
        raise Invalid(errors[0].code, errors[0].message, errors=errors)
    if not amounts:
        nothing = msg("请至少选择一行并填写金额。")
        raise Invalid("credit_note.empty", nothing, errors=[FieldError("lines", "credit_note.empty", nothing)])
    return amounts


def _returned(note: CreditNote, row: NoteLineRow, delivered: Delivered | None) -> ReturnedLine:
    """Return what a line of a credit note takes back."""
    first, end = row.line.from_day, row.line.until_day
    return ReturnedLine(
        row.order_line_id,
        None if delivered is None else delivered.provider_id,
        ReturnWish(
            cause=ReturnCause(note.cause),
            reason=note.reason,
            agreement=note.agreement,
            subject=row.invoice_line.title if delivered is None else delivered.subject,
            amount_fen=row.line.amount_fen,
            days=None if first is None or end is None else Span(first, end),
        ),
    )


def _asked(work: Work, note_id: UUID) -> CreditNote:
    note = credit_note_queries.note_of(work.session, note_id, lock=True)
    if note is None:
        raise _not_found()
    if note.status != "asked":
        raise Conflict("credit_note.decided", msg("该红字账单已办理。请刷新后查看结果。"))
    return note


def _not_found() -> NotFound:
    return NotFound("credit_note.not_found", msg("没有找到该红字账单。请从列表中重新打开。"))
