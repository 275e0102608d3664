"""Earmarked funds: balances as a picture, opening one, and appropriations that a second person approves."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from flask import Response, request, url_for

from billing.usecases import funds as use_cases
from marketplace.web.charts import fund_chart
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import Message, msg

pages = page_group("funds")

_NEEDED = msg("请填写此项。")


@pages.get("/funds")
def funds() -> Response:
    """Show all funds."""
    return _list(None)


@pages.post("/funds")
def open_fund() -> Response:
    """Open a fund."""
    try:
        _required("slug", "name", "year")
        with page_work() as work:
            made = use_cases.open_fund(
                work,
                slug=field("slug"),
                name=field("name"),
                name_en=field("name_en") or field("name"),
                year=_year(field("year")),
            )
    except Problem as problem:
        return _list(refusal_of(problem))
    return go(url_for("funds.fund", fund_id=made.id))


@pages.get("/funds/<fund_id>")
def fund(fund_id: str) -> Response:
    """Show one fund with its appropriations and movements."""
    return _page(fund_id, None)


@pages.post("/funds/<fund_id>/appropriations")
def appropriate(fund_id: str) -> Response:
    """Ask that money be put into a fund."""
    try:
        _required("amount", "document_no")
        with page_work() as work:
            use_cases.request_appropriation(
                work, fund_id=id_of(fund_id), amount_fen=_fen(field("amount")), document_no=field("document_no")
            )
    except Problem as problem:
        return _page(fund_id, refusal_of(problem, lambda path: "amount" if path == "amount_fen" else path))
    return go(url_for("funds.fund", fund_id=fund_id))


@pages.post("/funds/<fund_id>/appropriations/<appropriation_id>/approval")
def approve(fund_id: str, appropriation_id: str) -> Response:
    """Approve an appropriation that somebody else asked for."""
    try:
        with page_work() as work:
            use_cases.approve_appropriation(work, appropriation_id=id_of(appropriation_id))
    except Problem as problem:
        return _page(fund_id, refusal_of(problem))
    return go(url_for("funds.fund", fund_id=fund_id))


def _list(refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.list_funds(work)
    return show("funds/list.html", funds=found, chart=fund_chart(found) if found else None, **_form(refusal))


def _page(fund_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.read_fund(work, fund_id=id_of(fund_id))
        asked = use_cases.list_appropriations(work, fund_id=found.id)
        entries = use_cases.list_fund_entries(work, fund_id=found.id, limit=20, cursor=request.args.get("cursor"))
    return show(
        "funds/fund.html",
        fund=found,
        chart=fund_chart((found,)),
        appropriations=asked,
        entries=entries,
        **_form(refusal),
    )


def _form(refusal: Refusal | None) -> dict[str, Any]:
    return {
        "refusal": refusal,
        "status": 200 if refusal is None else refusal.status,
        "typed": {} if refusal is None else given(),
    }


def _required(*names: str) -> None:
    errors = [FieldError(name, "field.required", _NEEDED) for name in names if not field(name)]
    if errors:
        raise Invalid(
            "form.incomplete", msg("有 {count} 项没有填写。请补充后重新提交。", count=len(errors)), errors=errors
        )


def _year(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 2000 <= int(text) <= 2100):
        raise _wrong("year", msg("年度须为四位数字，例如 2026。"))
    return int(text)


def _fen(text: str) -> int:
    """Return yuan as typed, with or without thousands' commas, in whole fen."""
    try:
        amount = Decimal(text.replace(",", "").replace("，", "")) * 100
    except InvalidOperation:
        raise _wrong("amount", msg("金额须为数字，以元为单位，例如 1000000.00。")) from None
    if not amount.is_finite() or amount != amount.to_integral_value() or abs(amount) > Decimal(10) ** 17:
        raise _wrong("amount", msg("金额最多两位小数，且不能过大。请改正金额。"))
    return int(amount)


def _wrong(name: str, message: Message) -> Invalid:
    return Invalid(f"form.{name}", message, errors=[FieldError(name, f"form.{name}", message)])
