"""What a park used this year, and its wallet."""

from __future__ import annotations

from flask import Response, url_for

from billing.rules.money import yuan
from billing.usecases import alerts, traces, wallets
from marketplace.web.amounts import fen_of
from marketplace.web.charts import spend_chart
from marketplace.web.pages import given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from marketplace.web.spending import months_of_year, spent_by
from services.usecases import catalogue
from tenants.kernel.errors import Problem
from tenants.kernel.vocabulary import Permission
from tenants.usecases import onboarding

pages = page_group("usage")
SHOWN = 20
"""Deliveries that the page shows; the API lists them all."""


@pages.get("/usage")
def usage() -> Response:
    """Show the year's use by month and by service, and the wallet."""
    return _page(None)


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
        by_month = spent_by(work, "month")
        by_offering = spent_by(work, "offering")
        offerings = {each.slug: each for each in catalogue.list_offerings(work)}
        wallet = wallets.read_wallet(work, park_id=park.id) if work.actor.may(Permission.READ_WALLET) else None
        months = months_of_year(work.now)
        charged = traces.list_charged(work, limit=SHOWN).items
    chart = spend_chart(
        months,
        [by_month[month].subsidy_fen if month in by_month else 0 for month in months],
        [by_month[month].payable_fen if month in by_month else 0 for month in months],
    )
    return show(
        "usage.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=_typed(refusal, wallet),
        park=park,
        by_month=by_month,
        by_offering=by_offering,
        offerings=offerings,
        wallet=wallet,
        charged=charged,
        chart=chart,
    )


def _typed(refusal: Refusal | None, wallet: wallets.WalletView | None) -> dict[str, str]:
    if refusal is not None:
        return given()
    return {"below": f"{yuan(wallet.alert_below_fen):.2f}"} if wallet and wallet.alert_below_fen else {}
