"""What a credit note looks like to those who may see it, and as its template wants it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from billing.rules.capitals import capitals
from billing.rules.money import format_yuan
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store.credit_note_queries import NoteLineRow
from billing.store.credit_notes import CreditNote
from billing.usecases.issuers import IssuerView

CAUSES = {"returned": "服务退回", "undelivered": "未交付", "wrong": "交付与订单不符"}


@dataclass(frozen=True)
class CreditNoteRow:
    """A credit note as a list shows it. Amounts in fen; the shares are known once it is issued."""

    id: UUID
    number: str | None
    status: str
    invoice_id: UUID
    invoice_number: str
    park_id: UUID
    park_name: str
    amount_fen: int
    park_fen: int
    public_fen: int
    vat_fen: int
    by_two: bool
    cause: str
    reason: str
    agreement: str
    asked_by: UUID
    asked_at: datetime
    decided_at: datetime | None


@dataclass(frozen=True)
class CreditNoteLineView:
    """A part of an invoice line. Of the park's part, so much paid its invoice and so much went to its wallet; the public
    part is back in its funds, or asked of the provider.
    """

    invoice_line: int
    title: str
    period: str
    gross_fen: int
    amount_fen: int
    park_fen: int
    public_fen: int
    vat_bp: int
    vat_fen: int
    to_invoice_fen: int
    to_wallet_fen: int
    withdrawn_fen: int
    recalled_fen: int
    first_day: date | None
    last_day: date | None
    """The days of a subscription's fee, both included; none where an amount was taken back."""


@dataclass(frozen=True)
class CreditNoteView(CreditNoteRow):
    """A credit note with its lines."""

    lines: tuple[CreditNoteLineView, ...]


def note_row(note: CreditNote, invoice_number: str, park_name: str) -> CreditNoteRow:
    """Return a stored credit note as a list shows it."""
    return CreditNoteRow(**_fields(note, invoice_number, park_name))


def note_view(note: CreditNote, invoice_number: str, park_name: str, rows: Iterable[NoteLineRow]) -> CreditNoteView:
    """Return a stored credit note with its lines."""
    return CreditNoteView(**_fields(note, invoice_number, park_name), lines=tuple(_line(row) for row in rows))


def note_document(note: CreditNoteView, buyer_uscc: str, issuer: IssuerView | None) -> dict[str, Any]:
    """Return the values of the credit note's page: amounts in red and with a minus, as a red-letter document has them.

    ``issuer`` is who had been confirmed when the note was issued.
    """
    issued = "" if note.decided_at is None else local_day(note.decided_at, DEFAULT_ZONE).isoformat()
    return {
        "number": note.number,
        "invoice": note.invoice_number,
        "issued_on": issued,
        "issuer": "" if issuer is None else issuer.name,
        "issuer_uscc": "" if issuer is None else issuer.uscc,
        "buyer": note.park_name,
        "buyer_uscc": buyer_uscc,
        "cause": CAUSES[note.cause],
        "reason": note.reason,
        "agreement": note.agreement,
        "lines": [
            {
                "line": line.invoice_line,
                "title": line.title,
                "about": _about(line),
                "amount": _minus(line.amount_fen),
                "public": _minus(line.public_fen),
                "park": _minus(line.park_fen),
                "vat_rate": f"{line.vat_bp / 100:g}%",
                "vat": _minus(line.vat_fen),
            }
            for line in note.lines
        ],
        "amount": _minus(note.amount_fen),
        "public": _minus(note.public_fen),
        "park": _minus(note.park_fen),
        "vat": _minus(note.vat_fen),
        "net": _minus(note.amount_fen - note.vat_fen),
        "to_invoice": format_yuan(sum(line.to_invoice_fen for line in note.lines)),
        "to_wallet": format_yuan(sum(line.to_wallet_fen for line in note.lines)),
        "capitals": capitals(note.amount_fen),
    }


def _about(line: CreditNoteLineView) -> str:
    if line.first_day is None or line.last_day is None:
        return f"{line.period} 的用量"
    days = (line.last_day - line.first_day).days + 1
    return f"{line.first_day.isoformat()} 至 {line.last_day.isoformat()}，{days} 天"


def _minus(fen: int) -> str:
    return f"-{format_yuan(fen)}" if fen else format_yuan(0)


def _fields(note: CreditNote, invoice_number: str, park_name: str) -> dict[str, Any]:
    return {
        "id": note.id,
        "number": note.number,
        "status": note.status,
        "invoice_id": note.invoice_id,
        "invoice_number": invoice_number,
        "park_id": note.tenant_id,
        "park_name": park_name,
        "amount_fen": note.amount_fen,
        "park_fen": note.park_fen,
        "public_fen": note.public_fen,
        "vat_fen": note.vat_fen,
        "by_two": note.by_two,
        "cause": note.cause,
        "reason": note.reason,
        "agreement": note.agreement,
        "asked_by": note.asked_by,
        "asked_at": note.asked_at,
        "decided_at": note.decided_at,
    }


def _line(row: NoteLineRow) -> CreditNoteLineView:
    made = row.made
    return CreditNoteLineView(
        invoice_line=row.line.invoice_line,
        title=row.invoice_line.title,
        period=row.period,
        gross_fen=row.invoice_line.gross_fen,
        amount_fen=row.line.amount_fen,
        park_fen=0 if made is None else made.park_fen,
        public_fen=0 if made is None else made.public_fen,
        vat_bp=row.invoice_line.vat_bp,
        vat_fen=0 if made is None else made.vat_fen,
        to_invoice_fen=0 if made is None else made.to_invoice_fen + made.waiting_fen,
        to_wallet_fen=0 if made is None else made.to_wallet_fen,
        withdrawn_fen=0 if made is None else made.withdrawn_fen,
        recalled_fen=0 if made is None else made.recalled_fen,
        first_day=row.line.from_day,
        last_day=None if row.line.until_day is None else row.line.until_day - timedelta(days=1),
    )
