"""The way from an invoice line to the event, the rules and the files behind it, and from an event to its line."""

from __future__ import annotations

from flask import Response, request

from marketplace.usecases import traces
from marketplace.web.pages import id_of, page_group, page_work
from marketplace.web.rendering import show
from tenants.kernel.errors import NotFound
from tenants.kernel.identifiers import parse_id
from tenants.kernel.messages import msg

pages = page_group("traces")
MOST_LINES = 10**6


@pages.get("/invoices/<invoice_id>/lines/<int:line>")
def line(invoice_id: str, line: int) -> Response:
    """Show what an invoice line was made from."""
    if line > MOST_LINES:
        raise NotFound("page.not_found", msg("没有找到所请求的内容。请从列表中重新打开。"))
    with page_work() as work:
        found = traces.trace_invoice_line(work, invoice_id=id_of(invoice_id), line=line)
    return show("traces/trace.html", found=found)


@pages.get("/usage/event")
def event() -> Response:
    """Show what an event has led to."""
    asked = request.args
    with page_work() as work:
        found = traces.trace_event(
            work, source=asked.get("source", ""), event_id=asked.get("id", ""), park_id=parse_id(asked.get("park", ""))
        )
    return show("traces/trace.html", found=found)
