"""The first page: a park's own affairs, or what waits for a person of the province, finance, provider or operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, request, url_for

from billing.usecases import alerts, claim_queue, entitlements, fund_outlook, fund_transfers, funds, programmes, wallets
from marketplace.usecases import orders
from marketplace.web.charts import fund_chart, spend_chart
from marketplace.web.pages import page_group, page_work
from marketplace.web.rendering import month_of, named, show, yuan
from marketplace.web.spending import months_of_year, spent_by
from marketplace.web.words import ALERTS, TRANSFERS
from services.usecases import bookings
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import credit_blocks, onboarding
from tenants.usecases.views import ParkView

pages = page_group("home")


@dataclass(frozen=True)
class Step:
    """Something to do next, and where."""

    text: Message
    address: str


@pages.get("/")
def home() -> Response:
    """Show the home of who is signed in."""
    with page_work() as work:
        if work.actor.tenant_id is not None:
            return show("home_park.html", **_park(work))
        return show("home_staff.html", **_staff(work))


def _park(work: Work) -> dict[str, Any]:
    park = onboarding.read_park(work, park_id=work.actor.require_tenant())
    recent = orders.list_orders(work, limit=5).items
    months = months_of_year(work.now)
    spent = spent_by(work, "month")
    this = spent.get(month_of(work.now))
    wallet = wallets.read_wallet(work, park_id=park.id) if work.actor.may(Permission.READ_WALLET) else None
    return {
        "park": park,
        "recent": recent,
        "this_month": this,
        "year": sum((each.gross_fen for each in spent.values()), 0),
        "saved": sum((each.subsidy_fen for each in spent.values()), 0),
        "wallet": wallet,
        "blocks": credit_blocks.own_blocks(work, uscc=park.uscc) if park.credit_blocked else (),
        "entitled": entitlements.offered_automatically(work),
        "alerts": [(each, _alert_text(each)) for each in alerts.list_alerts(work)],
        "chart": spend_chart(
            months,
            [spent[month].subsidy_fen if month in spent else 0 for month in months],
            [spent[month].payable_fen if month in spent else 0 for month in months],
        )
        if spent
        else None,
        "steps": _next_steps(park, has_orders=bool(recent)),
        "welcome": "welcome" in request.args,
    }


def _alert_text(alert: alerts.AlertView) -> Message:
    """Return what a park is told, as a sentence with amounts in yuan."""
    values = {name: yuan(value) if name.endswith("_fen") else value for name, value in alert.detail.items()}
    return Message(ALERTS[alert.kind].template, values)


def _next_steps(park: ParkView, *, has_orders: bool) -> tuple[Step, ...]:
    if park.verification == "pending":
        return (Step(msg("等待省级主管部门审核。期间可先浏览服务目录。"), url_for("catalogue.catalogue")),)
    if park.verification == "rejected":
        return (Step(msg("审核未通过。请按审核意见补充材料后联系平台。"), url_for("catalogue.catalogue")),)
    if park.tier is None:
        return (Step(msg("选择订阅层级，即可租用该层级的服务。"), url_for("subscription.subscription")),)
    if not has_orders:
        return (Step(msg("查看服务目录，用演示数据试一次。"), url_for("catalogue.catalogue")),)
    return (Step(msg("查看服务目录，租用下一项服务。"), url_for("catalogue.catalogue")),)


def _staff(work: Work) -> dict[str, Any]:
    may = work.actor.may
    shown = funds.list_funds(work) if may(Permission.READ_FUND) else ()
    return {
        "funds": shown,
        "alerts": fund_outlook.list_alerts(work) if may(Permission.READ_FUND) else (),
        "fund_names": {fund.id: named(fund) for fund in shown},
        "chart": fund_chart(shown) if shown else None,
        "tasks": _tasks(work, [fund.id for fund in shown]),
        "recent": orders.list_orders(work, limit=8).items if may(Permission.READ_ORDER) else (),
    }


def _tasks(work: Work, fund_ids: list[Any]) -> tuple[Step, ...]:
    """Return what waits for the acting person."""
    may, found = work.actor.may, []
    if may(Permission.VERIFY_PARK):
        waiting = onboarding.list_parks(work, verification="pending", limit=200).items
        if waiting:
            text = msg("{count} 个园区等待审核", count=len(waiting))
            found.append(Step(text, url_for("parks.parks", verification="pending")))
    if may(Permission.APPROVE_FUND):
        asked = [each for fund_id in fund_ids for each in funds.list_appropriations(work, fund_id=fund_id)]
        open_ones = [each for each in asked if each.status == "requested"]
        found += [
            Step(
                msg("拨款申请 {number} 等待批准", number=each.document_no), url_for("funds.fund", fund_id=each.fund_id)
            )
            for each in open_ones
        ]
        found += [
            Step(
                msg("{kind}申请等待批准：{reason}", kind=TRANSFERS[each.kind], reason=each.reason),
                url_for("fund_transfers.transfers", fund_id=each.fund_id),
            )
            for each in fund_transfers.undecided_transfers(work)
        ]
    if may(Permission.READ_FUND):
        found += [
            Step(
                msg("补贴申报 {period} 等您处理（{count} 笔）", period=batch.period, count=batch.lines),
                url_for("claims.batch", batch_id=batch.id),
            )
            for batch, _step in claim_queue.list_waiting(work)
        ]
    if may(Permission.APPROVE_PROGRAMME):
        found += [
            Step(
                msg("政策“{name}”第 {version} 版等待批准", name=programme.name, version=version.version),
                url_for("programmes.programme", programme_id=programme.id),
            )
            for programme in programmes.list_programmes(work)
            for version in programme.versions
            if version.status == "submitted"
        ]
    if may(Permission.REPORT_INSPECTION):
        booked = bookings.list_provider_bookings(work, status=bookings.BookingStatus.BOOKED, limit=200).items
        if booked:
            found.append(Step(msg("{count} 个检测预约待出结果", count=len(booked)), url_for("provider.bookings")))
    if may(Permission.RECONCILE):
        found.append(Step(msg("核对本月账目：用量、计费、开票、回款"), url_for("books.books")))
    return tuple(found)
