"""Many invoices as one file: asked for, watched while they are made, downloaded."""

from __future__ import annotations

from flask import Response, url_for

from marketplace.api.artefacts import download
from marketplace.usecases import invoice_batches as use_cases
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import month_of, say, show
from tenants.kernel.errors import Kind, Problem

pages = page_group("invoice_batches")

ZIP = "application/zip"


@pages.get("/invoice-batches")
def batches() -> Response:
    """Show the form and the newest batches."""
    return _page(None)


@pages.post("/invoice-batches")
def request_batch() -> Response:
    """Ask for a batch and lead to its progress."""
    try:
        with page_work() as work:
            made = use_cases.request_batch(
                work,
                kind=field("kind"),
                first_period=field("first_period"),
                last_period=field("last_period") or None,
            )
    except Problem as problem:
        if problem.kind is Kind.NOT_FOUND:
            return _page(Refusal(problem.code, say(problem.message), 404, {}, ()))
        return _page(refusal_of(problem, lambda path: "first_period" if path == "period" else path))
    return go(url_for("invoice_batches.batch", batch_id=made.id))


@pages.get("/invoice-batches/<batch_id>")
def batch(batch_id: str) -> Response:
    """Show one batch."""
    with page_work() as work:
        found = use_cases.read_batch(work, batch_id=id_of(batch_id))
    return show("invoices/batch.html", batch=found)


@pages.get("/invoice-batches/<batch_id>/live")
def live(batch_id: str) -> Response:
    """Show the part of a batch that moves; it asks for itself again until the batch has ended."""
    with page_work() as work:
        found = use_cases.read_batch(work, batch_id=id_of(batch_id))
    return show("invoices/batch_live.html", batch=found)


@pages.post("/invoice-batches/<batch_id>/cancel")
def cancel(batch_id: str) -> Response:
    """Stop a batch."""
    try:
        with page_work() as work:
            use_cases.cancel_batch(work, batch_id=id_of(batch_id))
    except Problem as problem:
        refusal_of(problem)  # raises what no page can mend; one that has ended meanwhile is simply shown as it is
    return go(url_for("invoice_batches.batch", batch_id=batch_id))


@pages.get("/invoice-batches/<batch_id>.zip")
def file(batch_id: str) -> Response:
    """Send the zip of a finished batch."""
    with page_work() as work:
        found, content = use_cases.open_batch(work, batch_id=id_of(batch_id))
    return download(found.file_name, ZIP, content, sha256=found.sha256)


def _page(refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.list_batches(work)
        month = month_of(work.now)
    return show(
        "invoices/batches.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else {"first_period": month},
        batches=found,
    )
