"""A park's use of a period, by service, day and person, and its wallet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from flask import Response, request, url_for

from billing.rules.money import yuan
from billing.rules.periods import parse_month
from billing.usecases import alerts, budgets, traces, upcoming, wallets
from marketplace.api.artefacts import download
from marketplace.doors.current import current_market
from marketplace.formats.tables import CSV, XLSX, csv_file, xlsx_file
from marketplace.usecases.usage_reports import UsageReport, UsedSum, read_report
from marketplace.web.amounts import fen_of
from marketplace.web.charts import spend_chart
from marketplace.web.pages import given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import month_of, show
from marketplace.web.usage_tables import GROUPS, label_of, rows_of, table_of
from services.usecases import catalogue
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.identifiers import parse_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.days import add_months
from tenants.usecases import onboarding

pages = page_group("usage")
SHOWN = 20
"""Deliveries that the page shows; the API lists them all."""
FIGURES = ("gross_fen", "subsidy_fen", "payable_fen")
MOST_DAYS_DRAWN = 62
"""Up to two months are drawn by day, longer periods by month."""


@pages.get("/usage")
def usage() -> Response:
    """Show a period: ``?from=2026-01&to=2026-03`` (both months included), ``service=`` and ``person=``; and the wallet."""
    return _page(None)


@pages.get("/usage/file")
def file() -> Response:
    """Send a grouping of the period as CSV or XLSX."""
    by = request.args.get("by", "")
    group_by = by if by in GROUPS else "offering"
    asked = _asked()
    with page_work() as work:
        table = table_of(_report(work, asked), group_by, _offerings(work))
        made_at = work.now
    name = f"usage-{group_by}-{asked['from']}-{asked['to']}"
    if request.args.get("format") == "xlsx":
        return download(f"{name}.xlsx", XLSX, xlsx_file(table, made_at))
    return download(f"{name}.csv", CSV, csv_file(table))


@pages.post("/usage/alert")
def set_alert() -> Response:
    """Let the park be warned when its wallet runs low."""
    try:
        below_fen = fen_of("below", empty=0)
        with page_work() as work:
            wallets.set_alert(work, below_fen=below_fen)
    except Problem as problem:
        return _page(refusal_of(problem, lambda path: "below" if path == "below_fen" else path))
    return go(url_for("usage.usage"))


@pages.post("/alerts/<alert_id>")
def acknowledge(alert_id: str) -> Response:
    """Note that somebody has read what the park was told."""
    with page_work() as work:
        alerts.acknowledge_alert(work, alert_id=id_of(alert_id))
    return go(url_for("home.home"))


def _page(refusal: Refusal | None) -> Response:
    with page_work() as work:
        park = onboarding.read_park(work, park_id=work.actor.require_tenant())
        offerings = _offerings(work)
        asked = _asked()
        period_refusal = None
        try:
            report = _report(work, asked)
        except Invalid as problem:
            period_refusal = refusal_of(problem)
            asked = {"from": month_of(work.now), "to": month_of(work.now), "service": "", "person": ""}
            report = _report(work, asked)
        wallet = wallets.read_wallet(work, park_id=park.id) if work.actor.may(Permission.READ_WALLET) else None
        charged = traces.list_charged(work, limit=SHOWN).items
        limits = budgets.list_budgets(work)
        metered = upcoming.read_metered_use(work)
        now = work.now
    shown = refusal or period_refusal
    return show(
        "usage.html",
        status=200 if shown is None else shown.status,
        refusal=shown,
        typed=_typed(refusal, wallet),
        park=park,
        report=report,
        groups=[
            (group_by, title, rows_of(report, group_by), label_of(report, group_by, offerings))
            for group_by, title in GROUPS.items()
        ],
        asked=asked,
        presets=_presets(month_of(now)),
        offerings=offerings,
        budgets=limits,
        wallet=wallet,
        charged=charged,
        metered=metered,
        chart=_chart(report),
        figures=vars(report.total),
        before=vars(report.previous),
        compared={name: _change(vars(report.total)[name], vars(report.previous)[name]) for name in FIGURES},
    )


def _report(work: Work, asked: dict[str, str]) -> UsageReport:
    return read_report(
        work,
        start=_first(asked["from"], "from"),
        end=add_months(_first(asked["to"], "to"), 1, 1),
        offering=asked["service"],
        person=parse_id(asked["person"]),
    )


def _offerings(work: Work) -> dict[str, catalogue.OfferingView]:
    return {each.slug: each for each in catalogue.list_offerings(work)}


def _asked() -> dict[str, str]:
    """Return what the address asks for, the running month where it names none."""
    month = month_of(current_market().clock.now())
    months = {name: request.args.get(name) or month for name in ("from", "to")}
    return months | {name: request.args.get(name, "")[:64] for name in ("service", "person")}


def _first(month: str, field: str) -> date:
    if parse_month(month) is None:
        wrong = msg("月份须形如 2026-03。请重新选择。")
        raise Invalid("form.period", wrong, errors=[FieldError(field, "form.period", wrong)])
    return date.fromisoformat(f"{month}-01")


def _presets(month: str) -> Sequence[tuple[Any, str, str]]:
    """Return periods to choose at once: this month, the last one, this year."""
    first = date.fromisoformat(f"{month}-01")
    last = f"{add_months(first, -1, 1):%Y-%m}"
    return (
        (msg("本月"), month, month),
        (msg("上月"), last, last),
        (msg("今年"), f"{month[:4]}-01", month),
    )


def _change(now: int, before: int) -> int | None:
    """Return the change in basis points; None without anything to compare with."""
    return None if not before else (now - before) * 10_000 // before


def _chart(report: UsageReport) -> dict[str, Any]:
    """Return columns by day for a short period, by month for a long one; empty ones included."""
    days = [report.start + timedelta(days=number) for number in range((report.end - report.start).days)]
    by_month = len(days) > MOST_DAYS_DRAWN
    size = len("2026-01") if by_month else len("2026-01-01")
    keys = list(dict.fromkeys(day.isoformat()[:size] for day in days))
    fund, park = dict.fromkeys(keys, 0), dict.fromkeys(keys, 0)
    row: UsedSum
    for row in report.by_day:
        fund[row.key[:size]] += row.subsidy_fen
        park[row.key[:size]] += row.payable_fen
    return spend_chart(keys if by_month else [key[5:] for key in keys], list(fund.values()), list(park.values()))


def _typed(refusal: Refusal | None, wallet: wallets.WalletView | None) -> dict[str, str]:
    if refusal is not None:
        return given()
    return {"below": f"{yuan(wallet.alert_below_fen):.2f}"} if wallet and wallet.alert_below_fen else {}
