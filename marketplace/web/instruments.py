"""A provider's own instruments: how they may be booked, by whom, and when they are down."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, url_for

from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.catalogue import Delivery
from services.rules.slots import Hours
from services.usecases import attendance_rules, instrument_versions, maintenance, qualifications, waiting
from services.usecases import instruments as use_cases
from services.usecases.catalogue import list_offerings
from services.usecases.instruments import Facts, InstrumentView
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission

pages = page_group("instruments")

NUMBERS = (
    "opens", "closes", "slot_minutes", "units", "min_slots", "max_slots", "before_minutes", "after_minutes",
    "min_notice_minutes", "max_notice_days",
)  # fmt: skip
TEXTS = ("name", "facility", "location", "region_code", "qualification", "training")
LISTS = ("methods", "standards", "sample_kinds")
LABELS: dict[str, Message] = {
    "name": msg("名称"), "facility": msg("所属设施"), "location": msg("地址"), "region_code": msg("行政区划代码"),
    "methods": msg("检测方法"), "standards": msg("执行标准"), "sample_kinds": msg("样品种类"), "opens": msg("开放（时）"),
    "closes": msg("关闭（时）"), "slot_minutes": msg("每档分钟数"), "units": msg("台数"), "min_slots": msg("最少档数"),
    "max_slots": msg("最多档数"), "before_minutes": msg("准备时间（分钟）"), "after_minutes": msg("清洁时间（分钟）"),
    "min_notice_minutes": msg("至少提前（分钟）"), "max_notice_days": msg("最多提前（天）"), "parks": msg("可预约方"),
    "qualification": msg("所需资质"), "training": msg("培训方式"),
}  # fmt: skip
"""What the fields of a version are called."""


@pages.get("/instruments")
def instruments() -> Response:
    """List the own instruments."""
    with page_work() as work:
        work.actor.require(Permission.MANAGE_INSTRUMENT)
        found = use_cases.list_instruments(work, own=True)
        counts = waiting.count_waiting(work, instrument_ids=[each.id for each in found])
    return show("provider/instruments.html", instruments=found, waiting=counts)


@pages.get("/instruments/new")
def new() -> Response:
    """Show the form of a new instrument."""
    return _new(None)


@pages.post("/instruments/new")
def add() -> Response:
    """Put an instrument behind an own inspection offering."""
    try:
        facts, hours = _facts(), _hours()
        with page_work() as work:
            made = use_cases.install(work, offering=field("offering"), facts=facts, hours=hours, parks=_parks())
    except Problem as problem:
        return _new(refusal_of(problem, _place))
    return go(url_for("instruments.instrument", instrument_id=made.id))


@pages.get("/instruments/<instrument_id>/about")
def about(instrument_id: str) -> Response:
    """Show everybody who may book an instrument what it is, when it is open and when it is down."""
    with page_work() as work:
        found = use_cases.read_instrument(work, instrument_id=id_of(instrument_id))
        down = maintenance.list_maintenance(work, instrument_id=found.id)
        terms = attendance_rules.terms_in_force(work, instrument_ids=[found.id]).get(found.id)
        may_order = work.actor.may(Permission.ASK_QUOTE)
        standing = qualifications.standings(work, instruments=[found]).get(found.id)
    return show(
        "provider/instrument_about.html",
        instrument=found,
        down=down,
        terms=terms,
        may_order=may_order,
        standing=standing,
    )


@pages.get("/instruments/<instrument_id>")
def instrument(instrument_id: str) -> Response:
    """Show an own instrument's terms and maintenance."""
    return _page(instrument_id, None)


@pages.post("/instruments/<instrument_id>")
def change(instrument_id: str) -> Response:
    """Set what an own instrument is and how it may be booked."""
    try:
        facts, hours = _facts(), _hours()
        with page_work() as work:
            use_cases.change_instrument(
                work, instrument_id=id_of(instrument_id), facts=facts, hours=hours, parks=_parks()
            )
    except Problem as problem:
        return _page(instrument_id, refusal_of(problem, _place))
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
        versions = instrument_versions.list_versions(work, instrument_id=found.id)
    return show(
        "provider/instrument.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        instrument=found,
        down=down,
        versions=versions,
        labels=LABELS,
        typed=_typed(found) | (given() if refusal else {}),
    )


def _new(refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require(Permission.MANAGE_INSTRUMENT)
        own = [
            each
            for each in list_offerings(work, delivery=Delivery.INSPECTION)
            if each.provider_id == work.actor.organisation_id
        ]
    return show(
        "provider/new_instrument.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        offerings=own,
        typed={name: str(getattr(use_cases.USUAL, name)) for name in NUMBERS} | (given() if refusal else {}),
    )


def _typed(view: InstrumentView) -> dict[str, str]:
    parks = "\n".join(each.uscc for each in view.parks or ())
    numbers = {name: str(getattr(view.hours, name)) for name in NUMBERS}
    texts = {name: getattr(view.facts, name) for name in TEXTS}
    lists = {name: "\n".join(getattr(view.facts, name)) for name in LISTS}
    return numbers | texts | lists | {"parks": parks, "private": "1" if view.parks else ""}


def _facts() -> Facts:
    texts: dict[str, Any] = {name: field(name) for name in TEXTS}
    lists: dict[str, Any] = {name: tuple(field(name).splitlines()) for name in LISTS}
    return Facts(**texts, **lists).tidy()


def _hours() -> Hours:
    return Hours(**{name: _whole(name) for name in NUMBERS})


def _parks() -> list[str] | None:
    return field("parks").split() if field("private") else None


def _place(path: str) -> str:
    return "opens" if path == "hours" else path


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
