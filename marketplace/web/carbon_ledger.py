"""The activity ledger of a site: records, entry, import, and one record with its correction."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from flask import Response, request, url_for

from marketplace.doors.current import current_market
from marketplace.doors.requests import MIB, takes_files
from marketplace.web.carbon import asked_year
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.carbon.quantities import UNITS
from services.rules.carbon.records import Category
from services.rules.catalogue import Delivery
from services.usecases import artefacts, carbon_factors, carbon_imports, sites
from services.usecases import carbon_records as use_cases
from services.usecases.carbon_imports import ImportView
from services.usecases.carbon_records import RecordView, RecordWish, StatedFactor
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import Message, msg
from tenants.kernel.work import Work
from tenants.rules.regions import region_name

pages = page_group("carbon_ledger")

_PLACES = {"evidence_id": "evidence", "density_kg_per_l": "density", "stated": "stated_kg"}


@pages.get("/sites/<site_id>/carbon/records")
def ledger(site_id: str) -> Response:
    """Show a site's records, the latest written first."""
    return _ledger(site_id, None)


@pages.post("/sites/<site_id>/carbon/records")
@takes_files
def enter(site_id: str) -> Response:
    """Write an activity into the ledger."""
    try:
        with page_work() as work:
            made = use_cases.enter_record(work, site_id=id_of(site_id), wish=_wish(work))
    except Problem as problem:
        return _ledger(site_id, refusal_of(problem, _place))
    return go(url_for("carbon_ledger.record", record_id=made.id))


@pages.post("/sites/<site_id>/carbon/imports")
@takes_files
def import_file(site_id: str) -> Response:
    """Take activities from a file, and show what became of its rows."""
    sent = request.files.get("file")
    content = sent.stream.read() if sent else b""
    try:
        with page_work() as work:
            taken = carbon_imports.import_records(
                work,
                site_id=id_of(site_id),
                name=(sent.filename if sent else "") or "activities.csv",
                media_type=(sent.mimetype if sent else "") or "text/csv",
                content=content,
                keep="good" if field("keep") == "good" else "all",
            )
    except Problem as problem:
        return _ledger(site_id, refusal_of(problem, lambda _path: None))
    return _ledger(site_id, None, taken)


@pages.get("/carbon/records/<record_id>")
def record(record_id: str) -> Response:
    """Show a record, its factor, and what took its place."""
    return _record(record_id, None)


@pages.post("/carbon/records/<record_id>")
@takes_files
def correct(record_id: str) -> Response:
    """Write a record in the place of another."""
    try:
        with page_work() as work:
            made = use_cases.correct_record(work, record_id=id_of(record_id), wish=_wish(work))
    except Problem as problem:
        return _record(record_id, refusal_of(problem, _place))
    return go(url_for("carbon_ledger.record", record_id=made.id))


def _ledger(site_id: str, refusal: Refusal | None, taken: ImportView | None = None) -> Response:
    year = asked_year(request.args.get("year", ""))
    with page_work() as work:
        site = sites.read_site(work, site_id=id_of(site_id))
        page = use_cases.list_records(work, site_id=site.id, year=year, cursor=request.args.get("cursor"))
        context = _choices(work, site.id)
    return show(
        "carbon/ledger.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else {"region": "CN"},
        site=site,
        year=year,
        page=page,
        taken=taken,
        **context,
    )


def _record(record_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.read_record(work, record_id=id_of(record_id))
        site = sites.read_site(work, site_id=found.site_id)
        context = _choices(work, site.id)
    return show(
        "carbon/record.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else _typed(found),
        site=site,
        record=found,
        **context,
    )


def _choices(work: Work, site_id: UUID) -> dict[str, Any]:
    """Return what the form of an activity offers."""
    table = carbon_factors.factor_table(work)
    regions = sorted({factor.region for factor in table if factor.region.isdigit()})
    items = dict.fromkeys(f.item for f in table if not f.item.startswith("electricity.") or f.item.endswith("average"))
    return {
        "categories": tuple(Category),
        "items": tuple(items),
        "units": UNITS,
        "regions": {code: region_name(f"{code}0000") for code in regions},
        "editions": table.editions,
        "running": Delivery.CARBON in sites.running_services(work, site_id=site_id),
    }


def _typed(found: RecordView) -> dict[str, str]:
    """Return a record as its form shows it, without a reason yet."""
    density = found.density_kg_per_l
    return {
        "category": found.category,
        "item": found.item,
        "start": found.starts_on.isoformat(),
        "end": (found.ends_on - timedelta(days=1)).isoformat(),
        "quantity": f"{found.quantity.normalize():f}",
        "unit": found.unit,
        "region": found.region if found.region != "site" else "CN",
        "edition": found.edition if found.edition != use_cases.STATED else "",
        "density": "" if density is None else f"{density.normalize():f}",
        "evidence_id": str(found.evidence_id or ""),
    }


def _wish(work: Work) -> RecordWish:
    """Return the activity that the form describes; the day of 结束日期 is part of it."""
    kg = _number("stated_kg", empty=True)
    return RecordWish(
        category=_category(),
        item=field("item"),
        start=_day("start"),
        end=_day("end") + timedelta(days=1),
        quantity=_number("quantity") or Decimal(0),
        unit=field("unit"),
        region=field("region") or "CN",
        edition=field("edition") or None,
        density_kg_per_l=_number("density", empty=True),
        stated=None if kg is None else StatedFactor(kg, field("stated_source")),
        evidence_id=_evidence(work),
        note=field("note"),
    )


def _evidence(work: Work) -> UUID | None:
    """Keep the file of the form; without one, what the corrected record had."""
    sent = request.files.get("evidence")
    if sent is None or not sent.filename:
        return id_of(field("evidence_id")) if field("evidence_id") else None
    most = current_market().settings.max_upload_mib * MIB
    kept = artefacts.upload(
        work, name=sent.filename, media_type=sent.mimetype, content=sent.stream.read(), most_bytes=most
    )
    return kept.id


def _category() -> Category:
    if field("category") not in set(Category):
        raise _wrong("category", msg("请选择排放类别。"))
    return Category(field("category"))


def _day(name: str) -> date:
    try:
        day = date.fromisoformat(field(name))
    except ValueError:
        raise _wrong(name, msg("日期须写成 2026-01-31。")) from None
    if not 2000 <= day.year <= 2100:
        raise _wrong(name, msg("日期须写成 2026-01-31。"))
    return day


def _number(name: str, *, empty: bool = False) -> Decimal | None:
    text = field(name).replace(",", "")
    if not text and empty:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value.adjusted() > 12 or -int(value.as_tuple().exponent) > 12:
        raise _wrong(name, msg("须为数字。"))
    return value


def _place(path: str) -> str | None:
    return _PLACES.get(path, path)


def _wrong(name: str, message: Message) -> Invalid:
    return Invalid("form.field", message, errors=[FieldError(name, "form.field", message)])
