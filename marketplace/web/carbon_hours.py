"""A site's hours from its meters, and metered months for the ledger."""

from __future__ import annotations

import re
from datetime import date, timedelta

from flask import Response, request, url_for

from marketplace.web.carbon_charts import hours_chart
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.carbon.hourly import METERED
from services.rules.carbon.records import Category
from services.rules.catalogue import Delivery
from services.rules.monitoring.meters import Measures
from services.usecases import carbon_metering as use_cases
from services.usecases import site_meters, sites
from services.usecases.carbon_metering import HoursView
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.work import Work
from tenants.rules.days import local_day

pages = page_group("carbon_hours")

DAYS = 7
_MONTH = re.compile(r"20\d{2}-(0[1-9]|1[0-2])", re.ASCII)


@pages.get("/sites/<site_id>/carbon/hours")
def hours(site_id: str) -> Response:
    """Show a site's hours, of the meters and days that the address names."""
    return _page(site_id, None)


@pages.post("/sites/<site_id>/carbon/hours")
def record(site_id: str) -> Response:
    """Write a meter's month into the ledger."""
    try:
        month = field("month")
        if not _MONTH.fullmatch(month) or field("category") not in METERED:
            text = msg("月份须写成 2026-01。")
            raise Invalid("form.field", text, errors=[FieldError("month", "form.field", text)])
        with page_work() as work:
            made = use_cases.record_month(
                work,
                site_id=id_of(site_id),
                meter_id=id_of(field("meter_id")),
                month=date.fromisoformat(f"{month}-01"),
                category=Category(field("category")),
            )
    except Problem as problem:
        return _page(site_id, refusal_of(problem))
    return go(url_for("carbon_ledger.record", record_id=made.id))


def _page(site_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        site = sites.read_site(work, site_id=id_of(site_id))
        meters = [each for each in site_meters.list_meters(work, site_id=site.id) if each.closed_at is None]
        power = [each for each in meters if each.measures is Measures.ELECTRICITY]
        start = _day(request.args.get("start", "")) or local_day(work.now) - timedelta(days=DAYS)
        found = None
        if request.args.get("meter_id"):
            try:
                found = _hours(work, site_id, start)
            except Invalid as problem:
                refusal = refusal or refusal_of(problem)
        running = Delivery.CARBON in sites.running_services(work, site_id=site.id)
    return show(
        "carbon/hours.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if request.method == "POST" else {},
        site=site,
        meters=[each for each in meters if each.measures in {Measures.ELECTRICITY, Measures.HEAT}],
        named_meters=[(each.id, each.name) for each in meters],
        power=power,
        start=start,
        found=found,
        chart=hours_chart(found) if found else None,
        categories=tuple(METERED),
        running=running,
    )


def _hours(work: Work, site_id: str, start: date) -> HoursView:
    own = request.args.get("own_meter_id")
    return use_cases.read_hours(
        work,
        site_id=id_of(site_id),
        meter_id=id_of(request.args.get("meter_id")),
        own_meter_id=id_of(own) if own else None,
        start=start,
        days=DAYS,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
