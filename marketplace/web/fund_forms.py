"""What the pages of funds share: forms, shares of regions and days as people type them, who somebody is, where money may be allotted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

from flask import Response, request

from billing.usecases import funds as use_cases
from billing.usecases.fund_views import FundView
from marketplace.web.amounts import share_of
from marketplace.web.pages import field, given, id_of, page_work
from marketplace.web.refusals import Refusal, refusal_of
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.regions import Level, RegionClass, regions
from tenants.usecases import identity
from tenants.usecases.province import home_province

SPLIT_ROWS = 4
"""Rows of the form that splits an appropriation."""


def act(
    fund_id: str,
    do: Callable[[Work, UUID], object],
    page: Callable[[str, Refusal | None], Response],
    then: Callable[[str], Response],
    needed: Sequence[str] = (),
) -> Response:
    """Carry out what a form asks, and go on; a refusal shows its page again, each error at its field."""
    try:
        required(*needed)
        with page_work() as work:
            do(work, id_of(fund_id))
    except Problem as problem:
        return page(fund_id, refusal_of(problem, _field_of))
    return then(fund_id)


def _field_of(path: str) -> str | None:
    """Return the form's field of a path of the input; None for what stands in a list above the form."""
    if path.startswith(("holds[", "claim_batches[", "envelopes[")):
        return None
    if path.startswith("split["):
        index, _, name = path.removeprefix("split[").partition("].")
        return f"{name.removesuffix('_bp')}_{_typed_rows()[int(index)]}"
    return {"amount_fen": "amount", "low_share_bp": "low_share", "split": "share_1"}.get(path, path)


def form(refusal: Refusal | None) -> dict[str, Any]:
    """Return what a template needs of a form that was refused, or is new."""
    return {
        "refusal": refusal,
        "status": 200 if refusal is None else refusal.status,
        "typed": {} if refusal is None else given(),
    }


def required(*names: str) -> None:
    """Refuse a form with empty fields, naming each."""
    errors = [FieldError(name, "field.required", msg("请填写此项。")) for name in names if not field(name)]
    if errors:
        raise Invalid(
            "form.incomplete", msg("有 {count} 项没有填写。请补充后重新提交。", count=len(errors)), errors=errors
        )


def year_of(text: str) -> int:
    """Return a year as typed."""
    if not (text.isascii() and text.isdecimal() and 2000 <= int(text) <= 2100):
        raise wrong("year", msg("年度须为四位数字，例如 2026。"))
    return int(text)


def days_of(name: str) -> int:
    """Return a number of days as typed."""
    text = field(name)
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise wrong(name, msg("天数须为整数，例如 30。"))
    return int(text)


def day_of(name: str) -> date | None:
    """Return a day of the address; None for none, or for one that is not a day."""
    try:
        found = date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None
    return found if 1900 <= found.year <= 2200 else None


def shares_typed() -> tuple[use_cases.Share, ...]:
    """Return the shares of the form's rows that were filled in."""
    return tuple(use_cases.Share(field(f"envelope_{row}"), share_of(f"share_{row}")) for row in _typed_rows())


def _typed_rows() -> tuple[int, ...]:
    return tuple(row for row in range(1, SPLIT_ROWS + 1) if field(f"envelope_{row}") or field(f"share_{row}"))


def wrong(name: str, message: Message) -> Invalid:
    """Return the refusal of one field."""
    return Invalid(f"form.{name}", message, errors=[FieldError(name, f"form.{name}", message)])


def places_to_choose(work: Work) -> tuple[tuple[str, str], ...]:
    """Return code and full name of where money may be allotted in the home province, its cities before their counties."""
    return _cities_and_counties(home_province(work) or "")


@cache
def _cities_and_counties(province: str) -> tuple[tuple[str, str], ...]:
    fitting = (
        (code, region.name)
        for code, region in regions().items()
        if code.startswith(province) and region.level is not Level.PROVINCE
    )
    return tuple(sorted(fitting))


def classes() -> tuple[str, ...]:
    """Return the classes of regions, the weakest first."""
    return (RegionClass.WESTERN.value, RegionClass.CENTRAL.value, RegionClass.EASTERN.value)


def names_of(work: Work, user_ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Return the names of people who asked or decided."""
    wanted = {user_id for user_id in user_ids if user_id is not None}
    return identity.person_names(work, user_ids=wanted) if wanted else {}


def fund_and_rights(work: Work, fund_id: str) -> tuple[FundView, dict[str, bool]]:
    """Return a fund, and what the person may do with it."""
    found = use_cases.read_fund(work, fund_id=id_of(fund_id))
    return found, {
        "may_manage": work.actor.may(Permission.MANAGE_FUND),
        "may_approve": work.actor.may(Permission.APPROVE_FUND),
    }
