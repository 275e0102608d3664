"""A provider's own instruments: how they may be booked, by whom, and when they are down."""

from __future__ import annotations

from datetime import datetime

from flask import Response, url_for

from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.slots import Hours
from services.usecases import instruments as use_cases
from services.usecases import maintenance
from services.usecases.instruments import InstrumentView
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission

pages = page_group("instruments")

NUMBERS = (
    "opens", "closes", "slot_minutes", "units", "min_slots", "max_slots", "before_minutes", "after_minutes",
    "min_notice_minutes", "max_notice_days",
)  # fmt: skip


@pages.get("/instruments")
def instruments() -> Response:
    """List the own instruments."""
    with page_work() as work:
        work.actor.require(Permission.MANAGE_INSTRUMENT)
        found = use_cases.list_instruments(work, own=True)
    return show("provider/instruments.html", instruments=found)


@pages.get("/instruments/<instrument_id>")
def instrument(instrument_id: str) -> Response:
    """Show an own instrument's terms and maintenance."""
    return _page(instrument_id, None)


@pages.post("/instruments/<instrument_id>")
def change(instrument_id: str) -> Response:
    """Set how an own instrument may be booked."""
    try:
        hours = Hours(**{name: _whole(name) for name in NUMBERS})
        with page_work() as work:
            use_cases.change_instrument(
                work,
                instrument_id=id_of(instrument_id),
                methods=field("methods").splitlines(),
                hours=hours,
                parks=field("parks").split() if field("private") else None,
            )
    except Problem as problem:
        return _page(instrument_id, refusal_of(problem, lambda path: "opens" if path == "hours" else path))
    return go(url_for("instruments.instrument", instrument_id=instrument_id))


@pages.post("/instruments/<instrument_id>/maintenance")
def plan(instrument_id: str) -> Response:
    """Take one unit or all out of use."""
    try:
        starts_at, ends_at = _moment("starts_at"), _moment("ends_at")
        with page_work() as work:
            maintenance.plan_maintenance(
                work,
                instrument_id=id_of(instrument_id),
                starts_at=starts_at,
                ends_at=ends_at,
                reason=field("reason"),
                unit=_whole("unit") if field("unit") else None,
            )
    except Problem as problem:
        return _page(instrument_id, refusal_of(problem))
    return go(url_for("instruments.instrument", instrument_id=instrument_id))


@pages.post("/instruments/<instrument_id>/maintenance/<maintenance_id>/end")
def end(instrument_id: str, maintenance_id: str) -> Response:
    """Give a unit back."""
    with page_work() as work:
        maintenance.end_maintenance(work, maintenance_id=id_of(maintenance_id))
    return go(url_for("instruments.instrument", instrument_id=instrument_id))


def _page(instrument_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require(Permission.MANAGE_INSTRUMENT)
        own = {each.id: each for each in use_cases.list_instruments(work, own=True)}
        found = own.get(id_of(instrument_id))
        if found is None:
            found = use_cases.lock_own(work, id_of(instrument_id))  # refuses
        down = maintenance.list_maintenance(work, instrument_id=found.id)
    return show(
        "provider/instrument.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        instrument=found,
        down=down,
        typed=_typed(found) | (given() if refusal else {}),
    )


def _typed(view: InstrumentView) -> dict[str, str]:
    parks = "\n".join(each.uscc for each in view.parks or ())
    numbers = {name: str(getattr(view.hours, name)) for name in NUMBERS}
    return numbers | {"methods": "\n".join(view.methods), "parks": parks, "private": "1" if view.parks else ""}


def _whole(name: str) -> int:
    text = field(name)
    if not (text.isascii() and text.isdecimal() and len(text) < 7):
        wrong = msg("请填写整数。")
        raise Invalid("form.number", wrong, errors=[FieldError(name, "form.number", wrong)])
    return int(text)


def _moment(name: str) -> datetime:
    try:
        return datetime.strptime(field(name), "%Y-%m-%dT%H:%M").replace(tzinfo=CHINA)
    except ValueError as error:
        wrong = msg("请填写日期和时间。")
        raise Invalid("form.moment", wrong, errors=[FieldError(name, "form.moment", wrong)]) from error
