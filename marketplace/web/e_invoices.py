"""E-invoices: a month's list, issuing requests, issued XML coming in, and the columns of a request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flask import Response, request, url_for

from billing.usecases import e_invoice_imports, e_invoice_layouts
from billing.usecases import e_invoices as use_cases
from billing.usecases.e_invoice_imports import ImportedFile
from billing.usecases.evidence import Upload
from marketplace.api.artefacts import download
from marketplace.doors.current import current_market
from marketplace.doors.requests import takes_files
from marketplace.formats.e_invoice_tables import request_book, request_csv
from marketplace.formats.tables import CSV, XLSX
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import month_of, show
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg

pages = page_group("e_invoices")


@pages.get("/e-invoices")
def e_invoices() -> Response:
    """Show what is issued and missing of a month."""
    return _page(None)


@pages.post("/e-invoices/requests")
def request_file() -> Response:
    """Send the issuing request of the chosen invoices."""
    try:
        with page_work() as work:
            chosen = [id_of(each) for each in request.form.getlist("invoice_id")]
            sheets = use_cases.request_e_invoices(work, invoice_ids=chosen)
            made_at = work.now
    except Problem as problem:
        return _page(refusal_of(problem))
    if field("format") == "csv":
        return download("e-invoice-request.csv", CSV, request_csv(sheets))
    return download("e-invoice-request.xlsx", XLSX, request_book(sheets, made_at))


@pages.post("/e-invoices/imports")
@takes_files
def import_files() -> Response:
    """Take in XML files or zips, and show what became of each."""
    files = [
        Upload(sent.filename or "", sent.mimetype, sent.stream.read())
        for sent in request.files.getlist("files")
        if sent.filename
    ]
    try:
        with page_work() as work:
            found = e_invoice_imports.import_e_invoices(work, files=files)
    except Problem as problem:
        return _page(refusal_of(problem))
    return _page(None, found)


@pages.get("/e-invoices/<number>.xml")
def file(number: str) -> Response:
    """Send an e-invoice's file as it came."""
    with page_work() as work:
        found = use_cases.open_e_invoice(work, number=number)
    return download(f"{number}.xml", "application/xml", found.content, sha256=found.view.sha256)


@pages.get("/e-invoices/layout")
def layout() -> Response:
    """Show the columns of an issuing request."""
    return _layout(None)


@pages.post("/e-invoices/layout")
def set_layout() -> Response:
    """Adapt the columns."""
    try:
        wanted = _json(request.form.get("layout", ""))
        with page_work() as work:
            e_invoice_layouts.set_layout(work, layout=wanted)
    except Problem as problem:
        return _layout(refusal_of(problem, lambda path: "layout" if path == "layout" else None))
    return go(url_for("e_invoices.layout"))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        wrong = msg("列设置不是有效的 JSON。请检查括号、引号和逗号。")
        raise Invalid("layout.json", wrong, errors=[FieldError("layout", "layout.json", wrong)]) from None


def _page(refusal: Refusal | None, imported: Sequence[ImportedFile] = ()) -> Response:
    asked = request.values.get("period") or month_of(current_market().clock.now())
    with page_work() as work:
        try:
            rows = use_cases.list_e_invoices(work, period=asked)
        except Invalid as problem:
            refusal, asked = refusal or refusal_of(problem), month_of(work.now)
            rows = use_cases.list_e_invoices(work, period=asked)
    return show(
        "invoices/e_invoices.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        period=asked,
        rows=rows,
        imported=imported,
    )


def _layout(refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = e_invoice_layouts.read_layout(work)
    shown = json.dumps(found.layout, ensure_ascii=False, indent=2)
    return show(
        "invoices/e_invoice_layout.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        found=found,
        text=given().get("layout", shown) if refusal else shown,
    )
