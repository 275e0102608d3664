"""The files that a park hands on, made from the report of a lead list: slides, letters and the plan to print.

Every paragraph carries the ids of the facts that it stands on, and each file ends with the table of those that it cites.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from services.gateways.office_files import Deck, pages, render_docx
from services.gateways.sectioned_documents import Section, Sheet, render_pdf
from services.rules.evidence import LANGUAGE_MODEL, marked

MOST_LETTERS = 50
_SLIDE_LIST, _SLIDE_STORIES, _SLIDE_REASONS = 20, 6, 2
_CITED = re.compile("〔([^〕]*)〕")
_IDS = re.compile(r"\bE[0-9]+\b", re.ASCII)
EVIDENCE_HEADER = ("编号", "对象", "字段", "值", "数据截至")
_EVIDENCE_COLUMNS = (0.7, 1.9, 1.6, 4.5, 1.1)

Report = Mapping[str, Any]


def render_files(report: Report) -> dict[str, bytes]:
    """Return ``deck.pptx``, ``letters.docx`` and ``plan.pdf``; the same report, the same bytes."""
    made_on = date.fromisoformat(report["as_of"])
    letters = _letters(report)
    plan = [*_preface(report), *_list(report), *letters]
    return {
        "deck.pptx": _deck(report, made_on),
        "letters.docx": render_docx("招商推介函", _subtitle(report), [*letters, *_evidence(report, letters)], made_on),
        "plan.pdf": render_pdf(report["title"], _subtitle(report), [*plan, *_evidence(report, plan)]),
    }


def _subtitle(report: Report) -> str:
    return f"{report['place']} · 需求日期 {report['date']} · 名录数据截至 {report['as_of']}"


def _told(statements: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(marked(each["text"], each["evidence"]) for each in statements)


_BY_MODEL = "（本段推介语由语言模型改写，所述内容均出自所引证据。）"


def _pitch(lead: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is said to a company, and by whom where that was no template."""
    by_model = lead["pitch"]["by"] == LANGUAGE_MODEL
    return (*_told(lead["pitch"]["sentences"]), *((_BY_MODEL,) if by_model else ()))


def _wording(report: Report) -> tuple[str, ...]:
    """Return who worded the pitches, where a language model worded any."""
    models = [lead["pitch"].get("model", "") for lead in report["leads"] if lead["pitch"]["by"] == LANGUAGE_MODEL]
    if not models:
        return ()
    return (f"推介语中有 {len(models)} 段由语言模型（{models[0]}）改写，并逐段注明；其余由模板生成。",)


def _preface(report: Report) -> list[Section]:
    """Return what the park asked, how the list was made, and what else the report tells."""
    return [
        Section("园区与招商需求", _told(report["brief"])),
        *(_section(each) for each in report["sections"]),
        Section("为什么是这些企业", (*_told(report["basis"]), *_wording(report))),
    ]


def _section(given: Mapping[str, Any]) -> Section:
    tables = tuple(
        Sheet(each["name"], tuple(each["header"]), tuple(map(tuple, each["rows"])), tuple(each["columns"]))
        for each in given["tables"]
    )
    return Section(given["heading"], tuple(given["paragraphs"]), tables)


def _list(report: Report) -> list[Section]:
    return [Section("企业名单", (), (_list_table(report["leads"][:MOST_LETTERS], None),))]


def _list_table(leads: Sequence[Mapping[str, Any]], most_reasons: int | None) -> Sheet:
    rows = tuple(
        (
            str(lead["rank"]),
            lead["name"],
            lead["uscc"],
            lead["region"],
            "".join(_told(lead["reasons"][:most_reasons])),
            "、".join(lead["standing"]["evidence"]),
        )
        for lead in leads
    )
    return Sheet(
        "企业名单",
        ("序号", "企业名称", "统一社会信用代码", "登记地", "理由", "名次依据"),
        rows,
        (0.6, 2.2, 2.3, 1.7, 3.6, 1.5),
    )


def _letters(report: Report) -> list[Section]:
    offer = "".join(_told(report["offer"]))
    return [
        Section(
            f"致：{lead['name']}",
            (
                "".join(_pitch(lead)),
                f"园区可提供的条件如下。{offer}",
                "诚邀贵公司到园区考察洽谈。",
            ),
        )
        for lead in report["leads"][:MOST_LETTERS]
    ]


def _evidence(report: Report, sections: Iterable[Section]) -> list[Section]:
    """Return the table of the facts that some sections cite, in order of their ids."""
    texts = (
        text
        for section in sections
        for text in (*section.paragraphs, *(cell for sheet in section.tables for row in sheet.rows for cell in row))
    )
    return [Section("证据", ("文中〔〕内的编号指向下表。",), (evidence_sheet(report, texts),))]


def evidence_sheet(report: Report, texts: Iterable[str] | None = None) -> Sheet:
    """Return the table of the facts that some texts cite; of all facts for None."""
    known = report["evidence"]
    cited = set(known)
    if texts is not None:
        cited = {key for text in texts for key in (*_IDS.findall(text), *_marks(text))}
    rows = tuple(
        (key, fact["about"], fact["field"], fact["value"], fact["as_of"]) for key, fact in known.items() if key in cited
    )
    return Sheet("证据", EVIDENCE_HEADER, rows, _EVIDENCE_COLUMNS)


def _marks(text: str) -> Iterator[str]:
    for found in _CITED.findall(text):
        yield from found.split("、")


def _deck(report: Report, made_on: date) -> bytes:
    deck = Deck(report["title"], made_on)
    shown: list[str] = []

    def texts(title: str, paragraphs: Sequence[str]) -> None:
        shown.extend(paragraphs)
        deck.texts(title, paragraphs, size=16 if sum(map(len, paragraphs)) < 600 else 12)

    deck.cover(report["title"], [report["place"], f"需求日期 {report['date']}", f"名录数据截至 {report['as_of']}"])
    texts("园区与招商需求", _told(report["brief"]))
    for given in report["sections"]:
        section = _section(given)
        if section.paragraphs:
            texts(section.heading, section.paragraphs)
        for sheet in section.tables:
            for part in pages(sheet, 18, 100):
                deck.table(section.heading, part)
    texts("为什么是这些企业", (*_told(report["basis"]), *_wording(report)))
    listed = _list_table(report["leads"][:_SLIDE_LIST], _SLIDE_REASONS)
    shown += [cell for row in listed.rows for cell in row]
    for part in pages(listed, 22, 110):
        deck.table("企业名单（完整名单见 leads.xlsx）", part, size=10)
    for lead in report["leads"][:_SLIDE_STORIES]:
        texts(
            lead["name"],
            [*_told([lead["standing"]]), *_pitch(lead), "".join(_told(report["offer"]))],
        )
    for part in pages(evidence_sheet(report, shown), 17, 120):
        deck.table("证据", part, size=9)
    return deck.content()
