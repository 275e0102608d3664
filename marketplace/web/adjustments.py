"""Adjustments: the list, one with its line and where it stands, and the form on an invoice."""

from __future__ import annotations

from uuid import UUID

from flask import Response, request, url_for

from billing.usecases import adjustments, invoicing
from billing.usecases.adjustments import AdjustmentWish
from marketplace.web.amounts import fen_of
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import Problem
from tenants.kernel.idempotency import once
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Permission

pages = page_group("adjustments")
MOST_DIGITS = 6


@pages.get("/adjustments")
def adjustments_list() -> Response:
    """Show adjustments, newest first."""
    with page_work() as work:
        page = adjustments.list_adjustments(work, limit=30, cursor=request.args.get("cursor"))
    return show("adjustments/list.html", page=page)


@pages.get("/adjustments/<adjustment_id>")
def adjustment(adjustment_id: str) -> Response:
    """Show one adjustment."""
    return _page(adjustment_id, None)


@pages.post("/adjustments/<adjustment_id>/decision")
def decide(adjustment_id: str) -> Response:
    """Charge an adjustment that somebody else asked for, or refuse it."""
    decide_it = adjustments.approve_adjustment if field("decision") == "charge" else adjustments.refuse_adjustment
    try:
        with page_work() as work:
            decide_it(work, adjustment_id=id_of(adjustment_id))
    except Problem as problem:
        return _page(adjustment_id, refusal_of(problem))
    return go(url_for("adjustments.adjustment", adjustment_id=adjustment_id))


@pages.get("/invoices/<invoice_id>/adjustment")
def new(invoice_id: str) -> Response:
    """Show the form for an adjustment of a line of an invoice."""
    return _form(invoice_id, None)


@pages.post("/invoices/<invoice_id>/adjustment")
def ask(invoice_id: str) -> Response:
    """Charge the rest of a line, or ask for it; the form's key makes a double click one."""
    try:
        wish = AdjustmentWish(id_of(invoice_id), _line(field("line")), fen_of("amount"), field("reason"))
        with page_work() as work:
            made = once(
                work,
                field("key") or None,
                "page.adjustment.ask",
                {"invoice": invoice_id},
                lambda: {"id": str(adjustments.ask_adjustment(work, wish=wish).id)},
            )
    except Problem as problem:
        return _form(invoice_id, refusal_of(problem, lambda path: "amount" if path == "amount_fen" else path))
    return go(url_for("adjustments.adjustment", adjustment_id=UUID(made["id"])))


def _line(text: str) -> int:
    """Return the number of a line; 0, which no invoice has, for what is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else 0


def _page(adjustment_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = adjustments.read_adjustment(work, adjustment_id=id_of(adjustment_id))
    status = 200 if refusal is None else refusal.status
    return show("adjustments/adjustment.html", status=status, refusal=refusal, found=found)


def _form(invoice_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require(Permission.ISSUE_INVOICE)
        invoice = invoicing.read_invoice(work, invoice_id=id_of(invoice_id))
    return show(
        "adjustments/new.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given(),
        chosen=field("line") or request.args.get("line", ""),
        invoice=invoice,
        key=field("key") or f"adjustment:{new_id()}",
    )
