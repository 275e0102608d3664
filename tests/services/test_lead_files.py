"""The files made from a lead report: nothing in them that is not in their evidence, one typeface, the same bytes."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import docx
import openpyxl
import pytest
from lxml import etree  # type: ignore[import-untyped]
from pptx import Presentation

from services.gateways.company_files import open_company_file
from services.gateways.lead_files import EVIDENCE_HEADER, render_files
from services.gateways.lead_model import Ranker
from services.gateways.lead_report import lead_report
from services.gateways.leads_documents import render_documents
from services.gateways.office_files import FONT
from services.gateways.positions import locate
from services.gateways.sectioned_documents import Section, Sheet
from services.rules.demo_companies import demo_companies
from services.rules.leads import Brief, Logistics
from services.rules.limits import Limit
from services.rules.ranking.listing import rank_leads
from services.rules.ranking.measures import Chance, ListScores

TODAY = date(2026, 3, 2)
BRIEF = Brief(
    "510104", ("39",), ("储能系统",), 100, 50, exclude_own_region=True, exclusions=("191",), limits=(Limit.DUST,),
    land_price_fen_per_mu=18_000_000, power_kva=20_000, electricity_yuan_per_kwh=0.6123,
    logistics=Logistics(motorway_km=3, rail_freight_km=12.5), budget_fen=500_000_000,
)  # fmt: skip
COMPANIES = list(open_company_file(demo_companies(as_of=TODAY), default_as_of=TODAY).rows())
NAMES = [company.name for company in COMPANIES]
RANKING = rank_leads(BRIEF, COMPANIES, locate, TODAY)
WITH_CHANCES = replace(
    RANKING, leads=tuple(replace(lead, chance=Chance(1, 50, 17, 800, 365)) for lead in RANKING.leads)
)
SCORES = {
    name: ListScores(ndcg=ndcg, precision=0.034, recall=0.3, places=51, positives=640)
    for name, ndcg in (("heuristic", 0.0491), ("linear", 0.0622))
}
RANKERS = {
    "plain": None,
    "linear": Ranker("linear", SCORES, 3120, 365),
    "unused": Ranker("heuristic", SCORES, 3120, 365),
}
NO_POSITIONING: dict[str, Any] = {"chosen": [], "industries": [], "statements": [], "method": {}, "evidence": {}}
ID = re.compile(r"\bE[0-9]+\b", re.ASCII)
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
NUMBER = re.compile(r"[0-9][0-9,]*(?:\.[0-9]+)?")
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def _slides(content: bytes) -> Iterator[str]:
    for slide in Presentation(io.BytesIO(content)).slides:
        for shape in slide.shapes:
            if shape.has_table:
                yield from ("\n".join(cell.text for cell in row.cells) for row in shape.table.rows)
            elif shape.has_text_frame:
                yield from (paragraph.text for paragraph in shape.text_frame.paragraphs)


def _letters(content: bytes) -> Iterator[str]:
    document = docx.Document(io.BytesIO(content))
    yield from (paragraph.text for paragraph in document.paragraphs)
    for table in document.tables:
        yield from ("\n".join(cell.text for cell in row.cells) for row in table.rows)


def _reasons(content: bytes) -> Iterator[str]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    yield from (str(row[9].value) for row in book.worksheets[0].iter_rows(min_row=2))
    yield from ("\n".join(str(cell.value) for cell in row) for row in book["证据"].iter_rows())


def _not_in_evidence(text: str, evidence: dict[str, dict[str, str]]) -> set[str]:
    """Return what a unit of text says beyond the facts it cites; beyond all facts where it cites none."""
    cited = ID.findall(text)
    rows = [evidence[key] for key in cited] if cited else list(evidence.values())
    known = "\n".join(value for row in rows for value in row.values())
    bare = ID.sub("", text)
    found = {each for pattern in (DATE, NUMBER) for each in set(pattern.findall(bare)) - set(pattern.findall(known))}
    return found | {name for name in NAMES if name in text and name not in known}


@pytest.mark.parametrize("kind", RANKERS)
def test_every_company_number_and_date_of_every_file_is_in_the_facts_its_sentence_cites(kind: str) -> None:
    ranker = RANKERS[kind]
    files = render_documents(BRIEF, RANKING if ranker is None else WITH_CHANCES, TODAY, ranker, NO_POSITIONING)
    evidence = json.loads(files["report.json"])["evidence"]
    for name, read in (("deck.pptx", _slides), ("letters.docx", _letters), ("leads.xlsx", _reasons)):
        units = [text for text in read(files[name]) if text and text.split("\n") != list(EVIDENCE_HEADER)]
        assert len(units) > 50
        for text in units:
            assert _not_in_evidence(text, evidence) == set(), (name, text)
        table = {
            row[0]: row[1:] for row in (text.split("\n") for text in units) if len(row) == 5 and ID.fullmatch(row[0])
        }
        cited = {key for text in units for key in ID.findall(text)}
        assert cited == set(table), "each file resolves what it cites, and nothing else"
        for key, row in table.items():
            assert row == [evidence[key][field] for field in ("about", "field", "value", "as_of")]


def test_the_check_would_notice_a_number_a_date_and_a_company_that_are_not_cited() -> None:
    evidence = {"E1": {"about": "x", "field": "founded_on", "value": "2011-01-09", "as_of": "2026-03-02"}}
    assert _not_in_evidence("成立于 2011-01-09〔E1〕。", evidence) == set()
    for text in ("成立于 2011-01-08〔E1〕。", "成立于 2011-03-09〔E1〕。", "有 5 次〔E1〕。", f"{NAMES[0]}〔E1〕。"):
        assert _not_in_evidence(text, evidence)


def test_a_letter_tells_a_company_nothing_that_is_the_parks_own_business() -> None:
    text = "\n".join(_letters(render_documents(BRIEF, WITH_CHANCES, TODAY, None, NO_POSITIONING)["letters.docx"]))
    for ours in ("预算", "得分", "百分位", "回测", "不接受", "排除"):
        assert ours not in text
    assert "可用面积：100 亩" in text


def test_reasons_carry_the_id_of_their_fact() -> None:
    files = render_documents(BRIEF, RANKING, TODAY, None, NO_POSITIONING)
    evidence = json.loads(files["report.json"])["evidence"]
    for lead in json.loads(files["leads.json"]):
        for reason in lead["reasons"]:
            fact, found = reason["evidence"], evidence[reason["evidence"]["id"]]
            assert (found["about"], found["field"], found["value"], found["as_of"]) == (
                fact["uscc"], fact["field"], fact["value"], fact["as_of"],
            )  # fmt: skip


def test_every_text_has_the_east_asian_typeface_and_no_clock_is_in_a_file() -> None:
    first, again = (render_documents(BRIEF, RANKING, TODAY, None, NO_POSITIONING) for _ in range(2))
    assert first == again
    assert first["plan.pdf"].startswith(b"%PDF")
    for name in ("deck.pptx", "letters.docx"):
        with zipfile.ZipFile(io.BytesIO(first[name])) as package:
            assert {entry.date_time for entry in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            assert not [each for each in package.namelist() if "thumbnail" in each]
            parts = {each: etree.fromstring(package.read(each)) for each in package.namelist() if each.endswith(".xml")}
        themes = [tree for each, tree in parts.items() if "/theme/theme1.xml" in each]
        (scheme,) = (tree.find(f".//{A}fontScheme") for tree in themes)
        assert {ea.get("typeface") for ea in scheme.iter(f"{A}ea")} == {FONT}
        core: Any = (Presentation if name == "deck.pptx" else docx.Document)(io.BytesIO(first[name])).core_properties
        assert (core.created.date(), core.modified.date(), core.author) == (TODAY, TODAY, "")
        for each, tree in parts.items():
            for run in tree.iter(f"{A}r") if each.startswith("ppt/slides/") else ():
                properties = run.find(f"{A}rPr")
                assert properties.find(f"{A}ea").get("typeface") == FONT
                assert properties.get("lang") == "zh-CN"
            for fonts in tree.iter(f"{W}rFonts") if each in {"word/styles.xml", "word/document.xml"} else ():
                assert fonts.get(f"{W}eastAsia") == FONT
                assert not [key for key in fonts.keys() if key.endswith("Theme")]  # noqa: SIM118 - an lxml element


def test_further_sections_stand_in_the_slides_with_the_rows_they_cite() -> None:
    sheet = Sheet("产业定位", ("位次", "行业"), (("1", "计算机"),), (1.0, 3.0))
    report = lead_report(
        BRIEF,
        RANKING,
        None,
        TODAY,
        [Section("产业定位", ("建议定位：计算机〔companies:39〕。",), (sheet,))],
        {"companies:39": {"about": "registry", "field": "companies:39", "value": "here 7", "as_of": "2026-03-02"}},
    )
    units = list(_slides(render_files(report)["deck.pptx"]))
    assert "建议定位：计算机〔companies:39〕。" in units
    assert "companies:39\nregistry\ncompanies:39\nhere 7\n2026-03-02" in units
    assert "1\n计算机" in units
