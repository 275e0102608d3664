"""The documents of a lead list: JSON, a table as XLSX and CSV, a plan to read, and what ``lead_files`` makes of the report.

The same list, the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from html import escape
from typing import Any

import xlsxwriter

from services.gateways.brief_text import brief_facts
from services.gateways.lead_files import evidence_sheet, render_files
from services.gateways.lead_model import Ranker
from services.gateways.lead_report import lead_report
from services.gateways.positioning_documents import positioning_sections, sections_html
from services.gateways.sectioned_documents import Section, Sheet
from services.rules.evidence import marked
from services.rules.leads import Brief, Lead, Ranking
from services.rules.ranking.measures import Chance
from tenants.rules.regions import region_name

HEADER = (
    "序号",
    "企业名称",
    "统一社会信用代码",
    "所在地",
    "行业代码",
    "异地扩张次数",
    "距离（公里）",
    "得分",
    "百分位",
    "理由",
    "数据截至",
    "回测落户比例",
)
REPORT = "report.json"
_RISKY = ("=", "+", "-", "@", "\t", "\r")
_WIDTHS = (6, 36, 22, 26, 10, 12, 12, 10, 10, 60, 12, 26)
_STYLE = """
body{font:16px/1.7 system-ui,"Noto Sans SC",sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2433}
table{border-collapse:collapse;width:100%;font-size:.9rem}td,th{border-bottom:1px solid #d8dee9;padding:.4rem;text-align:left;
vertical-align:top}th{background:#f4f6fa}small{color:#5b6577}
"""


def lead_rows(leads: Sequence[Lead]) -> list[dict[str, Any]]:
    """Return the leads as JSON values; each reason names the field of the row that it stands on, and as of when."""
    return [
        {
            "rank": lead.rank,
            "uscc": lead.company.uscc,
            "name": lead.company.name,
            "region_code": lead.company.region_code,
            "region": region_name(lead.company.region_code),
            "industry_code": lead.company.industry_code,
            "expansions": lead.company.expansions,
            "distance_km": lead.distance_km,
            "score": lead.score,
            "percentile": lead.percentile,
            "chance": None if lead.chance is None else _chance(lead.chance),
            "as_of": lead.company.as_of.isoformat(),
            "reasons": [
                {
                    "code": reason.code,
                    "text": str(reason.text),
                    "evidence": {
                        "uscc": lead.company.uscc,
                        "field": reason.field,
                        "value": reason.value,
                        "as_of": reason.as_of.isoformat(),
                    },
                    **({} if reason.weight is None else {"weight": reason.weight}),
                }
                for reason in lead.reasons
            ],
        }
        for lead in leads
    ]


def render_documents(
    brief: Brief, ranking: Ranking, today: date, ranker: Ranker | None, positioning: Mapping[str, Any]
) -> dict[str, bytes]:
    """Return the files by name, without the manifest. ``ranker`` is what ranked, where dated expansions were given;
    ``positioning`` is the document that ``positioning_document`` made. ``today`` is the request's day.
    """
    rows = lead_rows(ranking.leads)
    sections = positioning_sections(positioning)
    report = lead_report(brief, ranking, ranker, today, sections, _facts(positioning))
    table = [_cells(row) for row in rows]
    for row, lead in zip(rows, report["leads"], strict=True):
        for reason, told in zip(row["reasons"], lead["reasons"], strict=True):
            reason["evidence"]["id"] = told["evidence"][0]
    cited = [_with_reasons(cells, lead["reasons"]) for cells, lead in zip(table, report["leads"], strict=True)]
    return {
        "leads.json": json.dumps(rows, ensure_ascii=False, indent=1).encode() + b"\n",
        "positioning.json": json.dumps(positioning, ensure_ascii=False, indent=1).encode() + b"\n",
        "leads.xlsx": _workbook(cited, ranking, sections, evidence_sheet(report)),
        "leads.csv": _csv(table),
        "plan.html": _plan(brief, ranking, ranker, table, sections),
        REPORT: json.dumps(report, ensure_ascii=False, indent=1).encode() + b"\n",
        **render_files(report),
    }


def _facts(positioning: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the rows that a positioning cites, in the form of the report's evidence."""
    return {
        key: {
            "about": row["source"],
            "field": key,
            "value": "；".join(f"{name} {value}" for name, value in row.items() if name not in {"source", "as_of"}),
            "as_of": str(row.get("as_of", row.get("year", ""))),
        }
        for key, row in positioning["evidence"].items()
    }


def _with_reasons(cells: tuple[Any, ...], reasons: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    """Return a row of the list whose reasons name what they stand on."""
    told = "；".join(marked(each["text"], each["evidence"]).rstrip("。") for each in reasons)
    at = HEADER.index("理由")
    return (*cells[:at], told, *cells[at + 1 :])


def _chance(chance: Chance) -> dict[str, Any]:
    """Return a chance with what it stands on."""
    low, high = chance.interval
    return {
        "share": round(chance.share, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "hits": chance.hits,
        "sample": chance.sample,
        "days": chance.days,
    }


def _chance_text(chance: Mapping[str, Any] | None) -> str:
    if chance is None:
        return ""
    share, low, high = (f"{100 * chance[name]:.1f}" for name in ("share", "low", "high"))
    return f"{share}%（{low}–{high}%，{chance['days']} 天内，样本 {chance['sample']}）"


def _cells(row: Mapping[str, Any]) -> tuple[Any, ...]:
    reasons = "；".join(reason["text"].rstrip("。") for reason in row["reasons"])
    return (
        row["rank"], row["name"], row["uscc"], row["region"], row["industry_code"], row["expansions"], row["distance_km"],
        row["score"], row["percentile"], reasons, row["as_of"], _chance_text(row["chance"]),
    )  # fmt: skip


def _workbook(
    table: Sequence[tuple[Any, ...]], ranking: Ranking, sections: Sequence[Section], evidence: Sheet
) -> bytes:
    """A company's name must never become a formula; the date of making is that of the data, so that bytes repeat."""
    target = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(target, options)
    book.set_properties({"title": "招商线索", "created": datetime.combine(ranking.as_of, time())})
    bold, wrap = (
        book.add_format({"bold": True, "bg_color": "#F4F6FA"}),
        book.add_format({"text_wrap": True, "valign": "top"}),
    )
    sheet = book.add_worksheet("招商线索")
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, len(table), len(HEADER) - 1)
    sheet.write_row(0, 0, HEADER, bold)
    for at, width in enumerate(_WIDTHS):
        sheet.set_column(at, at, width)
    for number, cells in enumerate(table, start=1):
        sheet.write_row(number, 0, cells, wrap)
    for section in sections:
        for each in section.tables:
            other = book.add_worksheet(each.name)
            other.set_column(0, len(each.header) - 1, 12)
            other.set_column(1, 1, 36)
            for number, line in enumerate((each.header, *each.rows)):
                other.write_row(number, 0, line, wrap if number else bold)
    proof = book.add_worksheet(evidence.name)
    proof.freeze_panes(1, 1)
    proof.set_column(1, 4, 24)
    for number, cells in enumerate((evidence.header, *evidence.rows)):
        proof.write_row(number, 0, cells, wrap if number else bold)
    book.close()
    return target.getvalue()


def _csv(table: Sequence[tuple[Any, ...]]) -> bytes:
    """With a mark of its encoding, because spreadsheets guess, and with risky beginnings quoted, because they reckon."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(HEADER)
    for cells in table:
        writer.writerow([f"'{cell}" if isinstance(cell, str) and cell.startswith(_RISKY) else cell for cell in cells])
    return stream.getvalue().encode("utf-8-sig")


_METHODS = {"linear": "对数线性模型", "boosted": "对数线性模型加梯度提升树"}


def _basis(ranker: Ranker | None, leads: Sequence[Lead]) -> str:
    """Return what the order rests on, and how well that did in the back-test."""
    plain = "异地扩张经历与到园区的距离，得分 = 3·ln(1 + 异地扩张次数) − ln(距离 + 20)"
    if ranker is None or not ranker.scores:
        return f"排序依据：{plain}。百分位是得分低于该企业的比例。"
    of, heuristic = ranker.scores[ranker.method], ranker.scores["heuristic"]
    told = f"最近 {ranker.window_days} 天、{of.places} 个城市、{of.positives} 次扩张的回测"
    if ranker.method == "heuristic":
        basis = f"排序依据：{plain}。在{told}中，拟合的模型没有更好，故不采用（nDCG@50 为 {of.ndcg:.3f}）。"
    else:
        basis = (
            f"排序依据：用 {ranker.positives} 次有日期的异地扩张拟合的{_METHODS[ranker.method]}"
            f"{'' if ranker.edition is None else f'（模型第 {ranker.edition[0]} 版）'}。"
            f"在{told}中（当时均未见过），前 50 名的 nDCG 为 {of.ndcg:.3f}、命中率 {100 * of.precision:.1f}%；"
            f"只看扩张次数与距离为 {heuristic.ndcg:.3f}、{100 * heuristic.precision:.1f}%。"
        )
    found = any(lead.chance for lead in leads)
    return basis + ("回测落户比例是当时排在同样位次的企业中随后扩张到该市的比例，不是承诺。" if found else "")


def _plan(
    brief: Brief,
    ranking: Ranking,
    ranker: Ranker | None,
    table: Sequence[tuple[Any, ...]],
    sections: Sequence[Section],
) -> bytes:
    facts = "；".join(f"{what}：{told}" for what, told in brief_facts(brief))
    spread = Counter(region_name(lead.company.region_code[:2] + "0000") for lead in ranking.leads)
    places = "、".join(
        f"{escape(place)} {count} 家" for place, count in sorted(spread.items(), key=lambda item: (-item[1], item[0]))
    )
    head = "".join(f"<th>{escape(title)}</th>" for title in HEADER)
    doubt = (
        ""
        if any(lead.chance for lead in ranking.leads)
        else "本名单不含成功概率：在有足够的落地结果之前，数据不支持给出概率。"
    )
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>" for cells in table)
    return f"""<!doctype html>
<html lang="zh"><head><meta charset="utf-8"><title>招商线索与产业定位</title><style>{_STYLE}</style></head><body>
<h1>招商线索与产业定位</h1>
<p>{escape(facts)}。</p>
{sections_html(sections)}
<h2>招商线索</h2>
<p>名录共 {len(ranking.registry)} 家企业，符合条件 {len(ranking.eligible)} 家，以下为{"其中" if any(lead.explored for lead in ranking.leads) else "前"} {len(ranking.leads)} 家，分布于：{places}。</p>
<p>{_basis(ranker, ranking.leads)}
<small>{doubt}名录数据截至 {ranking.as_of.isoformat()}，每条理由均引自名录原始字段。</small></p>
<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>
</body></html>
""".encode()
