"""The documents of a site's yearly report: PDF and workbook by the headings of GB/T 32150, records and evidence as CSV.

The same inventory gives the same bytes: nothing in them is of the moment of making but the date that is passed in.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from services.gateways.sectioned_documents import Section, Sheet, render_pdf, render_workbook
from services.rules.carbon.certificates import Certificate, End
from services.rules.carbon.inventory import Inventory
from services.rules.carbon.records import Category

FORMAT = "carbon-report/1"
_RISKY = ("=", "+", "-", "@", "\t", "\r")
HEADINGS = {
    Category.FUEL: "化石燃料燃烧（固定源）",
    Category.VEHICLE: "化石燃料燃烧（移动源）",
    Category.PROCESS: "过程排放",
    Category.REFRIGERANT: "制冷剂等逸散",
    Category.ELECTRICITY: "购入的电力",
    Category.OWN_GREEN: "自发自用可再生电力",
    Category.HEAT: "购入的热力",
    Category.SOLD_ELECTRICITY: "输出的电力（扣除）",
    Category.SOLD_HEAT: "输出的热力（扣除）",
}
RECORD_COLUMNS = (
    "id", "replaces_id", "replaced_by", "category", "item", "region", "starts_on", "ends_on", "quantity", "unit",
    "density_kg_per_l", "base_quantity", "base_unit", "edition", "factor_kg", "factor_year", "factor_source",
    "residual_edition", "residual_kg", "grams", "source", "evidence_id", "evidence_sha256", "note", "created_by",
    "created_at",
)  # fmt: skip


@dataclass(frozen=True)
class ReportContent:
    """What a report is made of. ``records`` hold the columns of ``RECORD_COLUMNS``, replaced ones too."""

    park: str
    uscc: str
    site: str
    address: str
    made_on: date
    inventory: Inventory
    records: Sequence[Mapping[str, Any]]
    certificates: Sequence[Certificate]
    evidence: Sequence[Mapping[str, Any]]
    """Files: sha256, name, size_bytes, records (how many they prove)."""
    missing: Sequence[date]
    factor_files: Mapping[str, str] = field(default_factory=dict)
    """Hashes of the files that hold the editions used."""


def tonnes(grams: int, digits: int = 3) -> str:
    """Return grams as tonnes, rounded half up for print."""
    return f"{(Decimal(grams) / 1_000_000).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"


def render_report(content: ReportContent) -> dict[str, bytes]:
    """Return the files by name; ``manifest.json`` holds the hashes of the others and what the figures depend on."""
    sections = report_sections(content)
    title = f"{content.inventory.year} 年度温室气体排放报告"
    files = {
        "report.pdf": render_pdf(title, f"{content.park} · {content.site}", sections),
        "report.xlsx": render_workbook(title, sections, content.made_on),
        "records.csv": _csv(RECORD_COLUMNS, ([row[name] for name in RECORD_COLUMNS] for row in content.records)),
        "evidence.csv": _csv(
            ("sha256", "name", "size_bytes", "records"),
            ([row["sha256"], row["name"], row["size_bytes"], row["records"]] for row in content.evidence),
        ),
    }
    inventory = content.inventory
    manifest = {
        "format": FORMAT,
        "standard": "GB/T 32150",
        "site": content.site,
        "year": inventory.year,
        "made_on": content.made_on.isoformat(),
        "grams": {
            "scope1": inventory.scope1,
            "scope2_location": inventory.scope2_location,
            "scope2_market": inventory.scope2_market,
            "total_location": inventory.total_location,
            "total_market": inventory.total_market,
            "by_category": {heading.category: heading.grams for heading in inventory.headings},
        },
        "records": {"all": len(content.records), "standing": sum(not row["replaced_by"] for row in content.records)},
        "factors": sorted({line.factor.label for line in inventory.lines}),
        "factor_files": dict(content.factor_files),
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)} for name, data in files.items()
        },
    }
    text = json.dumps(manifest, ensure_ascii=False, sort_keys=True, indent=1)
    return {**files, "manifest.json": text.encode() + b"\n"}


def report_sections(content: ReportContent) -> tuple[Section, ...]:
    """Return the report's sections by the headings of GB/T 32150."""
    return (
        _subject(content),
        _totals(content.inventory),
        _months(content.inventory),
        _activities(content.inventory),
        _factors(content.inventory),
        _certificates(content),
        _quality(content),
        _evidence(content),
        Section(
            "九、真实性声明",
            ("本报告由台账记录自动生成，记录不可修改，更正以新记录取代旧记录。报告主体对活动数据的真实性负责。",
             "法定代表人（签字）：　　　　　　　　　　（公章）　　　　年　　月　　日"),
        ),
    )  # fmt: skip


def _subject(content: ReportContent) -> Section:
    facts = (
        ("报告主体", content.park), ("统一社会信用代码", content.uscc), ("核算场地", content.site),
        ("地址", content.address or "—"), ("报告年度", str(content.inventory.year)),
        ("生成日期", content.made_on.isoformat()),
    )  # fmt: skip
    bounds = (
        "核算边界为上述场地内由报告主体运行控制的排放源：范围 1 为化石燃料燃烧、过程排放和制冷剂逸散，"
        "范围 2 为购入的电力和热力。移动源只计二氧化碳。范围 3 不在本报告内。"
    )
    return Section("一、报告主体与核算边界", (bounds,), (Sheet("主体", ("项目", "内容"), facts, (1.2, 3.0)),))


def _totals(inventory: Inventory) -> Section:
    rows = [
        (HEADINGS[heading.category], f"范围 {heading.category.scope}", str(heading.records), tonnes(heading.grams))
        for heading in inventory.headings
    ]
    rows += [
        ("范围 1 合计", "", "", tonnes(inventory.scope1)),
        ("范围 2 合计（基于位置）", "", "", tonnes(inventory.scope2_location)),
        ("范围 2 合计（基于市场）", "", "", tonnes(inventory.scope2_market)),
        ("总排放量（基于位置）", "", "", tonnes(inventory.total_location)),
        ("总排放量（基于市场）", "", "", tonnes(inventory.total_market)),
    ]
    sheet = Sheet("排放量", ("排放类别", "范围", "记录数", "排放量（tCO₂e）"), tuple(rows), (2.4, 1.0, 1.0, 1.0))
    return Section("二、温室气体排放量", (), (sheet,))


def _months(inventory: Inventory) -> Section:
    rows = [
        (f"{month} 月", tonnes(inventory.months[month - 1]), tonnes(inventory.market_months[month - 1]))
        for month in range(1, 13)
    ]
    header = ("月份", "全部类别，基于位置（tCO₂e）", "电力，基于市场（tCO₂e）")
    return Section("三、分月排放量", (), (Sheet("分月", header, tuple(rows), (1.2, 1.0, 1.0)),))


def _activities(inventory: Inventory) -> Section:
    rows = tuple(
        (
            HEADINGS[line.category], line.factor.item, f"{line.base_quantity.normalize():f}", line.factor.base,
            f"{line.factor.edition}/{line.factor.region}", tonnes(line.grams),
        )
        for line in inventory.lines
    )  # fmt: skip
    header = ("排放类别", "活动", "活动数据", "单位", "因子", "排放量（tCO₂e）")
    return Section("四、活动数据", (), (Sheet("活动数据", header, rows, (1.7, 1.6, 1.0, 0.6, 1.3, 1.0)),))


def _factors(inventory: Inventory) -> Section:
    used = dict.fromkeys(line.factor for line in inventory.lines)
    rows = tuple(
        (f"{f.item}/{f.region}", f"{f.kg.normalize():f}", f"kgCO₂e/{f.base}", str(f.year), f.edition, f.source)
        for f in used
    )
    rows += tuple(
        (
            f"{f.item}/{f.region}",
            f"{f.kg.normalize():f}",
            f"kgCO₂e/{f.base}",
            str(f.year),
            f.edition,
            "同一版本，基于市场的方法",
        )
        for f in inventory.residuals
    )
    header = ("因子", "数值", "单位", "年份", "版本", "来源")
    return Section("五、排放因子及来源", (), (Sheet("排放因子", header, rows, (1.6, 1.0, 1.0, 0.6, 1.1, 2.6)),))


def _certificates(content: ReportContent) -> Section:
    inventory, ends = content.inventory, {End.RETIRED: "已注销", End.SOLD: "已出售", None: "持有"}
    rows = tuple(
        (each.number, f"{each.month:%Y-%m}", str(each.mwh), ends[each.end], str(each.year or ""))
        for each in content.certificates
    )
    said = (
        f"购入电量 {inventory.bought_kwh.normalize():f} kWh，自发自用可再生电量 {inventory.own_kwh.normalize():f} kWh；"
        f"本年度注销绿证 {inventory.cover.offered:f} kWh，实际抵扣 {inventory.cover.used:f} kWh；"
        f"绿证已出售而不再计为绿电的自发自用电量 {inventory.cover.given_away:f} kWh。"
        "未被绿证覆盖的电量按剩余组合因子（不包括市场化交易的非化石能源电量）计算。"
    )
    header = ("编号", "生产月份", "MWh", "状态", "用于年度")
    tables = (Sheet("绿证", header, rows, (2.0, 1.0, 0.8, 1.0, 0.8)),) if rows else ()
    return Section("六、绿色电力证书与基于市场的结果", (said,), tables)


def _quality(content: ReportContent) -> Section:
    replaced = sum(bool(row["replaced_by"]) for row in content.records)
    bare = sum(not row["replaced_by"] and not row["evidence_sha256"] for row in content.records)
    missing = "、".join(f"{month.month} 月" for month in content.missing)
    said = [
        f"本年度共 {len(content.records)} 条记录，其中 {replaced} 条已被更正记录取代，不计入排放量；全部记录见 records.csv。",
        f"无证据文件的有效记录：{bare} 条。",
    ]
    if missing:
        said.append(f"没有外购电力记录的月份：{missing}。这些月份未以估计值填补。")
    return Section("七、数据质量与更正", tuple(said))


def _evidence(content: ReportContent) -> Section:
    rows = tuple((row["name"], row["sha256"], str(row["records"])) for row in content.evidence)
    tables = (Sheet("证据", ("文件", "SHA-256", "记录数"), rows, (1.6, 3.6, 0.6)),) if rows else ()
    return Section("八、证据文件清单", () if rows else ("本年度记录没有附证据文件。",), tables)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue().encode("utf-8-sig")


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_RISKY) else value
