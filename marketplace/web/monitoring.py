"""Monitoring's pages: meters with their pictures and flags, work orders, alarms and their rules."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import numpy as np
from flask import Response, request, url_for

from marketplace.doors.current import current_market
from marketplace.doors.requests import MIB, takes_files
from marketplace.web import monitoring_charts as charts
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.formats.readings import read_csv_batch
from services.rules.monitoring.meters import INTERVALS, Measures, Readings, Stamps
from services.rules.monitoring.series import Flag, coarser
from services.usecases import alarm_rules, baselines, readings, site_alarms, site_meters, sites, watching, work_orders
from services.usecases.alarm_rules import RuleWish
from services.usecases.site_meters import MeterView, MeterWish
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

pages = page_group("monitoring")

SPANS = {"1": 1, "7": 4, "30": 4, "366": 96}
"""Days that are shown, and how many quarters of an hour a step of them has."""


@pages.get("/sites/<site_id>/meters/new")
def new_meter(site_id: str) -> Response:
    """Show the form for a meter."""
    return _new(site_id, None)


@pages.post("/sites/<site_id>/meters/new")
def add_meter(site_id: str) -> Response:
    """Enter a meter."""
    try:
        with page_work() as work:
            made = site_meters.add_meter(work, site_id=id_of(site_id), wish=_meter_wish())
    except Problem as problem:
        return _new(site_id, refusal_of(problem))
    return go(url_for("monitoring.meter", meter_id=made.id))


@pages.post("/sites/<site_id>/readings")
@takes_files
def upload(site_id: str) -> Response:
    """Take in a CSV file of readings."""
    sent = request.files.get("file")
    limit = current_market().settings.max_upload_mib * MIB
    try:
        if sent is None or not sent.filename:
            wrong = msg("请选择 CSV 文件。")
            raise Invalid("reading.no_file", wrong, errors=[FieldError("file", "reading.no_file", wrong)])
        batch = read_csv_batch(sent.stream.read(limit), meter=field("meter") or None)
        with page_work() as work:
            taken = readings.take_in(work, batch=batch)
    except Problem as problem:
        return _uploaded(site_id, None, refusal_of(problem, lambda _: None))
    return _uploaded(site_id, taken, None)


@pages.get("/site-meters/<meter_id>")
def meter(meter_id: str) -> Response:
    """Show a meter: what it read, what was expected, what comes, and its alarm rules."""
    return _meter(meter_id, None)


@pages.post("/site-meters/<meter_id>/watching")
def watch(meter_id: str) -> Response:
    """Watch a meter, or no more."""
    try:
        with page_work() as work:
            site_meters.watch_meter(work, meter_id=id_of(meter_id), is_main=field("is_main") == "yes")
    except Problem as problem:
        return _meter(meter_id, refusal_of(problem))
    return go(url_for("monitoring.meter", meter_id=meter_id))


@pages.post("/site-meters/<meter_id>/baseline")
def fit(meter_id: str) -> Response:
    """Fit the baseline anew."""
    try:
        with page_work() as work:
            baselines.fit(work, meter_id=id_of(meter_id))
    except Problem as problem:
        return _meter(meter_id, refusal_of(problem))
    return go(url_for("monitoring.meter", meter_id=meter_id))


@pages.post("/site-meters/<meter_id>/closing")
def close_meter(meter_id: str) -> Response:
    """Take no more readings of a meter."""
    with page_work() as work:
        site_meters.close_meter(work, meter_id=id_of(meter_id))
    return go(url_for("monitoring.meter", meter_id=meter_id))


@pages.post("/site-meters/<meter_id>/rules")
def add_rule(meter_id: str) -> Response:
    """Write an alarm rule for a meter."""
    try:
        with page_work() as work:
            alarm_rules.add_rule(work, meter_id=id_of(meter_id), wish=_rule_wish())
    except Problem as problem:
        return _meter(meter_id, refusal_of(problem))
    return go(url_for("monitoring.meter", meter_id=meter_id, _anchor="rules"))


@pages.post("/alarm-rules/<rule_id>/ending")
def end_rule(rule_id: str) -> Response:
    """Look no more by a rule."""
    with page_work() as work:
        ended = alarm_rules.end_rule(work, rule_id=id_of(rule_id))
    return go(url_for("monitoring.meter", meter_id=ended.meter_id, _anchor="rules"))


def site_context(work: Work, site_id: Any) -> dict[str, Any]:
    """Return what a site's page shows of its meters, work orders and alarms."""
    return {
        "meters": site_meters.list_meters(work, site_id=site_id),
        "open_orders": work_orders.list_orders(work, site_id=site_id, open_only=True, limit=5).items,
        "open_alarms": site_alarms.list_alarms(work, site_id=site_id, open_only=True, limit=5).items,
    }


def _new(site_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        site = sites.read_site(work, site_id=id_of(site_id))
        others = site_meters.list_meters(work)
    return show(
        "monitoring/new_meter.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        site=site,
        others=others,
        measures=Measures,
        kinds=Readings,
        stamps=Stamps,
        intervals=INTERVALS,
        typed=given(),
        chosen=request.form.getlist("part"),
    )


def _uploaded(site_id: str, taken: readings.Intake | None, refusal: Refusal | None) -> Response:
    with page_work() as work:
        site = sites.read_site(work, site_id=id_of(site_id))
    return show(
        "monitoring/uploaded.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        site=site,
        taken=taken,
    )


def _meter(meter_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = site_meters.read_meter(work, meter_id=id_of(meter_id))
        site = sites.read_site(work, site_id=found.site_id)
        days = request.args.get("days", "7")
        context = _pictures(work, found, days if days in SPANS else "7")
        rules = [each for each in alarm_rules.list_rules(work, site_id=site.id) if each.meter_id == found.id]
        parts = [site_meters.read_meter(work, meter_id=term.meter_id) for term in found.terms]
        may_change = work.actor.may(Permission.MANAGE_SITE)
    return show(
        "monitoring/meter.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        meter=found,
        site=site,
        parts=list(zip(parts, found.terms, strict=True)),
        rules=rules,
        may_change=may_change,
        typed=given() if refusal else {},
        spans=SPANS,
        **context,
    )


def _pictures(work: Work, found: MeterView, days: str) -> dict[str, Any]:
    """Return a meter's charts and what is said beside them."""
    end = found.last_at or _last_of_parts(work, found) or work.now
    end = min(max(end, work.now - timedelta(days=366)), work.now) + timedelta(minutes=15)
    if work.actor.tenant_id is None:
        return {"days": days, "chart": None, "flags": (), "coverage": None, "watch": None, "baseline": None,
                "forecast": None, "watch_chart": None, "forecast_chart": None}  # fmt: skip
    fine = readings.read_series(work, meter=found, start=end - timedelta(days=int(days)), end=end)
    series = coarser(fine, SPANS[days]) if SPANS[days] > 1 else fine
    watched = watching.read_watch(work, meter_id=found.id)
    forecast = baselines.read_forecast(work, meter_id=found.id)
    known = bool(np.any(~np.isnan(series.values)))
    counts = [(flag, int(np.sum((fine.flags & int(flag)) != 0))) for flag in Flag]
    return {
        "days": days,
        "chart": charts.series_chart(series, found.unit) if known else None,
        "coverage": fine.coverage,
        "flags": [(flag.name.lower(), count) for flag, count in counts if count and flag.name],
        "watch": watched,
        "watch_chart": charts.watch_chart(watched.found, found.unit) if watched and watched.found.get("days") else None,
        "baseline": baselines.current(work, meter_id=found.id),
        "forecast": forecast,
        "forecast_chart": charts.forecast_chart(forecast, found.unit) if forecast else None,
    }


def _last_of_parts(work: Work, found: MeterView) -> datetime | None:
    parts = [site_meters.read_meter(work, meter_id=term.meter_id).last_at for term in found.terms]
    return max((each for each in parts if each is not None), default=None)


def _meter_wish() -> MeterWish:
    parts = request.form.getlist("part")
    minus = set(request.form.getlist("minus"))
    return MeterWish(
        code=field("code"),
        name=field("name"),
        measures=field("measures"),
        unit=field("unit"),
        readings=field("readings"),
        stamps=field("stamps") or Stamps.START,
        interval_minutes=int(field("interval_minutes")) if field("interval_minutes").isdigit() else 0,
        multiplier=_number("multiplier") or 1.0,
        highest=_number("highest"),
        register_limit=_number("register_limit"),
        terms=[(id_of(part), -1.0 if part in minus else 1.0) for part in parts],
        is_main=field("is_main") == "yes",
    )


def _rule_wish() -> RuleWish:
    steps = [each for each in field("steps").replace("，", ",").split(",") if each.strip()]
    if not all(each.strip().isdigit() for each in steps):
        wrong = msg("升级时间须为逗号分隔的分钟数，例如 15,60。")
        raise Invalid("alarm.steps", wrong, errors=[FieldError("steps", "alarm.steps", wrong)])
    return RuleWish(
        name=field("rule_name"),
        kind=field("kind"),
        threshold=_number("threshold"),
        hysteresis=_number("hysteresis") or 0.0,
        hold_minutes=int(field("hold_minutes")) if field("hold_minutes").isdigit() else 0,
        quiet_from=_clock("quiet_from"),
        quiet_until=_clock("quiet_until"),
        steps=[int(each) for each in steps],
    )


def _number(name: str) -> float | None:
    text = field(name)
    if not text:
        return None
    try:
        return float(text)
    except ValueError as error:
        wrong = msg("须为数字。")
        raise Invalid("form.number", wrong, errors=[FieldError(name, "form.number", wrong)]) from error


def _clock(name: str) -> time | None:
    text = field(name)
    if not text:
        return None
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        wrong = msg("时刻须形如 22:00。")
        raise Invalid("form.time", wrong, errors=[FieldError(name, "form.time", wrong)]) from error
