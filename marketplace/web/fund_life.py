"""A fund is frozen, let go, watched and closed; what still keeps it open, and where that is."""

from __future__ import annotations

from uuid import UUID

from flask import Response, url_for

from billing.usecases import fund_life as use_cases
from billing.usecases import fund_outlook
from billing.usecases.fund_life import Obstacle
from marketplace.usecases import orders
from marketplace.web.amounts import share_of
from marketplace.web.fund_forms import act, days_of, form, fund_and_rights, names_of
from marketplace.web.pages import field, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal
from marketplace.web.rendering import show
from tenants.kernel.work import Work

pages = page_group("fund_life")


@pages.get("/funds/<fund_id>/life")
def life(fund_id: str) -> Response:
    """Show a fund's status, alerts, and what keeps it from being closed."""
    return _page(fund_id, None)


@pages.post("/funds/<fund_id>/freeze")
def freeze(fund_id: str) -> Response:
    """Let a fund give nothing from now on."""
    return act(
        fund_id,
        lambda work, found: use_cases.freeze_fund(work, fund_id=found, reason=field("reason")),
        _page,
        _back,
        ("reason",),
    )


@pages.post("/funds/<fund_id>/unfreeze")
def unfreeze(fund_id: str) -> Response:
    """Let a frozen fund give again."""
    return act(
        fund_id,
        lambda work, found: use_cases.unfreeze_fund(work, fund_id=found, reason=field("reason")),
        _page,
        _back,
        ("reason",),
    )


@pages.post("/funds/<fund_id>/closure")
def close(fund_id: str) -> Response:
    """End a fund for good."""
    return act(
        fund_id,
        lambda work, found: use_cases.close_fund(work, fund_id=found, reason=field("reason")),
        _page,
        _back,
        ("reason",),
    )


@pages.post("/funds/<fund_id>/thresholds")
def thresholds(fund_id: str) -> Response:
    """Say when a fund counts as low; an empty field for never."""

    def do(work: Work, found: UUID) -> object:
        return fund_outlook.set_thresholds(
            work,
            fund_id=found,
            low_share_bp=share_of("low_share") if field("low_share") else None,
            low_days=days_of("low_days") if field("low_days") else None,
        )

    return act(fund_id, do, _page, _back)


@pages.post("/funds/<fund_id>/alerts/<alert_id>/acknowledgement")
def acknowledge(fund_id: str, alert_id: str) -> Response:
    """Take note of an alert."""

    def do(work: Work, _fund: UUID) -> object:
        return fund_outlook.acknowledge_alert(work, alert_id=id_of(alert_id), note=field("note"))

    return act(fund_id, do, _page, _back)


def _back(fund_id: str) -> Response:
    return go(url_for("fund_life.life", fund_id=fund_id))


def _page(fund_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found, rights = fund_and_rights(work, fund_id)
        open_things = use_cases.what_keeps_open(work, fund_id=found.id)
        alerts = fund_outlook.list_alerts(work, fund_id=found.id, standing=False)
        lines = {each.order_line_id for each in open_things if each.order_line_id is not None}
        line_orders = orders.orders_of_lines(work, line_ids=lines)
        names = names_of(work, [found.status_by, *(each.acknowledged_by for each in alerts)])
    return show(
        "funds/life.html",
        fund=found,
        obstacles=[(each, _where(found.id, each, line_orders)) for each in open_things],
        alerts=alerts,
        names=names,
        **rights,
        **form(refusal),
    )


def _where(fund_id: UUID, obstacle: Obstacle, line_orders: dict[UUID, UUID]) -> str | None:
    """Return the page on which something that keeps a fund open is dealt with."""
    if obstacle.order_line_id in line_orders:
        return url_for("orders.order", order_id=line_orders[obstacle.order_line_id])
    if obstacle.kind == "claim_batch":
        return url_for("claims.batch", batch_id=obstacle.id)
    if obstacle.kind == "available":
        return url_for("fund_transfers.transfers", fund_id=fund_id, envelope=obstacle.envelope)
    return url_for("fund_register.entries", fund_id=fund_id, place="captured")
