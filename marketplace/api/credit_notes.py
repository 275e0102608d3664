"""Credit notes: what of an invoice is taken back, and who got which part of it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.rules.returns import ReturnCause
from billing.usecases import credit_notes as billing
from billing.usecases.credit_notes import CreditWish
from billing.usecases.fee_returns import days_between
from marketplace.api.artefacts import download
from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Amount, Answer, Body, ById, Fen, Idempotent, Moment, Name, Paged
from marketplace.doors.identity import working
from marketplace.usecases import credit_notes as use_cases

credit_notes = noun("credit_notes", "What of an invoice is taken back.")


Day = Annotated[date, Field(ge=date(1900, 1, 1), le=date(2200, 12, 30), description="A day, such as 2026-03-31")]


class CreditLineWish(Body):
    """A line of the invoice, and how much of its list price is taken back: null for all that is left. Of a
    subscription's fee it may be the days from ``first_day`` to ``last_day``, both included, instead of an amount.
    """

    line: Annotated[int, Field(strict=True, ge=1, le=10**6)]
    amount_fen: Fen | None = None
    first_day: Day | None = None
    last_day: Day | None = None


class CreditNoteWish(Body):
    """What is taken back of an invoice, why, and who agreed for the provider."""

    invoice_id: UUID
    lines: Annotated[list[CreditLineWish], Field(min_length=1, max_length=200)]
    cause: ReturnCause
    reason: Name
    agreement: Name


class CreditNoteRow(Answer):
    """A credit note in a list: asked for by one person, above the limit (``by_two``) decided by another."""

    id: UUID
    number: str | None
    status: str
    invoice_id: UUID
    invoice_number: str
    park_id: UUID
    park_name: str
    amount_fen: Amount
    park_fen: Amount
    public_fen: Amount
    vat_fen: Amount
    by_two: bool
    cause: str
    reason: str
    agreement: str
    asked_at: Moment
    decided_at: Moment | None


class CreditNoteLine(Answer):
    """A part of an invoice line, and where it went: the public part never goes to the park."""

    invoice_line: int
    title: str
    period: str
    gross_fen: Amount
    amount_fen: Amount
    park_fen: Amount
    public_fen: Amount
    vat_bp: int
    vat_fen: Amount
    to_invoice_fen: Amount
    to_wallet_fen: Amount
    withdrawn_fen: Amount
    recalled_fen: Amount
    first_day: date | None
    last_day: date | None


class CreditNote(CreditNoteRow):
    """A credit note with its lines."""

    lines: list[CreditNoteLine]


class CreditNotes(Answer):
    """Credit notes, newest first, a part of the list."""

    items: list[CreditNoteRow]
    next_cursor: str | None = None


class CreditNoteQuery(Paged):
    """Which credit notes."""

    invoice_id: UUID | None = None
    status: Literal["asked", "issued", "refused"] | None = None
    park_id: UUID | None = Field(None, description="For staff: one park's credit notes")


@credit_notes.post("/credit-notes", **call(CreditNote, status=201))
def ask_credit_note(body: CreditNoteWish, header: Idempotent) -> Response:
    """Issue a credit note; above what one person may issue it waits, as ``asked``, for another one."""
    days = {
        each.line: days_between(each.first_day, each.last_day, each.amount_fen, f"lines[{each.line}].first_day")
        for each in body.lines
        if each.first_day is not None or each.last_day is not None
    }
    wish = CreditWish(
        invoice_id=body.invoice_id,
        lines={each.line: each.amount_fen for each in body.lines if each.line not in days},
        days=days,
        cause=body.cause,
        reason=body.reason,
        agreement=body.agreement,
    )
    return command(
        "credit_note.ask",
        header,
        body,
        lambda work: CreditNote.of(use_cases.ask_credit_note(work, wish=wish)),
        status=201,
    )


@credit_notes.get("/credit-notes", **call(CreditNotes))
def list_credit_notes(query: CreditNoteQuery) -> Response:
    """List credit notes."""
    return read(CreditNotes, lambda work: billing.list_credit_notes(work, **query.model_dump()))


@credit_notes.get("/credit-notes/<id>", **call(CreditNote))
def read_credit_note(path: ById) -> Response:
    """Read a credit note."""
    return read(CreditNote, lambda work: billing.read_credit_note(work, note_id=path.id))


@credit_notes.get("/credit-notes/<id>.pdf", **call(files=["application/pdf"]))
def credit_note_pdf(path: ById) -> Response:
    """Download an issued credit note as a page."""
    with working() as work:
        content = billing.credit_note_pdf(work, note_id=path.id)
    return download(f"credit-note-{path.id}.pdf", "application/pdf", content)


@credit_notes.post("/credit-notes/<id>/approval", **call(CreditNote))
def approve_credit_note(path: ById, header: Idempotent) -> Response:
    """Issue a credit note that another person asked for."""
    return command(
        "credit_note.approve",
        header,
        None,
        lambda work: CreditNote.of(use_cases.approve_credit_note(work, note_id=path.id)),
        about={"id": str(path.id)},
    )


@credit_notes.post("/credit-notes/<id>/refusal", **call(CreditNote))
def refuse_credit_note(path: ById, header: Idempotent) -> Response:
    """Refuse a credit note that was asked for."""
    return command(
        "credit_note.refuse",
        header,
        None,
        lambda work: CreditNote.of(billing.refuse_credit_note(work, note_id=path.id)),
        about={"id": str(path.id)},
    )
