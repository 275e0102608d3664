"""Leads: who is listed, in which order, with which reasons; and what the reader of registries takes and leaves."""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc

from services.formats.brief import brief_schema, read_brief
from services.gateways.company_files import open_company_file
from services.gateways.leads_documents import render_documents
from services.gateways.positioning_documents import positioning_document
from services.gateways.positions import locate
from services.rules.companies import Company, distance_km
from services.rules.company_cells import is_plain_uscc
from services.rules.demo_companies import demo_companies, demo_uscc
from services.rules.leads import Brief, Ranking, brief_words, score_of
from services.rules.limits import Limit
from services.rules.ranking.listing import rank_leads
from services.usecases.leads_alone import leads_command
from tenants.kernel.errors import Conflict, Invalid, Problem

TODAY = date(2026, 3, 2)
REQUEST = {
    "region_code": "510104",
    "industries": ["39"],
    "area_mu": 100,
    "keywords": ["储能系统"],
    "date": "2026-03-02",
}
BRIEF = Brief("510104", ("39",), ("储能系统",), 100, 50, exclude_own_region=True)


def company(number: int, **changes: Any) -> Company:
    made = Company(
        uscc=demo_uscc("330100", number),
        as_of=TODAY,
        name=f"甲{number}有限公司",
        region_code="330100",
        industry_code="3982",
        expansions=number % 7,
        scope="电子元器件",
        active=True,
    )
    return replace(made, **changes)


CROWD = [company(number) for number in range(300)]


def test_the_demo_registry_is_read_without_refusals_and_repeats_exactly() -> None:
    content = demo_companies(as_of=TODAY)
    assert content == demo_companies(as_of=TODAY)
    registry = open_company_file(content, default_as_of=TODAY)
    rows = list(registry.rows())
    assert len(rows) == 3000
    assert len({row.uscc for row in rows}) == 3000
    assert registry.reasons.total() == 0
    for division in ("39", "38", "27", "35", "36", "26", "14", "17", "65", "59"):
        assert len(rank_leads(replace(BRIEF, divisions=(division,)), rows, locate, TODAY).leads) == 50


def test_every_score_is_the_formula_and_the_order_follows_it() -> None:
    ranking = rank_leads(BRIEF, CROWD, locate, TODAY)
    scores = [lead.score for lead in ranking.leads]
    assert scores == sorted(scores, reverse=True)
    first, here, there = ranking.leads[0], locate("510104"), locate("330100")
    assert here is not None
    assert there is not None
    assert first.score == round(score_of(6, distance_km(here, there)), 6)
    assert 1500 < first.distance_km < 1600  # Chengdu to Hangzhou
    assert [lead.rank for lead in ranking.leads] == list(range(1, 51))


@given(st.randoms(use_true_random=False))
def test_row_order_and_repetition_change_nothing(chance: random.Random) -> None:
    shuffled = CROWD + CROWD[:50]
    chance.shuffle(shuffled)
    ranking = rank_leads(BRIEF, shuffled, locate, TODAY)
    assert ranking.leads == rank_leads(BRIEF, CROWD, locate, TODAY).leads


def test_inactive_companies_and_the_parks_own_region_never_appear() -> None:
    gone = company(900, expansions=99, active=False)
    neighbour = company(901, expansions=99, region_code="510107")
    stale = company(902, expansions=99)
    closed = replace(stale, active=False, as_of=TODAY + timedelta(days=1))
    listed = rank_leads(BRIEF, [gone, neighbour, stale, closed, *CROWD], locate, TODAY + timedelta(days=1)).leads
    assert {gone.uscc, neighbour.uscc, stale.uscc}.isdisjoint(lead.company.uscc for lead in listed)
    at_home = rank_leads(replace(BRIEF, exclude_own_region=False), [neighbour, *CROWD], locate, TODAY).leads
    assert at_home[0].company == neighbour


def _eligible(ranking: Ranking) -> list[Company]:
    return [ranking.registry.company(row) for row in ranking.eligible.tolist()]


def test_a_related_scope_makes_eligible_and_the_reason_quotes_the_row() -> None:
    related = company(903, industry_code="3841", scope="锂电池、储能系统的制造", expansions=50)
    stranger = company(904, industry_code="5210", scope="日用百货零售", expansions=50)
    ranking = rank_leads(BRIEF, [related, stranger, *CROWD], locate, TODAY)
    assert stranger not in _eligible(ranking)
    reasons = {reason.code: reason for reason in ranking.leads[0].reasons}
    assert set(reasons) == {"EXPANSIONS", "SCOPE", "DISTANCE"}
    assert "储能系统" in str(reasons["SCOPE"].text)
    assert reasons["SCOPE"].value == related.scope
    assert reasons["EXPANSIONS"].as_of == TODAY
    assert "计算机" in brief_words(BRIEF)


@pytest.mark.parametrize(
    ("rows", "today", "code"),
    [
        ([], TODAY, "leads.no_registry"),
        (CROWD[:199], TODAY, "leads.too_few_companies"),
        (CROWD, TODAY + timedelta(days=181), "leads.registry_too_old"),
    ],
)
def test_a_list_not_worth_its_price_is_refused(rows: list[Company], today: date, code: str) -> None:
    with pytest.raises(Conflict) as refused:
        rank_leads(BRIEF, rows, locate, today)
    assert refused.value.code == code
    assert "不计费" in str(refused.value.message)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"area_mu": 0}, "request.area_mu"),
        ({"area_mu": float("nan")}, "request.area_mu"),
        ({"industries": []}, "request.industries"),
        ({"industries": ["39", "38", "27", "26"]}, "request.industries"),
        ({"industries": ["99"]}, "request.industries"),
        ({"exclusions": ["9x"]}, "request.exclusions"),
        ({"exclusions": ["C39"]}, "request.exclusions"),
        ({"industries": ["26"], "limits": ["chemicals"]}, "request.limits"),
        ({"limits": ["noise"]}, "request.limits[0]"),
        ({"region_code": "999999"}, "request.region_code"),
        ({"count": 10}, "request.count"),
        ({"budget": 1}, "request.budget"),
        ({"budget_fen": -1}, "request.budget_fen"),
        ({"land_price_fen_per_mu": 1.5}, "request.land_price_fen_per_mu"),
        ({"electricity_yuan_per_kwh": "0"}, "request.electricity_yuan_per_kwh"),
        ({"logistics": {"rail_freight_km": -3}}, "request.logistics.rail_freight_km"),
    ],
)
def test_a_bad_brief_names_the_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_brief({"region_code": "510104", "industries": ["39"], "area_mu": 100} | change)
    assert [error.field for error in refused.value.errors] == [field]


WHOLE = {
    "region_code": "510104",
    "industries": ["C39"],
    "exclusions": ["191", "C3843"],
    "limits": ["dust", "heavy_metals"],
    "area_mu": 100,
    "land_price_fen_per_mu": 18_000_000,
    "rent_fen_per_m2_month": 1200,
    "power_kva": 20_000,
    "electricity_yuan_per_kwh": "0.6123",
    "logistics": {"motorway_km": 3, "rail_freight_km": 12.5},
    "budget_fen": 500_000_000,
}


def test_a_whole_brief_is_read_with_units_and_fits_its_schema() -> None:
    full, brief = read_brief(WHOLE)
    assert (brief.exclusions, brief.limits) == (("191", "3843"), (Limit.DUST, Limit.HEAVY_METALS))
    assert (brief.electricity_yuan_per_kwh, brief.logistics.rail_freight_km) == (0.6123, 12.5)
    assert full["electricity_yuan_per_kwh"] == "0.6123"
    schema = brief_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for document in (WHOLE, json.loads(json.dumps(full))):
        jsonschema.validate(document, schema)
    assert not jsonschema.Draft202012Validator(schema).is_valid(WHOLE | {"area_mu": 0})


def test_excluded_industries_and_what_the_environment_does_not_bear_never_appear() -> None:
    acid = [company(500 + number, industry_code="3985", expansions=90) for number in range(5)]
    lead = [company(600 + number, industry_code="3843", scope="储能系统", expansions=90) for number in range(5)]
    unlimited = rank_leads(BRIEF, [*CROWD, *acid, *lead], locate, TODAY).leads
    assert {each.company.industry_code for each in unlimited[:10]} == {"3985", "3843"}
    limited = replace(BRIEF, exclusions=("3985",), limits=(Limit.HEAVY_METALS,))
    ranking = rank_leads(limited, [*CROWD, *acid, *lead], locate, TODAY)
    assert {each.industry_code for each in _eligible(ranking)} == {"3982"}
    with pytest.raises(Conflict):
        rank_leads(replace(BRIEF, exclusions=("398",)), CROWD, locate, TODAY)


def test_a_brief_in_full_form_reads_the_same_again() -> None:
    full, brief = read_brief({"region_code": "510104", "industries": ["3982", "C39"], "area_mu": 100})
    assert brief.divisions == ("39",)
    assert read_brief(json.loads(json.dumps(full))) == (full, brief)


def registry(*rows: dict[str, object], encoding: str = "utf-8-sig") -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode(encoding)


def row(**changes: object) -> dict[str, object]:
    return {
        "企业名称": "甲有限公司",
        "统一社会信用代码": demo_uscc("330100", 1),
        "所属地区": "浙江省杭州市",
        "行业代码": "C3982",
        "成立日期": "2019年5月6日",
        "注册资本": "1,200.5万元人民币",
        "经营状态": "存续（在营、开业、在册）",
        "经营范围": "电子元器件",
        "异地扩张次数": "2",
        "法定代表人": "某人",
        "电话": "0",
    } | changes


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_chinese_headers_units_and_encodings_are_understood(encoding: str) -> None:
    file = open_company_file(registry(row(), encoding=encoding), default_as_of=TODAY)
    (found,) = file.rows()
    assert (found.region_code, found.industry_code, found.founded_on) == ("330100", "3982", date(2019, 5, 6))
    assert (found.capital_fen, found.expansions, found.active, found.as_of) == (1_200_500_000, 2, True, TODAY)
    assert file.dropped == ("法定代表人",)
    assert "某人" not in repr(found)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"统一社会信用代码": "91330100YY0000010X"}, "bad_uscc"),
        ({"所属地区": "乌有乡"}, "unknown_region"),
        ({"行业代码": "9999"}, "unknown_industry"),
        ({"成立日期": "2030-01-01"}, "founded_in_future"),
        ({"成立日期": "昨天"}, "bad_date"),
        ({"异地扩张次数": "-1"}, "bad_expansions"),
        ({"注册资本": "-5万元"}, "bad_capital"),
        ({"注册资本": "99999999亿元"}, "bad_capital"),
        ({"经营状态": "甲有限公司"}, "unknown_status"),
        ({"企业名称": ""}, "bad_name"),
    ],
)
def test_rows_that_cannot_be_right_are_set_aside_with_the_reason(change: dict[str, object], reason: str) -> None:
    file = open_company_file(registry(row(), row(**change)), default_as_of=TODAY)
    assert len(list(file.rows())) == 1
    assert [(each.row, each.reason) for each in file.refused] == [(3, reason)]


@given(st.integers(0, 999_999), st.integers(0, 17), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXYIOSVZ"))
def test_the_quick_check_of_credit_codes_agrees_with_the_library(number: int, place: int, character: str) -> None:
    code = demo_uscc("330100", number)
    assert is_plain_uscc(code)
    changed = code[:place] + character + code[place + 1 :]
    assert is_plain_uscc(changed) == uscc.is_valid(changed)


def test_what_is_no_registry_is_refused() -> None:
    for content in (b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"PK\x03\x04rest", b'name,uscc,region\n"' + b"x" * 200_000):
        with pytest.raises(Invalid):
            list(open_company_file(content, default_as_of=TODAY).rows())


def test_a_workbook_is_read_like_a_csv() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(row()))
    sheet.append(list(row().values()))
    stream = io.BytesIO()
    book.save(stream)
    from_book = list(open_company_file(stream.getvalue(), default_as_of=TODAY).rows())
    assert from_book == list(open_company_file(registry(row()), default_as_of=TODAY).rows())


def test_a_companys_name_never_becomes_a_formula_or_markup() -> None:
    evil = [replace(each, name='=HYPERLINK("x")<script>') for each in CROWD]
    files = render_documents(BRIEF, rank_leads(BRIEF, evil, locate, TODAY), TODAY, None, positioning_document(None))
    book = openpyxl.load_workbook(io.BytesIO(files["leads.xlsx"]))
    assert book.worksheets[0]["B2"].data_type == "s"
    assert ",'=HYPERLINK" in files["leads.csv"].decode("utf-8-sig").replace('"', "")
    assert b"<script>" not in files["plan.html"]


def test_the_engine_alone_writes_the_same_files_for_the_same_rows(tmp_path: Path) -> None:
    lines = demo_companies(as_of=TODAY).decode().splitlines()
    backwards = [lines[0], *reversed(lines[1:]), *lines[1:20]]
    (tmp_path / "request.json").write_text(json.dumps(REQUEST), encoding="utf-8")
    written = []
    for name, content in (("a", lines), ("b", backwards)):
        (tmp_path / f"{name}.csv").write_text("\n".join(content), encoding="utf-8")
        result = leads_command(tmp_path / "request.json", tmp_path / f"{name}.csv", tmp_path / name)
        written.append({each.name: each.read_bytes() for each in (tmp_path / name).iterdir()})
        assert dict(result.files) == written[-1]
    assert written[0]["leads.json"] == written[1]["leads.json"]
    assert written[0]["leads.xlsx"] == written[1]["leads.xlsx"]
    rows = json.loads(written[0]["leads.json"])
    assert {"rank", "uscc", "name", "score", "percentile", "reasons"} <= set(rows[0])
    assert all(reason["evidence"]["as_of"] for each in rows for reason in each["reasons"])


def test_the_engine_alone_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    for content in ("", "[]", '{"region_code"', json.dumps(REQUEST | {"date": "never"}), json.dumps(REQUEST)):
        request.write_text(content, encoding="utf-8")
        with pytest.raises(Problem):
            leads_command(request, tmp_path / "none.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()
