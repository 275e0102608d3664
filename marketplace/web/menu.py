"""The menu: what a person may open, in sections that unfold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

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
    section: Message | None = None
    """The heading it stands under; none for what stands in the bar itself."""

    @property
    def is_current(self) -> bool:
        """Tell whether the shown page belongs to this entry's groups."""
        return request.blueprint in (self.endpoint.partition(".")[0], *self.groups)


@dataclass(frozen=True)
class Section:
    """Neighbouring entries under one heading."""

    title: Message
    entries: tuple[Entry, ...]

    @property
    def is_current(self) -> bool:
        """Tell whether the shown page belongs to one of its entries."""
        return any(entry.is_current for entry in self.entries)


SUBSIDIES = msg("补贴与资金")
ACCOUNTS = msg("账务")
ENERGY = msg("能源与碳")
SERVICES = msg("服务办理")
INSPECTION = msg("检测")
SETTINGS = msg("设置")

ENTRIES = (
    Entry("home.home", msg("首页")),
    Entry("dashboard.dashboard", msg("看板"), Permission.READ_FUND, staff_only=True),
    Entry("catalogue.catalogue", msg("服务目录"), Permission.READ_CATALOGUE),
    Entry("orders.orders", msg("订单"), Permission.READ_ORDER),
    Entry(
        "sites.sites",
        msg("监测站点"),
        Permission.READ_SITE,
        park_only=True,
        groups=("monitoring",),
        section=ENERGY,
    ),
    Entry("work_orders.orders", msg("工单"), Permission.READ_SITE, park_only=True, section=ENERGY),
    Entry("site_alarms.alarms", msg("告警"), Permission.READ_SITE, park_only=True, section=ENERGY),
    Entry(
        "carbon.carbon",
        msg("碳管理"),
        Permission.READ_CARBON,
        park_only=True,
        groups=("carbon_ledger", "carbon_hours", "carbon_certificates", "carbon_paths", "factors"),
        section=ENERGY,
    ),
    Entry("prices.prices", msg("价格"), Permission.MANAGE_CATALOGUE, staff_only=True, groups=("plans",)),
    Entry(
        "slot_search.search",
        msg("查找检测时段"),
        Permission.READ_CATALOGUE,
        park_only=True,
        groups=("slot_holds",),
        section=SERVICES,
    ),
    Entry("waiting.places", msg("我的排队"), Permission.ASK_QUOTE, park_only=True, section=SERVICES),
    Entry("samples.samples", msg("送样"), Permission.READ_ORDER, park_only=True, section=SERVICES),
    Entry("conduct.conduct", msg("履约记录"), Permission.READ_ORDER, park_only=True, section=SERVICES),
    Entry("qualifications.qualifications", msg("上机资质"), Permission.ASK_QUOTE, park_only=True, section=SERVICES),
    Entry("leads.leads", msg("招商线索"), Permission.READ_ORDER, park_only=True, section=SERVICES),
    Entry("slot_holds.terms", msg("暂留规则"), Permission.MANAGE_CATALOGUE, staff_only=True, section=INSPECTION),
    Entry("provider.bookings", msg("检测预约"), Permission.REPORT_INSPECTION, section=INSPECTION),
    Entry("instruments.instruments", msg("仪器管理"), Permission.MANAGE_INSTRUMENT, section=INSPECTION),
    Entry("samples.samples", msg("送样"), Permission.REPORT_INSPECTION, section=INSPECTION),
    Entry("conduct.conduct", msg("履约记录"), Permission.LIFT_SUSPENSION, staff_only=True, section=INSPECTION),
    Entry(
        "qualifications.qualifications",
        msg("上机资质"),
        Permission.DECIDE_QUALIFICATION,
        staff_only=True,
        section=INSPECTION,
    ),
    Entry("parks.parks", msg("园区名录"), Permission.READ_ALL_PARKS, staff_only=True, groups=("standing",)),
    Entry("subsidies.subsidies", msg("我的补贴"), Permission.READ_USAGE, park_only=True, section=SUBSIDIES),
    Entry(
        "funds.funds",
        msg("专项资金池"),
        Permission.READ_FUND,
        staff_only=True,
        groups=("fund_transfers", "fund_register", "fund_life"),
        section=SUBSIDIES,
    ),
    Entry("programmes.programmes", msg("补贴政策"), Permission.READ_PROGRAMME, section=SUBSIDIES),
    Entry("exemptions.exemptions", msg("一事一议"), Permission.READ_PROGRAMME, section=SUBSIDIES),
    Entry("entitlements.entitlements", msg("后补助与免申即享"), Permission.READ_ORDER, section=SUBSIDIES),
    Entry("claims.batches", msg("补贴申报"), Permission.READ_FUND, staff_only=True, section=SUBSIDIES),
    Entry("claims.lines", msg("我的申报"), Permission.READ_CLAIM, without=Permission.READ_FUND, section=SUBSIDIES),
    Entry("clawbacks.clawbacks", msg("追回"), Permission.READ_CLAWBACK, section=SUBSIDIES),
    Entry("aid.aid", msg("滚动补贴台账"), Permission.READ_PROGRAMME, park_only=True, section=SUBSIDIES),
    Entry("aid.aid", msg("滚动补贴台账"), Permission.READ_FUND, staff_only=True, section=SUBSIDIES),
    Entry("notices.notices", msg("补贴公示"), section=SUBSIDIES),
    Entry("matching.matching", msg("政策匹配"), Permission.READ_CATALOGUE, park_only=True, section=SUBSIDIES),
    Entry("matching.matching", msg("政策匹配"), Permission.READ_FUND, staff_only=True, section=SUBSIDIES),
    Entry(
        "invoices.invoices",
        msg("账单"),
        Permission.READ_INVOICE,
        groups=("invoice_batches", "e_invoices", "invoice_runs", "credit_notes", "adjustments", "discounts"),
        section=ACCOUNTS,
    ),
    Entry("usage.usage", msg("用量与钱包"), Permission.READ_USAGE, park_only=True, section=ACCOUNTS),
    Entry("events.events", msg("用量事件"), Permission.READ_USAGE, park_only=True, section=ACCOUNTS),
    Entry("budgets.budgets", msg("预算限额"), Permission.READ_USAGE, park_only=True, section=ACCOUNTS),
    Entry("joint.table", msg("共建测算"), Permission.READ_CATALOGUE, section=ACCOUNTS),
    Entry("joint_agreements.agreements", msg("共建协议"), Permission.READ_JOINT, section=ACCOUNTS),
    Entry("books.books", msg("对账"), Permission.RECONCILE, staff_only=True, section=ACCOUNTS),
    Entry("ledger.ledger", msg("账簿"), Permission.READ_LEDGER, staff_only=True, section=ACCOUNTS),
    Entry("issuers.issuer", msg("开票信息"), Permission.MANAGE_ISSUER, staff_only=True, section=ACCOUNTS),
    Entry("invoice_runs.settings", msg("开票设置"), Permission.CONFIGURE_INVOICES, staff_only=True, section=ACCOUNTS),
    Entry("subscription.subscription", msg("订阅"), Permission.READ_PARK, park_only=True, section=SETTINGS),
    Entry("workdays.year", msg("工作日历"), Permission.MANAGE_CATALOGUE, staff_only=True, section=SETTINGS),
    Entry("meters.meters", msg("计量"), Permission.RUN_PLATFORM, staff_only=True, section=SETTINGS),
    Entry("factors.factors", msg("排放因子"), Permission.MANAGE_FACTORS, staff_only=True, section=SETTINGS),
    Entry("company_imports.imports", msg("企业名录"), Permission.IMPORT_COMPANIES, staff_only=True, section=SETTINGS),
    Entry("reference_tables.tables", msg("定位数据表"), Permission.IMPORT_COMPANIES, staff_only=True, section=SETTINGS),
    Entry("lead_models.editions", msg("排序模型"), Permission.IMPORT_COMPANIES, staff_only=True, section=SETTINGS),
    Entry("leads.contacts", msg("线索电话"), Permission.IMPORT_COMPANIES, staff_only=True, section=SETTINGS),
    Entry("leads.suppressions", msg("不再联系名单"), Permission.IMPORT_COMPANIES, staff_only=True, section=SETTINGS),
    Entry("measures.measures", msg("匹配项目"), Permission.MANAGE_CATALOGUE, staff_only=True, section=SETTINGS),
    Entry("calendar_feeds.feeds", msg("日历订阅"), Permission.READ_ORDER, park_only=True, section=SETTINGS),
    Entry("calendar_feeds.feeds", msg("日历订阅"), Permission.REPORT_INSPECTION, staff_only=True, section=SETTINGS),
    Entry("keys.keys", msg("API 密钥"), Permission.MANAGE_API_KEYS, section=SETTINGS),
)


def menu_for(actor: Actor | None) -> tuple[Entry | Section, ...]:
    """Return what a person may open, in order; nothing for a visitor. A section of one entry is that entry."""
    return () if actor is None else tuple(_folded(actor))


def _folded(actor: Actor) -> Iterator[Entry | Section]:
    open_to = (entry for entry in ENTRIES if _may_open(actor, entry))
    for section, neighbours in groupby(open_to, key=lambda entry: entry.section):
        entries = tuple(neighbours)
        if section is None or len(entries) == 1:
            yield from entries
        else:
            yield Section(section, entries)


def _may_open(actor: Actor, entry: Entry) -> bool:
    is_park = actor.tenant_id is not None
    return (
        (entry.permission is None or actor.may(entry.permission))
        and (entry.without is None or not actor.may(entry.without))
        and not (entry.park_only and not is_park)
        and not (entry.staff_only and is_park)
    )
