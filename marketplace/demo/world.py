"""The demo province as data. Every name is invented; county codes are real ones of Henan (GB/T 2260)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.rules.catalogue import Delivery
from services.rules.slots import Hours
from services.usecases.instruments import Facts
from tenants.kernel.vocabulary import OrganisationKind, ParkSize, Role, Tier

PASSWORD = "demo-park-2026"  # noqa: S105 - printed on the demo's sign-in page; production cannot be seeded with it
YUAN = 100
FUND_SLUG = "province-tech-2026"
FUND_FEN = 5_000_000_000 * YUAN
PROGRAMME = "small-park-tech"
MATCHING_SLUG = "city-match-2026"
MATCHING_FEN = 20_000_000 * YUAN
KEY_COUNTIES = ("411326", "411724", "411525")
"""Counties that the demo programme supports most."""


@dataclass(frozen=True)
class DemoOrganisation:
    """An organisation of the demo that is no park."""

    key: str
    kind: OrganisationKind
    name: str
    region_code: str


@dataclass(frozen=True)
class DemoPerson:
    """A person of the demo."""

    login: str
    name: str
    organisation: str
    roles: tuple[Role, ...]


@dataclass(frozen=True)
class DemoPark:
    """A park of the demo, with the logins of its administrator (``login``)."""

    login: str
    name: str
    region_code: str
    size: ParkSize
    tier: Tier | None
    verified: bool = True


@dataclass(frozen=True)
class DemoPlan:
    """What a tier costs a month, in yuan, and what it gives."""

    tier: Tier
    name: str
    name_en: str
    monthly_fee_yuan: int
    gives: Mapping[str, Any]
    monthly_minimum_yuan: int = 0


@dataclass(frozen=True)
class DemoOffering:
    """An offering of the demo with its list price."""

    slug: str
    provider: str
    tier: Tier
    delivery: Delivery
    name: str
    name_en: str
    summary: str
    summary_en: str
    unit_price: str
    build_cost_yuan: int


@dataclass(frozen=True)
class LaterProgramme:
    """A programme of the demo whose awards come after the delivery of one service."""

    slug: str
    name: str
    name_en: str
    mode: str
    offering: str
    rate_bp: int


@dataclass(frozen=True)
class DemoCase:
    """A case-by-case decision of the demo, and which approvers have approved it."""

    document_no: str
    park: str
    offering: str
    rate_bp: int
    limit_fen: int
    reason: str
    approved_by: tuple[str, ...]


ORGANISATIONS = (
    DemoOrganisation("authority", OrganisationKind.AUTHORITY, "省园区科技服务专项资金办公室", "410105"),
    DemoOrganisation("operator", OrganisationKind.OPERATOR, "中原园区科技服务运营有限公司", "410105"),
    DemoOrganisation("twins", OrganisationKind.PROVIDER, "中原数字孪生技术研究院", "410184"),
    DemoOrganisation("lab", OrganisationKind.PROVIDER, "豫西材料检测共享中心", "410311"),
)

ISSUER = {
    "address": "河南省郑州市金水区演示路 1 号",
    "phone": "0371-00000000",
    "bank": "演示银行郑州分行",
    "account": "4100000000000001",
}
"""Where the operator's invoices say it is found and paid: made up, as every name here."""

PEOPLE = (
    DemoPerson("policy", "政策专员(演示)", "authority", (Role.SUBSIDY_OFFICER,)),
    DemoPerson("approver", "资金审批人(演示)", "authority", (Role.SUBSIDY_APPROVER,)),
    DemoPerson("reviewer", "申报审核人(演示)", "authority", (Role.CLAIM_REVIEWER,)),
    DemoPerson("approver2", "资金审批人乙(演示)", "authority", (Role.SUBSIDY_APPROVER,)),
    DemoPerson("finance", "财务专员(演示)", "authority", (Role.FINANCE,)),
    DemoPerson("operator", "平台运营(演示)", "operator", (Role.OPERATOR,)),
    DemoPerson("lab", "检测工程师(演示)", "lab", (Role.PROVIDER,)),
)

PARKS = (
    DemoPark("park01", "卢氏县绿色食品产业园", "411224", ParkSize.SMALL, Tier.LEADING),
    DemoPark("park02", "西峡县汽车零部件产业园", "411323", ParkSize.SMALL, Tier.LEADING),
    DemoPark("park03", "正阳县花生加工产业园", "411724", ParkSize.SMALL, Tier.ENHANCED),
    DemoPark("park04", "淅川县清洁能源产业园", "411326", ParkSize.SMALL, Tier.LEADING),
    DemoPark("park05", "长垣起重装备产业园", "410783", ParkSize.LARGE, Tier.LEADING),
    DemoPark("park06", "民权县制冷产业园", "411421", ParkSize.SMALL, Tier.ENHANCED),
    DemoPark("park07", "新安县新材料产业园", "410323", ParkSize.LARGE, Tier.LEADING),
    DemoPark("park08", "平舆县皮革产业园", "411723", ParkSize.SMALL, Tier.BASIC),
    DemoPark("park09", "固始县纺织产业园", "411525", ParkSize.SMALL, Tier.ENHANCED),
    DemoPark("park10", "汝州市陶瓷产业园", "410482", ParkSize.SMALL, Tier.LEADING),
    DemoPark("park11", "巩义市铝加工产业园", "410181", ParkSize.LARGE, Tier.ENHANCED),
    DemoPark("park12", "兰考县家居产业园", "410225", ParkSize.SMALL, None, verified=False),
)

OFFERINGS = (
    DemoOffering(
        "energy-monitoring", "twins", Tier.BASIC, Delivery.MONITORING, "基础能耗监测", "Energy monitoring",
        "电表数据质量标记、基线与异常告警。", "Meter data with quality flags, baseline and anomaly alerts.",
        "800", 300_000,
    ),
    DemoOffering(
        "simple-alarms", "twins", Tier.BASIC, Delivery.ALARMS, "安防告警", "Simple alarms",
        "任意仪表与设备的阈值、心跳与升级告警。", "Thresholds, heartbeats and escalation on any meter or device.",
        "300", 120_000,
    ),
    DemoOffering(
        "energy-optimisation", "twins", Tier.ENHANCED, Delivery.SCHEDULE, "共享能耗优化", "Energy optimisation",
        "未来一天或一周的用能排程：工序错峰、储能充放、需量上限，逐条说明理由与节省。",
        "A schedule for the next day or week: processes shifted, battery, demand cap; each change with reason and saving.",
        "2000", 1_500_000,
    ),
    DemoOffering(
        "ai-leads", "twins", Tier.ENHANCED, Delivery.LEADS, "AI 招商线索", "AI leads",
        "按区位与外迁经验排序的目标企业清单,每条附数据出处。",
        "Target companies ranked by distance and record of expansion; every reason cites its data.",
        "3000", 800_000,
    ),
    DemoOffering(
        "shared-inspection", "lab", Tier.ENHANCED, Delivery.INSPECTION, "共享检测", "Shared inspection",
        "按时段预约检测仪器,出具检测报告。", "Instruments booked by the slot, with a test report.",
        "600", 2_600_000,
    ),
    DemoOffering(
        "sample-testing", "lab", Tier.ENHANCED, Delivery.SAMPLES, "送样检测", "Sample testing",
        "寄送样品，按件按项计费，交接留痕，出具检测报告。",
        "Samples sent in, priced by sample and test, with a chain of custody and a report.",
        "300", 2_600_000,
    ),
    DemoOffering(
        "digital-twin-run", "twins", Tier.LEADING, Delivery.TWIN, "数字孪生推演", "Digital-twin run",
        "以园区自有数据推演一年 15 分钟级用能:现状、优化、扩容,给出投资回收与减碳建议。",
        "A year of the park's own energy data at 15 minutes: as it is, optimised, sized; payback and carbon advice.",
        "10000", 5_000_000,
    ),
    DemoOffering(
        "zero-carbon", "twins", Tier.LEADING, Delivery.CARBON, "碳监测与零碳路径", "Carbon monitoring and path to zero",
        "活动台账、范围 1 与范围 2 双口径核算、绿证管理、年度报告,以及成本最低的减碳路径。",
        "Activity ledger, scopes 1 and 2 by both methods, certificates, yearly report, and the cheapest path to a target.",
        "2000", 1_500_000,
    ),
)  # fmt: skip

PLANS = (
    DemoPlan(Tier.BASIC, "基础方案", "Basic plan", 0, {"offering_tiers": ["basic"]}),
    DemoPlan(
        Tier.ENHANCED, "增强方案", "Enhanced plan", 500,
        {"offering_tiers": ["basic", "enhanced"], "priority": 1, "support": "priority"},
    ),
    DemoPlan(
        Tier.LEADING, "引领方案", "Leading plan", 2_000,
        {
            "offering_tiers": ["basic", "enhanced", "leading"], "included": {"shared-inspection": 1}, "priority": 2,
            "support": "dedicated",
        },
        1_000,
    ),
)  # fmt: skip
"""Ten monthly fees pay a year. The leading plan includes an inspection each month."""

INSTRUMENTS = (
    (
        Facts(
            "扫描电子显微镜 SEM-1", "410311", "豫西材料检测共享中心 微观分析室", "洛阳市洛龙区（演示地址）A 座 201",
            ("GB/T 16594", "GB/T 17359"), ("GB/T 27788",), ("金属断口", "粉末", "陶瓷", "镀层"),
        ),
        Hours(9, 17, 60),
    ),
    (
        Facts(
            "万能材料试验机 UTM-2", "410311", "豫西材料检测共享中心 力学试验室", "洛阳市洛龙区（演示地址）A 座 105",
            ("GB/T 228.1",), ("GB/T 1591", "GB/T 3280"), ("金属板材", "棒材", "焊接接头"),
        ),
        Hours(9, 17, 60),
    ),
    (
        Facts(
            "气相色谱质谱仪 GCMS-1", "411202", "豫西材料检测共享中心 三门峡分部", "三门峡市湖滨区（演示地址）B 座 302",
            ("GB 5009.19",), ("GB 2763",), ("食品", "农产品"),
        ),
        Hours(9, 17, 60, before_minutes=30, after_minutes=30, units=2),
    ),
)  # fmt: skip

BOUNDS: dict[str, Any] = {
    "small": {"min_bp": 5000, "max_bp": 7000},
    "large": {"min_bp": 3000, "max_bp": 3000},
}

LATER_BOUNDS: dict[str, Any] = {"small": {"min_bp": 500, "max_bp": 2000}}
LATER_PROGRAMMES = (
    LaterProgramme(
        "inspection-rebate", "小型园区检测费后补助", "Inspection fees, paid back afterwards", "reimburse",
        "shared-inspection", 1000,
    ),
    LaterProgramme(
        "leads-auto", "招商线索免申即享奖补", "AI leads, granted automatically", "auto", "ai-leads", 1000
    ),
)  # fmt: skip
CASES = (
    DemoCase(
        "豫科专〔2026〕11 号", "park05", "digital-twin-run", 5000, 20_000 * YUAN,
        "省级起重装备产业集群重点项目，经专题会议研究，推演服务按 50% 补贴。", ("approver", "approver2"),
    ),
    DemoCase(
        "豫科专〔2026〕12 号", "park07", "digital-twin-run", 4000, 10_000 * YUAN,
        "新材料中试基地扩容论证，拟按 40% 补贴。", ("approver",),
    ),
)  # fmt: skip


def policy(
    *,
    fund: str = FUND_SLUG,
    programme: str = PROGRAMME,
    shortfall: str = "partial",
    version: int = 1,
    park_year_cap_fen: int = 500_000 * YUAN,
) -> dict[str, Any]:
    """Return the demo programme's policy: 50–70 % for small parks by county and tier, 30 % for large ones."""
    small = {"fact": "park_size", "is": "eq", "value": "small"}
    return {
        "programme": programme,
        "version": version,
        "mode": "instant",
        "currency": "CNY",
        "base": "gross",
        "window": {"from": "2026-01-01", "to": "2028-01-01"},
        "timezone": "Asia/Shanghai",
        "year_starts": "01-01",
        "eligible": {"all": [{"fact": "verification", "is": "eq", "value": "verified"}]},
        "rates": [
            {
                "when": [small, {"fact": "region", "is": "in", "value": list(KEY_COUNTIES)}],
                "rate_bp": 7000,
                "reason": "KEY_COUNTY",
            },
            {
                "when": [small, {"fact": "tier", "is": "eq", "value": "leading"}],
                "rate_bp": 6000,
                "reason": "SMALL_LEADING",
            },
            {"when": [small], "rate_bp": 5000, "reason": "SMALL_PARK"},
            {"when": [{"fact": "park_size", "is": "eq", "value": "large"}], "rate_bp": 3000, "reason": "LARGE_PARK"},
        ],
        "caps": [{"scope": "entity_year", "amount_fen": park_year_cap_fen}],
        "funders": [{"fund": fund, "share_bp": 10000}],
        "shortfall": shortfall,
        "payee": "provider",
    }


def later_policy(each: LaterProgramme) -> dict[str, Any]:
    """Return a later programme's policy: for small parks and one service, under a ceiling that rolls over three years."""
    return {
        "programme": each.slug,
        "version": 1,
        "mode": each.mode,
        "base": "gross",
        "window": {"from": "2026-01-01", "to": "2028-01-01"},
        "eligible": {
            "all": [
                {"fact": "verification", "is": "eq", "value": "verified"},
                {"fact": "park_size", "is": "eq", "value": "small"},
                {"fact": "offering", "is": "eq", "value": each.offering},
            ]
        },
        "rates": [{"rate_bp": each.rate_bp}],
        "rolling": {"register": "later-aid", "years": 3, "amount_fen": 200_000 * YUAN},
        "funders": [{"fund": MATCHING_SLUG, "share_bp": 10000}],
        "shortfall": "partial",
        "payee": "tenant",
        "claim_days": 180,
    }
