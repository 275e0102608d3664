"""Recurring bookings: each occurrence is looked at before a price is asked, and a series can end from a day on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from flask import Response, url_for

from marketplace.usecases import series as use_cases
from marketplace.usecases import shop
from marketplace.usecases.series import SeriesWish
from marketplace.web.pages import day_field, field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.series import SeriesChoice, SeriesRule, SeriesUnit
from services.usecases import booking_series, instruments, rebooking
from services.usecases.booking_series import OccurrenceState
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid, Problem
from tenants.kernel.identifiers import parse_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission

pages = page_group("series")

USUAL = {"every": "1", "unit": "week", "count": "4", "until": ""}
"""What is proposed first: once a week, four times."""


@pages.post("/rent/<slug>/series")
def preview(slug: str) -> Response:
    """Show for each occurrence whether it can be booked."""
    return _preview(slug, None)


@pages.post("/rent/<slug>/series/ask")
def ask(slug: str) -> Response:
    """Ask the price of all occurrences or of those that are free, and go to it."""
    try:
        choice = SeriesChoice.FREE if field("choice") == SeriesChoice.FREE else SeriesChoice.ALL
        wish = _wish(slug, _typed())
        with page_work() as work:
            asked = use_cases.ask_series(work, wish=wish, choice=choice)
    except (Conflict, Invalid) as problem:
        return _preview(slug, refusal_of(problem, _place))
    return go(url_for("ordering.price", quote_id=asked.quote.id))


@pages.get("/booking-series")
def all_series() -> Response:
    """List the park's series."""
    with page_work() as work:
        found = booking_series.list_series(work)
    return show("series/list.html", found=found)


@pages.get("/booking-series/<series_id>")
def series(series_id: str) -> Response:
    """Show a series with its bookings."""
    return _page(series_id, None)


@pages.post("/booking-series/<series_id>/cancel")
def cancel(series_id: str) -> Response:
    """Cancel the bookings from a day on."""
    try:
        with page_work() as work:
            use_cases.cancel_series(work, series_id=id_of(series_id), from_day=day_field("from_day"))
    except (Conflict, Invalid) as problem:
        return _page(series_id, refusal_of(problem))
    return go(url_for("series.series", series_id=series_id))


def _preview(slug: str, refusal: Refusal | None) -> Response:
    typed = _typed()
    found: tuple[booking_series.Occurrence, ...] = ()
    instrument = None
    takers: dict[UUID, str] = {}
    with page_work() as work:
        work.actor.require(Permission.ASK_QUOTE)
        item = shop.read_shop_item(work, slug=slug)
        try:
            wish = _wish(slug, typed)
            instrument = instruments.read_instrument(work, instrument_id=wish.instrument_id, offering=slug)
            takers = rebooking.list_users(work, offered=[instrument])
            found = booking_series.preview_series(
                work,
                instrument_id=wish.instrument_id,
                rule=wish.rule,
                count=wish.slots,
                offering=slug,
                responsible_id=wish.responsible_id,
            )
        except Problem as problem:
            refusal = refusal or refusal_of(problem, _place)
    free = sum(each.state is OccurrenceState.FREE for each in found)
    return show(
        "series/preview.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        item=item,
        instrument=instrument,
        takers=takers,
        typed=typed,
        found=found,
        free=free,
    )


def _page(series_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found, orders = use_cases.read_series(work, series_id=id_of(series_id))
        today = work.now.astimezone(CHINA).date()
        open_ones = [each for each in found.bookings if each.status == "booked" and each.starts_at > work.now]
    return show(
        "series/series.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        series=found,
        orders=orders,
        open_ones=open_ones,
        may_cost=any(each.terms is not None and each.terms.late_cancel_bp for each in open_ones),
        typed={"from_day": today.isoformat()} | (given() if refusal else {}),
    )


def _typed() -> dict[str, Any]:
    """Return the form's fields, with the usual rule where it says none yet."""
    typed = {name: field(name) for name in ("slot", "slots", "purpose", "contract_no", "responsible_id", *USUAL)}
    return typed | ({} if typed["every"] else USUAL)


def _wish(slug: str, typed: Mapping[str, Any]) -> SeriesWish:
    instrument, _, starts_at = typed["slot"].partition("@")
    instrument_id = parse_id(instrument)
    try:
        first_at = datetime.fromisoformat(starts_at)
    except ValueError:
        first_at = None
    if instrument_id is None or first_at is None or first_at.tzinfo is None:
        raise _wrong("slot", "slot.none_chosen")
    rule = SeriesRule(
        first_at=first_at,
        every=_whole(typed, "every"),
        unit=SeriesUnit.DAY if typed["unit"] == SeriesUnit.DAY else SeriesUnit.WEEK,
        count=_whole(typed, "count") if typed["count"] else None,
        until=_day(typed["until"]) if typed["until"] else None,
    )
    slots = _whole(typed, "slots") if typed["slots"] else 1
    contract_no, user = typed["contract_no"] or None, parse_id(typed["responsible_id"])
    return SeriesWish(slug, instrument_id, rule, slots, typed["purpose"], contract_no, user)


def _whole(typed: Mapping[str, Any], name: str) -> int:
    if re.fullmatch(r"[0-9]{1,4}", typed[name], re.ASCII):
        return int(typed[name])
    wrong = msg("请填写整数。")
    raise Invalid("form.number", wrong, errors=[FieldError(name, "form.number", wrong)])


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        wrong = msg("请填写日期，如 2026-03-31。")
        raise Invalid("form.day", wrong, errors=[FieldError("until", "form.day", wrong)]) from None


def _wrong(name: str, code: str) -> Invalid:
    wrong = msg("请选择一个空闲时段。")
    return Invalid(code, wrong, errors=[FieldError(name, code, wrong)])


def _place(path: str) -> str | None:
    """Return the form's field of a path; what a line of the price is refused for is told above the form."""
    name = path.rpartition(".")[2]
    return name if name in {"every", "count", "until", "slots", "purpose", "contract_no", "responsible_id"} else None
