"""A positioning as ``positioning.json``, with every row that its sentences cite, and as sections of the lead report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from services.gateways.sectioned_documents import Section, Sheet
from services.rules.industries import DIVISIONS
from services.rules.positioning.decision import FEWEST_COMPANIES, PARTS, Industry, Positioning
from services.rules.positioning.fit import DemandTable
from services.rules.positioning.linkage import InputOutputTable
from services.rules.positioning.origin import Origin
from services.rules.positioning.statements import (
    PART_NAMES,
    Statement,
    general_statements,
    industry_statements,
    words_of,
)
from services.rules.positioning.structure import Structure

METHOD = {
    "score": "各项评分（0–1）按相等权重的平均，缺项的权重分给其余各项；倍数 x 记为 x/(1 + x)，与平常相同为 0.5 · Dawes 1979",
    "location": "企业数区位商 O/E，向 1 收缩：1 + C(O/E − 1)，C = A/(A + 1/E)，A 为矩估计 · Marshall 1991",
    "growth": "近三年设立数与其期望之比，收缩同上；期望为该行业六年设立数乘以全部行业的近三年占比",
    "linkage": "本市可供应的中间投入与可吸纳的中间产品份额的平均，r = min(1, 区位商)，不含部门内部流量 · Miller & Blair 2009, 8.2",
    "fit": "园区条件满足行业需求的程度，各项取 min(1, 供/需) 的平均",
}
"""How each figure is worked out, and who published it."""
_SHOWN = 10
"""Industries in the report's table, beside the wanted ones."""


def positioning_document(found: Positioning | None) -> dict[str, Any]:
    """Return ``positioning.json``: what was chosen, why, whether it stands, and the rows that are cited."""
    general = [_statement(each) for each in general_statements(found)]
    document: dict[str, Any] = {
        "chosen": [],
        "industries": [],
        "statements": general,
        "method": METHOD,
        "evidence": {},
    }
    if found is None:
        return document
    industries = [_industry(place, each, found) for place, each in enumerate(found.industries, start=1)]
    cited = {
        key for each in (*general, *(s for one in industries for s in one["statements"])) for key in each["evidence"]
    }
    document |= {
        "region_code": found.structure.region,
        "as_of": found.structure.as_of.isoformat(),
        "chosen": list(found.chosen),
        "industries": industries,
        "weights": {part: round(weight, 6) for part, weight in found.weights.items()},
        "absent": dict(found.absent),
        "sensitivity": [
            {
                "part": each.part,
                "factor": each.factor,
                "chosen": list(each.chosen),
                "stable": set(each.chosen) == set(found.chosen),
            }
            for each in found.variations
        ],
        "tables": {
            "input_output": found.table and _origin(found.table.origin),
            "industry_demands": found.demands and _origin(found.demands.origin),
        },
        "evidence": {key: value for key, value in _evidence(found) if key in cited},
    }
    return document


def positioning_sections(document: Mapping[str, Any]) -> list[Section]:
    """Return the report's sections, of the document that the park is given too."""
    chosen = document["chosen"]
    names = "、".join(DIVISIONS[code] for code in chosen)
    head = [f"建议定位：{names}。"] if chosen else []
    sections = [Section("产业定位", (*head, *(_told(each) for each in document["statements"])), _tables(document))]
    for one in document["industries"]:
        if one["division"] in chosen or one["preferred"]:
            title = f"{one['name']}（第 {one['rank']} 位，得分 {one['score']:.2f}）"
            sections.append(Section(title, tuple(_told(each) for each in one["statements"])))
    if chosen:
        method = tuple(f"{_part_name(part)}：{text}。" for part, text in document["method"].items())
        sections.append(Section("定位方法", method))
    return sections


def sections_html(sections: Iterable[Section]) -> str:
    """Return sections as HTML, everything in them escaped."""
    parts = []
    for section in sections:
        parts.append(f"<h2>{escape(section.heading)}</h2>")
        parts += [f"<p>{escape(text)}</p>" for text in section.paragraphs]
        for sheet in section.tables:
            head = "".join(f"<th>{escape(cell)}</th>" for cell in sheet.header)
            rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in sheet.rows)
            parts.append(f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>")
    return "\n".join(parts)


def _tables(document: Mapping[str, Any]) -> tuple[Sheet, ...]:
    if not document["industries"]:
        return ()
    parts = [part for part in PARTS if part in document["weights"]]
    rows = [
        (str(one["rank"]), one["name"], "是" if one["preferred"] else "", f"{one['score']:.2f}",
         *(_mark(one["parts"][part]["mark"]) for part in parts))
        for one in document["industries"]
        if one["rank"] <= _SHOWN or one["preferred"]
    ]  # fmt: skip
    header = ("位次", "行业", "意向", "得分", *(str(PART_NAMES[part]) for part in parts))
    return (Sheet("产业定位", header, tuple(rows), (0.5, 3.0, 0.6, 0.7, *(1.0 for _ in parts))),)


def _mark(mark: float | None) -> str:
    return "—" if mark is None else f"{mark:.2f}"


def _part_name(part: str) -> str:
    return next((str(name) for code, name in PART_NAMES.items() if code == part), "得分")


def _told(statement: Mapping[str, Any]) -> str:
    cited = "、".join(statement["evidence"])
    text = str(words_of(statement["code"], statement["values"]))
    return f"{text}〔{cited}〕" if cited else text


def _industry(rank: int, industry: Industry, found: Positioning) -> dict[str, Any]:
    return {
        "rank": rank,
        "division": industry.division,
        "name": DIVISIONS[industry.division],
        "score": round(industry.score, 6),
        "preferred": industry.preferred,
        "chosen": industry.division in found.chosen,
        "parts": {
            part: {"measure": _rounded(industry.measures[part]), "mark": _rounded(industry.marks[part])}
            for part in PARTS
        },
        "statements": [_statement(each) for each in industry_statements(industry, found)],
    }


def _statement(statement: Statement) -> dict[str, Any]:
    return {
        "code": statement.code,
        "values": dict(statement.values),
        "text": str(statement.text),
        "evidence": list(statement.evidence),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _origin(origin: Origin) -> dict[str, Any]:
    return {"name": origin.name, "year": origin.year, "licence": origin.licence, "sha256": origin.sha256}


def _evidence(found: Positioning) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield every row that a sentence may cite, by its id."""
    yield "weights", {"source": "method", "weights": dict(found.weights), "factors": [0.8, 1.2]}
    yield from _registry_rows(found.structure)
    if found.table:
        yield from _flows(found.table)
    if found.demands:
        yield from _demands(found.demands)


def _registry_rows(structure: Structure) -> Iterable[tuple[str, dict[str, Any]]]:
    whole = structure.counts.values()
    about = {"source": "registry", "as_of": structure.as_of.isoformat(), "fewest": FEWEST_COMPANIES}
    totals = {
        "all_here": sum(each.here for each in whole),
        "all_everywhere": sum(each.everywhere for each in whole),
    }
    years = {"recent_years": list(structure.recent_years), "years_before": list(structure.years_before)}
    founded = {"all_recent": sum(each.recent for each in whole), "all_before": sum(each.before for each in whole)}
    for code, each in structure.counts.items():
        here = {"region_code": structure.region, "division": code, "here": each.here, "everywhere": each.everywhere}
        yield f"companies:{code}", about | here | totals
        yield (
            f"foundings:{code}",
            about | {"division": code, "recent": each.recent, "before": each.before} | founded | years,
        )


def _flows(table: InputOutputTable) -> Iterable[tuple[str, dict[str, Any]]]:
    about = {
        "source": "input_output",
        "table": table.origin.name,
        "year": table.origin.year,
        "sha256": table.origin.sha256,
    }
    for seller, row in zip(table.sectors, table.flows, strict=True):
        for buyer, value in zip(table.sectors, row, strict=True):
            flow = {
                "from": seller.code,
                "from_name": seller.name,
                "to": buyer.code,
                "to_name": buyer.name,
                "value": value,
            }
            yield f"flow:{seller.code}>{buyer.code}", about | flow


def _demands(table: DemandTable) -> Iterable[tuple[str, dict[str, Any]]]:
    for each in table.rows.values():
        about = {"source": "industry_demands", "table": table.origin.name, "sha256": table.origin.sha256}
        yield (
            f"demands:{each.row}",
            about | {name: value for name, value in vars(each).items() if name != "source"} | {"cited": each.source},
        )
