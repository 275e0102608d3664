"""Credit notes: the form on an invoice, the list, one note with who got what, and its PDF."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from flask import Response, make_response, request, url_for

from billing.rules.returns import ReturnCause
from billing.usecases import credit_notes as billing
from billing.usecases import invoicing
from billing.usecases.credit_notes import CreditWish
from billing.usecases.fee_returns import days_between
from marketplace.usecases import credit_notes
from marketplace.web.amounts import fen_of
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import Problem
from tenants.kernel.idempotency import once
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Permission
from tenants.rules.days import Span

pages = page_group("credit_notes")


@pages.get("/credit-notes")
def notes() -> Response:
    """Show credit notes, newest first."""
    with page_work() as work:
        page = billing.list_credit_notes(work, limit=30, cursor=request.args.get("cursor"))
    return show("credit_notes/list.html", page=page)


@pages.get("/credit-notes/<note_id>")
def note(note_id: str) -> Response:
    """Show one credit note."""
    return _note(note_id, None)


@pages.get("/credit-notes/<note_id>.pdf")
def pdf(note_id: str) -> Response:
    """Send a credit note as a PDF."""
    with page_work() as work:
        found = billing.read_credit_note(work, note_id=id_of(note_id))
        content = billing.credit_note_pdf(work, note_id=found.id)
    response = make_response(content)
    response.headers["Content-Type"] = "application/pdf"
    response.headers.set("Content-Disposition", "inline", filename=f"{found.number}.pdf")
    return response


@pages.post("/credit-notes/<note_id>/decision")
def decide(note_id: str) -> Response:
    """Issue a credit note that somebody else asked for, or refuse it."""
    decide_it = credit_notes.approve_credit_note if field("decision") == "issue" else billing.refuse_credit_note
    try:
        with page_work() as work:
            decide_it(work, note_id=id_of(note_id))
    except Problem as problem:
        return _note(note_id, refusal_of(problem))
    return go(url_for("credit_notes.note", note_id=note_id))


@pages.get("/invoices/<invoice_id>/credit-note")
def new(invoice_id: str) -> Response:
    """Show the form for a credit note."""
    return _form(invoice_id, None)


@pages.post("/invoices/<invoice_id>/credit-note")
def ask(invoice_id: str) -> Response:
    """Issue a credit note, or ask for it; the form's key makes a double click one."""
    try:
        days = _days()
        wish = CreditWish(
            invoice_id=id_of(invoice_id),
            lines={place: fen for place, fen in _lines().items() if place not in days},
            days=days,
            cause=ReturnCause(field("cause")) if field("cause") in set(ReturnCause) else ReturnCause.RETURNED,
            reason=field("reason"),
            agreement=field("agreement"),
        )
        with page_work() as work:
            made = once(
                work,
                field("key") or None,
                "page.credit_note.ask",
                {"invoice": invoice_id},
                lambda: {"id": str(credit_notes.ask_credit_note(work, wish=wish).id)},
            )
    except Problem as problem:
        return _form(invoice_id, refusal_of(problem, _at))
    return go(url_for("credit_notes.note", note_id=UUID(made["id"])))


def _lines() -> dict[int, int | None]:
    """Return the amounts that were typed, by line; a line without one is left alone."""
    found: dict[int, int | None] = {}
    for name in request.form:
        place = name.removeprefix("line_")
        if name.startswith("line_") and place.isascii() and place.isdigit() and field(name):
            found[int(place)] = fen_of(name)
    return found


def _days() -> dict[int, Span]:
    """Return the days that were chosen, by line, of lines that are subscriptions' fees."""
    amounts, found = _lines(), dict[int, Span]()
    for name in request.form:
        place = name.removeprefix("first_day_")
        if name == place or not (place.isascii() and place.isdigit()):
            continue
        if field(name) or field(f"last_day_{place}"):
            first, last = _day(name), _day(f"last_day_{place}")
            found[int(place)] = days_between(first, last, amounts.get(int(place)), f"lines[{place}].first_day")
    return found


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(field(name))
    except ValueError:
        return None


def _at(path: str) -> str:
    """Return the form's name of a field."""
    if path.startswith("lines["):
        place, _, name = path.removeprefix("lines[").partition("].")
        return f"{name}_{place}" if name == "first_day" else f"line_{place}"
    return path


def _note(note_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = billing.read_credit_note(work, note_id=id_of(note_id))
    status = 200 if refusal is None else refusal.status
    return show("credit_notes/note.html", status=status, refusal=refusal, note=found)


def _form(invoice_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require(Permission.RETURN_DELIVERY)
        invoice = invoicing.read_invoice(work, invoice_id=id_of(invoice_id))
        lines = billing.creditable_lines(work, invoice_id=invoice.id)
    return show(
        "credit_notes/new.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given(),
        invoice=invoice,
        lines=lines,
        causes=list(ReturnCause),
        key=field("key") or f"credit-note:{new_id()}",
    )
