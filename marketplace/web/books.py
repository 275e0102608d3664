"""Finance: a month's invoices, bank statements, reconciliation and claims."""

from __future__ import annotations

import re

from flask import Response, request, url_for

from billing.usecases import account_names, claims, invoicing, payments, reconciliation
from marketplace.doors.current import current_market
from marketplace.doors.requests import MIB, takes_files
from marketplace.web.pages import field, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import month_of, show
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.usecases import onboarding

pages = page_group("books")

_PERIOD = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")


@pages.get("/books")
def books() -> Response:
    """Show a month's reconciliation and claims."""
    return _page(None, None)


@pages.post("/books/invoices")
def issue() -> Response:
    """Issue every park's invoice of a month."""
    try:
        period = _period(field("period"))
        with page_work() as work:
            invoicing.issue_invoices(work, period=period)
    except Problem as problem:
        return _page(refusal_of(problem), None)
    return go(url_for("books.books", period=period))


@pages.post("/books/statements")
@takes_files
def statement() -> Response:
    """Import a bank statement and show what it paid."""
    sent = request.files.get("statement")
    limit = current_market().settings.max_upload_mib * MIB
    try:
        if sent is None or not sent.filename:
            needed = msg("请选择银行流水文件。")
            raise Invalid("form.file", needed, errors=[FieldError("statement", "form.file", needed)])
        with page_work() as work:
            found = payments.import_statement(work, name=sent.filename, content=sent.stream.read(limit))
    except Problem as problem:
        return _page(refusal_of(problem, lambda _path: None), None)
    return _page(None, found)


@pages.post("/books/receipts/<bank_line_id>")
def assign(bank_line_id: str) -> Response:
    """Give a receipt without a known payer to the park that sent it."""
    try:
        with page_work() as work:
            payments.assign_receipt(work, bank_line_id=id_of(bank_line_id), park_id=id_of(field("park_id")))
    except Problem as problem:
        return _page(refusal_of(problem), None)
    return go(url_for("books.books"))


def _page(refusal: Refusal | None, statement: payments.StatementView | None) -> Response:
    now = current_market().clock.now()
    wanted = request.values.get("period", "")
    period = wanted if _PERIOD.fullmatch(wanted) else month_of(now)
    with page_work() as work:
        result = reconciliation.reconcile(work, period=period)
        lines = claims.list_claims(work, period=period)
        unmatched = payments.list_unmatched(work)
        parks = onboarding.list_parks(work, limit=200).items if unmatched else ()
        accounts = account_names.name_accounts(work, codes=[row.account for row in result.trial_balance.rows])
    return show(
        "books/books.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        period=period,
        result=result,
        claims=lines,
        statement=statement,
        unmatched=unmatched,
        parks=parks,
        accounts=accounts,
    )


def _period(text: str) -> str:
    if not _PERIOD.fullmatch(text):
        wrong = msg("月份须形如 2026-03。请重新选择。")
        raise Invalid("form.period", wrong, errors=[FieldError("period", "form.period", wrong)])
    return text
