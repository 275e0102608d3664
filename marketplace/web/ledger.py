"""The books: a month's trial balance and journals with names, closing it, and its books as a file."""

from __future__ import annotations

from flask import Response, request, url_for

from billing.usecases import account_names, closing, ledger_export
from billing.usecases import ledger as use_cases
from marketplace.api.artefacts import download
from marketplace.api.ledger import BEANCOUNT
from marketplace.doors.ledger_table import ledger_table
from marketplace.formats.tables import CSV, XLSX, csv_file, xlsx_file
from marketplace.web.pages import field, go, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import month_of, show
from tenants.kernel.errors import Problem

pages = page_group("ledger")


@pages.get("/ledger")
def ledger() -> Response:
    """Show a month of the books."""
    return _page(request.args.get("period"), None)


@pages.post("/ledger/closing")
def close() -> Response:
    """Close a month."""
    try:
        with page_work() as work:
            closing.close_period(work, period=field("period"))
    except Problem as problem:
        return _page(field("period"), refusal_of(problem, lambda _path: None))
    return go(url_for("ledger.ledger", period=field("period")))


@pages.get("/ledger/export")
def export() -> Response:
    """Download a month of the books."""
    period, kind = request.args.get("period", ""), request.args.get("format", "csv")
    with page_work() as work:
        if kind == "beancount":
            text = ledger_export.export_beancount(work, period=period)
            return download(f"ledger-{period}.beancount", BEANCOUNT, text.encode())
        table = ledger_table(ledger_export.read_month(work, period=period))
        if kind == "xlsx":
            return download(f"ledger-{period}.xlsx", XLSX, xlsx_file(table, work.now))
        return download(f"ledger-{period}.csv", CSV, csv_file(table))


def _page(period: str | None, refusal: Refusal | None) -> Response:
    account = request.args.get("account")
    with page_work() as work:
        shown = period or month_of(work.now)
        balance = use_cases.trial_balance(work, period=shown)
        journals = use_cases.list_journals(
            work, period=shown, account=account, limit=30, cursor=request.args.get("cursor")
        )
        codes = {row.account for row in balance.rows} | {
            posting.account for journal in journals.items for posting in journal.postings
        }
        accounts = account_names.name_accounts(work, codes=codes)
        closed = {each.period: each for each in closing.list_closed_periods(work)}
    return show(
        "books/ledger.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        period=shown,
        closed=closed.get(shown),
        balance=balance,
        journals=journals,
        accounts=accounts,
        account=account,
    )
