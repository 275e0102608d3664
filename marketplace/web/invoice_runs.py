"""What would be billed now, the run that bills it, and how late use is waited for."""

from __future__ import annotations

import re

from flask import Response, request, url_for

from billing.rules.money import yuan
from billing.usecases import invoice_drafts, invoice_runs, invoice_settings, invoicing
from marketplace.web.amounts import fen_of, share_of
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import month_of, show
from tenants.kernel.errors import FieldError, Invalid, NotFound, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission

pages = page_group("invoice_runs")

_PERIOD = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
SHOWN = 100
"""Drafts that the page lists; the sums are of all."""


@pages.get("/invoices/drafts")
def drafts() -> Response:
    """Show what would be invoiced for a month now."""
    return _drafts(None)


@pages.get("/invoices/drafts/<period>/<park_id>")
def draft(period: str, park_id: str) -> Response:
    """Show what a park would be invoiced, line by line."""
    with page_work() as work:
        found = invoice_drafts.read_draft(work, period=period, park_id=id_of(park_id))
    return show("invoices/draft.html", draft=found)


@pages.post("/invoices/drafts/<period>/<park_id>")
def issue_one(period: str, park_id: str) -> Response:
    """Issue one park's invoice now."""
    with page_work() as work:
        (issued, *_) = invoicing.issue_invoices(work, period=period, park_id=id_of(park_id)) or (None,)
    if issued is None:
        raise NotFound("page.not_found", msg("没有找到所请求的内容。请从列表中重新打开。"))
    return go(url_for("invoices.invoice", invoice_id=issued.id))


@pages.post("/invoices/runs")
def start() -> Response:
    """Let a month's invoices be issued to all parks."""
    try:
        with page_work() as work:
            run = invoice_runs.start_run(
                work, period=field("period"), before_grace_ends=field("before_grace_ends") == "yes"
            )
    except Problem as problem:
        return _drafts(refusal_of(problem))
    return go(url_for("invoice_runs.run", run_id=run.id))


@pages.get("/invoices/runs/<run_id>")
def run(run_id: str) -> Response:
    """Show how far a run is."""
    with page_work() as work:
        found = invoice_runs.read_run(work, run_id=id_of(run_id))
    return show("invoices/run.html", run=found)


_SETTINGS = {"alone_up_to_fen": "alone_up_to", "discount_alone_bp": "discount_alone"}


@pages.get("/invoices/settings")
def settings() -> Response:
    """Show the settings of invoices."""
    return _settings(None)


@pages.post("/invoices/settings")
def change_settings() -> Response:
    """Change the settings of invoices."""
    try:
        alone_up_to_fen = fen_of("alone_up_to")
        share_bp = share_of("discount_alone") if field("discount_alone") else None
        with page_work() as work:
            invoice_settings.change_invoice_settings(
                work, grace_days=_days(), alone_up_to_fen=alone_up_to_fen, discount_alone_bp=share_bp
            )
    except Problem as problem:
        return _settings(refusal_of(problem, lambda path: _SETTINGS.get(path, path)))
    return go(url_for("invoice_runs.settings"))


def _days() -> int:
    typed = field("grace_days")
    if not (typed.isascii() and typed.isdigit() and len(typed) < 3):
        wrong = msg("宽限天数须为 0 至 {most}。请改正。", most=invoice_settings.MOST_GRACE_DAYS)
        raise Invalid("invoice.grace_days", wrong, errors=[FieldError("grace_days", "invoice.grace_days", wrong)])
    return int(typed)


def _drafts(refusal: Refusal | None) -> Response:
    with page_work() as work:
        asked = field("period") or request.args.get("period", "")
        period = asked if _PERIOD.fullmatch(asked) and asked <= month_of(work.now) else month_of(work.now)
        found = invoice_drafts.list_drafts(work, period=period)
        may_issue = work.actor.may(Permission.ISSUE_INVOICE)
        runs = invoice_runs.list_runs(work, period=period, limit=5) if may_issue else ()
    return show(
        "invoices/drafts.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        period=period,
        drafts=found,
        shown=found[:SHOWN],
        runs=runs,
    )


def _settings(refusal: Refusal | None) -> Response:
    with page_work() as work:
        now = invoice_settings.read_invoice_settings(work)
    typed = {"grace_days": str(now.grace_days), "alone_up_to": f"{yuan(now.alone_up_to_fen):.2f}"}
    typed["discount_alone"] = f"{now.discount_alone_bp / 100:g}"
    return show(
        "invoices/settings.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=typed if refusal is None else given(),
        settings=now,
    )
