"""Looking for instruments by method, region, days and price, and for a time at which several are free."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from flask import Response, request, url_for

from marketplace.doors.service_names import know_services
from marketplace.usecases import checkout, inspection_search
from marketplace.web.pages import field, go, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.quotas import Standing
from services.usecases import instruments, qualifications, quotas, slot_search
from services.usecases import together as find
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.identifiers import parse_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

pages = page_group("slot_search")

USUAL_DAYS = 14
FEN = 100


@pages.get("/slots")
def search() -> Response:
    """Show the instruments that fit, the one that is free first on top."""
    refusal, typed = None, _typed()
    found: tuple[inspection_search.FoundInspection, ...] = ()
    full: tuple[instruments.InstrumentView, ...] = ()
    left: dict[UUID, tuple[Standing, ...]] = {}
    standings: dict[UUID, qualifications.Standing] = {}
    with page_work() as work:
        work.actor.require(Permission.READ_CATALOGUE)
        know_services(work)
        try:
            from_, to = _span(work, typed)
            found = inspection_search.find_inspections(
                work,
                from_=from_,
                to=to,
                method=typed["method"] or None,
                region=_region(typed["region"]),
                most_payable_fen=_most(typed["most"]),
            )
            left = _left(work, found)
            standings = qualifications.standings(work, instruments=[each.instrument for each in found])
            if not typed["most"] and work.actor.may(Permission.ASK_QUOTE):
                full = inspection_search.find_full(
                    work, found=found, method=typed["method"] or None, region=_region(typed["region"])
                )
        except Problem as problem:
            refusal = refusal_of(problem)
        may_order, may_wait = work.actor.may(Permission.PLACE_ORDER), work.actor.may(Permission.ASK_QUOTE)
    status = 200 if refusal is None else refusal.status
    return show(
        "ordering/slots.html",
        status=status,
        refusal=refusal,
        found=found,
        typed=typed,
        may_order=may_order,
        may_wait=may_wait,
        full=full,
        quotas=left,
        standings=standings,
    )


@pages.get("/slots/together")
def together() -> Response:
    """Show the times at which all the chosen instruments are free."""
    return _together(None)


@pages.post("/slots/together")
def ask() -> Response:
    """Ask one price for all the chosen instruments at one time."""
    try:
        starts_at = field("starts_at")
        if not starts_at:
            raise _wrong("starts_at", msg("请选择一个时间。"))
        with page_work() as work:
            wishes = [
                checkout.LineWish(
                    each.offering,
                    {
                        "instrument_id": str(each.id),
                        "starts_at": starts_at,
                        "slots": max(_slots(), each.hours.min_slots),
                        "purpose": field("purpose"),
                    },
                )
                for each in _chosen(work)
            ]
            may_order = work.actor.may(Permission.PLACE_ORDER)
            quote = checkout.ask_quote(work, lines=wishes, hold_slots=may_order)
    except Problem as problem:
        return _together(refusal_of(problem, lambda path: re.split(r"[.\[\]]+", path)[-1]))
    return go(url_for("ordering.price", quote_id=quote.id))


def _left(work: Work, found: Sequence[inspection_search.FoundInspection]) -> dict[UUID, tuple[Standing, ...]]:
    """Return what the park has left of each instrument's quotas on the day of its first free slot."""
    days = {each.instrument.id: each.first.starts_at.astimezone(CHINA).date() for each in found}
    if not days:
        return {}
    known = quotas.quotas_left(work, instrument_ids=days, first=min(days.values()), last=max(days.values()))
    return {
        each: tuple(one for one in standings if one.first_day <= days[each] <= one.last_day)
        for each, standings in known.items()
    }


def _together(refusal: Refusal | None) -> Response:
    typed = _typed()
    common: tuple[find.TogetherTime, ...] = ()
    chosen: tuple[instruments.InstrumentView, ...] = ()
    with page_work() as work:
        work.actor.require(Permission.ASK_QUOTE)
        try:
            chosen = _chosen(work)
            from_, to = _span(work, typed)
            ids = [each.id for each in chosen]
            common = find.find_together(work, instrument_ids=ids, from_=from_, to=to, slots=_slots())
        except Problem as problem:
            refusal = refusal or refusal_of(problem)
    typed |= {"purpose": field("purpose"), "starts_at": field("starts_at")}
    status = 200 if refusal is None else refusal.status
    return show("ordering/together.html", status=status, refusal=refusal, chosen=chosen, common=common, typed=typed)


def _chosen(work: Work) -> tuple[instruments.InstrumentView, ...]:
    ids = [found for text in request.values.getlist("instrument_id") if (found := parse_id(text)) is not None]
    unique: tuple[UUID, ...] = tuple(dict.fromkeys(ids))
    return tuple(
        instruments.read_instrument(work, instrument_id=each) for each in unique[: slot_search.MOST_TOGETHER + 1]
    )


def _typed() -> dict[str, Any]:
    return {name: request.values.get(name, "").strip() for name in ("method", "region", "from", "to", "most", "slots")}


def _span(work: Work, typed: dict[str, Any]) -> tuple[datetime, datetime]:
    """Return the days that are looked at, whole ones; those that were left out are filled in."""
    today = work.now.astimezone(CHINA).date()
    first = _day("from", typed["from"]) if typed["from"] else today
    last = _day("to", typed["to"]) if typed["to"] else first + timedelta(days=USUAL_DAYS)
    typed |= {"from": first.isoformat(), "to": last.isoformat()}
    return datetime.combine(first, time(), CHINA), datetime.combine(last + timedelta(days=1), time(), CHINA)


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _wrong(name, msg("请填写日期，如 2026-03-31。")) from None


def _region(text: str) -> str | None:
    if text and not re.fullmatch(r"\d{2}(\d{2}(\d{2})?)?", text, re.ASCII):
        raise _wrong("region", msg("请填写 2、4 或 6 位行政区划代码，如 5101。"))
    return text or None


def _most(text: str) -> int | None:
    """Return the fen of a price in yuan."""
    if text and not re.fullmatch(r"\d{1,9}(\.\d{1,2})?", text, re.ASCII):
        raise _wrong("most", msg("请填写金额（元），最多两位小数。"))
    if not text:
        return None
    yuan, _, rest = text.partition(".")
    return int(yuan) * FEN + int(rest.ljust(2, "0") or "0")


def _slots() -> int:
    text = request.values.get("slots", "").strip() or "1"
    if not re.fullmatch(r"\d{1,2}", text, re.ASCII):
        raise _wrong("slots", msg("请填写整数。"))
    return int(text)


def _wrong(name: str, message: Message) -> Invalid:
    return Invalid("form.invalid", message, errors=[FieldError(name, "form.invalid", message)])
