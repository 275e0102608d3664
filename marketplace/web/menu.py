"""The menu: what a person may open."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request

from tenants.kernel.context import Actor
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission


@dataclass(frozen=True)
class Entry:
    """A line of the menu. ``endpoint`` is the page it opens, its group the part that is marked as current."""

    endpoint: str
    title: Message
    permission: Permission | None = None
    park_only: bool = False
    staff_only: bool = False
    groups: tuple[str, ...] = ()
    """Further page groups that belong to this line."""
    without: Permission | None = None
    """A right whose holders have a fuller page instead."""

    @property
    def is_current(self) -> bool:
        """Tell whether the shown page belongs to this entry's groups."""
        return request.blueprint in (self.endpoint.partition(".")[0], *self.groups)


ENTRIES = (
    Entry("home.home", msg("首页")),
    Entry("dashboard.dashboard", msg("看板"), Permission.READ_FUND, staff_only=True),
    Entry("catalogue.catalogue", msg("服务目录"), Permission.READ_CATALOGUE),
    Entry("orders.orders", msg("订单"), Permission.READ_ORDER),
    Entry("entitlements.entitlements", msg("申领"), Permission.READ_ORDER),
    Entry("clawbacks.clawbacks", msg("追回"), Permission.READ_CLAWBACK),
    Entry("invoices.invoices", msg("账单"), Permission.READ_INVOICE, groups=("invoice_batches", "invoice_runs")),
    Entry("subsidies.subsidies", msg("我的补贴"), Permission.READ_USAGE, park_only=True),
    Entry("usage.usage", msg("用量与钱包"), Permission.READ_USAGE, park_only=True),
    Entry("budgets.budgets", msg("预算限额"), Permission.READ_USAGE, park_only=True),
    Entry("subscription.subscription", msg("订阅"), Permission.READ_PARK, park_only=True),
    Entry("prices.prices", msg("价格"), Permission.MANAGE_CATALOGUE, staff_only=True),
    Entry("keys.keys", msg("API 密钥"), Permission.MANAGE_API_KEYS),
    Entry("parks.parks", msg("园区"), Permission.READ_ALL_PARKS, staff_only=True),
    Entry(
        "funds.funds",
        msg("专项资金"),
        Permission.READ_FUND,
        staff_only=True,
        groups=("fund_transfers", "fund_register", "fund_life"),
    ),
    Entry("programmes.programmes", msg("补贴政策"), Permission.READ_PROGRAMME),
    Entry("exemptions.exemptions", msg("一事一议"), Permission.READ_PROGRAMME),
    Entry("claims.batches", msg("补贴申报"), Permission.READ_FUND, staff_only=True),
    Entry("claims.lines", msg("我的申报"), Permission.READ_CLAIM, without=Permission.READ_FUND),
    Entry("books.books", msg("对账"), Permission.RECONCILE, staff_only=True),
    Entry("ledger.ledger", msg("账簿"), Permission.READ_LEDGER, staff_only=True),
    Entry("issuers.issuer", msg("开票信息"), Permission.MANAGE_ISSUER, staff_only=True),
    Entry("invoice_runs.settings", msg("开票设置"), Permission.CONFIGURE_INVOICES, staff_only=True),
    Entry("provider.bookings", msg("检测预约"), Permission.REPORT_INSPECTION),
)


def menu_for(actor: Actor | None) -> tuple[Entry, ...]:
    """Return the entries that a person may open; none for a visitor."""
    if actor is None:
        return ()
    is_park = actor.tenant_id is not None
    return tuple(
        entry
        for entry in ENTRIES
        if (entry.permission is None or actor.may(entry.permission))
        and (entry.without is None or not actor.may(entry.without))
        and not (entry.park_only and not is_park)
        and not (entry.staff_only and is_park)
    )
