"""Positioning: the figures by hand, what is absent is said, and nothing but the data changes the answer."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.formats.brief import read_brief
from services.gateways.positioning_documents import positioning_document, positioning_sections, sections_html
from services.gateways.reference_tables import read_demands, read_input_output
from services.rules.companies import Company
from services.rules.demo_companies import demo_uscc
from services.rules.demo_tables import demo_demands, demo_input_output
from services.rules.leads import Brief
from services.rules.limits import Limit
from services.rules.positioning.decision import MOVES, position
from services.rules.positioning.fit import Demand, fit_parts
from services.rules.positioning.linkage import InputOutputTable, Sector, linkages
from services.rules.positioning.origin import Origin
from services.rules.positioning.shrinkage import shrunk_ratios
from services.rules.positioning.structure import Counts, Structure, founding_ratios, location_quotients, structure_of
from services.rules.ranking.registry import build_registry
from tenants.kernel.errors import Invalid

TODAY = date(2026, 3, 2)
BRIEF = Brief("411224", ("14",), (), 100, 50, exclude_own_region=True)
FLOWS = read_input_output(demo_input_output(), name="io")
NEEDS = read_demands(demo_demands(), name="needs")
COUNTS = {
    "14": Counts(here=40, everywhere=400, recent=80, before=60),
    "17": Counts(here=25, everywhere=300, recent=30, before=60),
    "35": Counts(here=10, everywhere=500, recent=90, before=80),
    "38": Counts(here=20, everywhere=400, recent=120, before=40),
    "39": Counts(here=5, everywhere=600, recent=100, before=100),
    "27": Counts(here=0, everywhere=20, recent=4, before=4),
}
STRUCTURE = Structure("4112", TODAY, COUNTS)


def company(number: int, industry: str, region: str, **changes: Any) -> Company:
    made = Company(
        uscc=demo_uscc("411200", number),
        as_of=TODAY,
        name=f"甲{number}有限公司",
        region_code=region,
        industry_code=industry,
        expansions=0,
        scope="制造",
        active=True,
        founded_on=date(2019 + number % 7, 5, 1),
    )
    return replace(made, **changes)


def test_a_ratio_is_pulled_towards_one_the_more_the_less_it_stands_on() -> None:
    few, many, usual = shrunk_ratios([2, 200, 298], [1, 100, 399])
    assert (few.raw, many.raw) == (2, 2)
    assert 1 < few.shrunk < many.shrunk < 2
    assert few.trust < many.trust < 1
    assert usual.shrunk < 1
    # Marshall's estimator by hand: s² = Σ E (r − 1)² / Σ E, A = s² − n / Σ E, C = A / (A + 1 / E).
    variance = (1 * 1 + 100 * 1 + 399 * (298 / 399 - 1) ** 2) / 500
    spread = variance - 3 / 500
    assert many.shrunk == pytest.approx(1 + spread / (spread + 1 / 100))


def test_ratios_that_differ_no_more_than_chance_are_all_one() -> None:
    assert [each.shrunk for each in shrunk_ratios([9, 11, 10], [10, 10, 10])] == [1, 1, 1]
    assert [each.shrunk for each in shrunk_ratios([0, 0], [0, 0])] == [1, 1]


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(0.01, 500)), min_size=1, max_size=30))
def test_a_shrunk_ratio_lies_between_one_and_the_plain_one(pairs: list[tuple[int, float]]) -> None:
    for each in shrunk_ratios([count for count, _ in pairs], [expected for _, expected in pairs]):
        assert each.raw is not None
        low, high = sorted((1.0, each.raw))
        assert low - 1e-9 <= each.shrunk <= high + 1e-9
        assert 0 <= each.trust < 1


def test_the_location_quotient_and_the_foundings_are_those_of_the_counts() -> None:
    quotient = location_quotients(STRUCTURE)["14"]
    assert quotient.expected == pytest.approx(400 * 100 / 2220)
    assert quotient.raw == pytest.approx((40 / 100) / (400 / 2220))
    founding = founding_ratios(STRUCTURE)["38"]
    assert founding.raw == pytest.approx((120 / 160) / (424 / 768))


def test_a_registry_is_counted_once_each_active_company_by_prefecture_and_year() -> None:
    rows = [company(number, "1491", "411224" if number < 3 else "330100") for number in range(14)]
    rows += [company(20, "1491", "411200", active=False), company(21, "1491", "411200", founded_on=date(2027, 1, 1))]
    rows += [company(22, "", "411200"), replace(rows[0], as_of=date(2025, 1, 1), industry_code="39"), rows[1]]
    found = structure_of(build_registry(rows), "411224", TODAY)
    assert (found.region, found.recent_years, found.years_before) == ("4112", (2023, 2025), (2020, 2022))
    assert found.counts == {"14": Counts(here=3, everywhere=14, recent=6, before=6)}
    assert structure_of(build_registry([]), "411224", TODAY).counts == {}


def test_linkage_is_the_share_that_the_region_can_supply_and_take_up() -> None:
    sectors = (Sector("A", "甲", ("14",)), Sector("B", "乙", ("17", "18")), Sector("C", "丙", ()))
    table = InputOutputTable(Origin("t", None, "", ""), sectors, ((50, 30, 10), (60, 5, 0), (20, 0, 0)))
    found = linkages(table, {"A": 2.0, "B": 0.5})
    assert found["14"].supply == pytest.approx(60 / 80 * 0.5 + 20 / 80 * 1)  # C is not known here: as usual
    assert found["14"].demand == pytest.approx(30 / 40 * 0.5 + 10 / 40 * 1)
    assert found["17"] == found["18"]
    assert found["17"].supply == 1  # it buys from A alone, of which there is enough
    assert [(each.sector.code, each.share) for each in found["14"].suppliers] == [("B", 0.75), ("C", 0.25)]


def test_fit_is_the_share_of_each_need_that_is_met_and_only_of_what_both_speak_of() -> None:
    need = Demand("14", 2, "来源", area_mu=200, land_price_yuan_per_mu=90_000, power_kva_per_mu=100)
    offer = replace(BRIEF, land_price_fen_per_mu=18_000_000, power_kva=5000.0, electricity_yuan_per_kwh=0.6)
    assert [(each.criterion, each.score) for each in fit_parts(offer, need)] == [
        ("area", 0.5), ("land_price", 0.5), ("power", 0.5)
    ]  # fmt: skip
    assert fit_parts(BRIEF, Demand("14", 2, "来源", electricity_yuan_per_kwh=0.5)) == ()


def test_two_or_three_industries_are_chosen_with_reasons_that_cite_their_rows() -> None:
    found = position(BRIEF, STRUCTURE, FLOWS, NEEDS)
    assert found is not None
    assert len(found.chosen) in (2, 3)
    assert found.chosen == tuple(each.division for each in found.industries[: len(found.chosen)])
    assert "27" not in {each.division for each in found.industries}, "twenty companies say too little"
    document = json.loads(json.dumps(positioning_document(found)))
    statements = [*document["statements"], *(each for one in document["industries"] for each in one["statements"])]
    for each in statements:
        assert set(each["evidence"]) <= set(document["evidence"]), each
        assert "{" not in each["text"]
        if each["code"] in {"LOCATION", "GROWTH", "SUPPLY", "DEMAND", "FIT_AREA", "STABLE", "MOVED_UP", "MOVED_DOWN"}:
            assert each["evidence"], each
    flow = document["evidence"]["flow:D10>D01"]
    assert (flow["value"], flow["from_name"], flow["sha256"]) == (26, "仓储物流", FLOWS.origin.sha256)
    assert document["evidence"]["demands:3"]["cited"] == "演示数据（虚构）"
    assert (
        document["evidence"]["companies:14"] | {"here": 40, "everywhere": 400, "all_here": 100}
        == document["evidence"]["companies:14"]
    )


def test_without_tables_or_companies_here_the_part_is_absent_and_its_weight_goes_to_the_others() -> None:
    found = position(BRIEF, STRUCTURE)
    assert found is not None
    assert dict(found.absent) == {"linkage": "no_table", "fit": "no_demands"}
    assert dict(found.weights) == {"location": 0.5, "growth": 0.5}
    told = [each["text"] for each in positioning_document(found)["statements"]]
    assert "没有投入产出表，产业链关联不计入，其权重分给其余各项。" in told
    away = Structure("4112", TODAY, {code: replace(each, here=0) for code, each in COUNTS.items()})
    found = position(BRIEF, away, FLOWS, NEEDS)
    assert found is not None
    assert dict(found.absent) == {"location": "no_local_companies", "linkage": "no_local_companies"}
    ageless = Structure("4112", TODAY, {code: replace(each, recent=0, before=0) for code, each in COUNTS.items()})
    found = position(BRIEF, ageless)
    assert found is not None
    assert found.absent["growth"] == "no_founding_dates"
    assert found.weights == {"location": 1.0}
    assert found.variations == ()


def test_too_little_data_gives_no_answer_but_says_so() -> None:
    few = Structure("4112", TODAY, {code: COUNTS[code] for code in ("14", "17", "27")})
    assert position(BRIEF, few) is None
    document = positioning_document(None)
    assert document["chosen"] == []
    assert "不作产业定位" in document["statements"][0]["text"]
    assert "不作产业定位" in sections_html(positioning_sections(document))


def test_excluded_industries_and_limits_are_not_recommended_and_wanted_ones_are_judged() -> None:
    found = position(replace(BRIEF, exclusions=("38",), limits=(Limit.HIGH_ENERGY,), divisions=("27", "39")), STRUCTURE)
    assert found is not None
    assert "38" not in {each.division for each in found.industries}
    assert found.too_few == ("27",)
    assert [each.division for each in found.industries if each.preferred] == ["39"]


def test_each_weight_moves_by_a_fifth_and_a_change_of_choice_is_told() -> None:
    found = position(BRIEF, STRUCTURE, FLOWS, NEEDS)
    assert found is not None
    assert [(each.part, each.factor) for each in found.variations] == [
        (part, factor) for part in ("location", "growth", "linkage", "fit") for factor in MOVES
    ]
    assert all(len(each.chosen) == len(found.chosen) for each in found.variations)
    # Two industries that differ by a hair in opposite parts: a fifth of a weight turns the choice.
    close = {
        "14": Counts(100, 400, 200, 100), "17": Counts(60, 400, 50, 250), "35": Counts(20, 400, 248, 52),
        "38": Counts(10, 400, 20, 280), "39": Counts(0, 400, 15, 285),
    }  # fmt: skip
    found = position(BRIEF, Structure("4112", TODAY, close))
    assert found is not None
    codes = [each["code"] for each in positioning_document(found)["statements"]]
    assert {"MOVED_UP", "MOVED_DOWN", "STABLE"} & set(codes)


rows_of_companies = st.lists(
    st.tuples(
        st.integers(0, 300), st.sampled_from(["1491", "1751", "3525", "3841", "3982"]),
        st.sampled_from(["411224", "411202", "330100", "510100"]),
    ),
    min_size=150, max_size=260,
)  # fmt: skip


@given(rows_of_companies, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_the_order_and_repetition_of_rows_change_no_byte(
    rows: list[tuple[int, str, str]], chance: random.Random
) -> None:
    companies = [company(number, industry, region) for number, industry, region in rows]
    mixed = [*companies, *companies[::3]]
    chance.shuffle(mixed)
    texts = [
        json.dumps(
            positioning_document(
                position(BRIEF, structure_of(build_registry(each), BRIEF.region_code, TODAY), FLOWS, NEEDS)
            )
        )
        for each in (companies, mixed)
    ]
    assert texts[0] == texts[1]


def test_the_order_of_the_tables_rows_and_columns_changes_no_figure() -> None:
    lines = [line.split(",") for line in demo_input_output().decode().splitlines()]
    turned = [[*line[:3], *reversed(line[3:])] for line in (lines[0], *reversed(lines[1:]))]
    other = read_input_output("\n".join(map(",".join, turned)).encode(), name="io")
    one, two = (position(BRIEF, STRUCTURE, table, NEEDS) for table in (FLOWS, other))
    assert one is not None
    assert two is not None
    assert [(each.division, each.score) for each in one.industries] == [
        (each.division, each.score) for each in two.industries
    ]


IO_HEADER = "code,name,divisions,A,B\n"


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"\xff\xfe", "file"),
        (b"", "file"),
        (b"code,name\nA,x\n", "file"),
        ((IO_HEADER + "A,x,13,1,2\n").encode(), "file[1].code"),
        ((IO_HEADER + "A,x,13,1,2\nB,y,14,-1,2\n").encode(), "file[3].A"),
        ((IO_HEADER + "A,x,13,1,nan\nB,y,14,1,2\n").encode(), "file[2].B"),
        ((IO_HEADER + "A,x,13,1,2\nB,y,13,1,2\n").encode(), "file[3].divisions"),
        ((IO_HEADER + "A,x,98,1,2\nB,y,13,1,2\n").encode(), "file[2].divisions"),
        ((IO_HEADER + "A,x,13,1,2\nA,y,14,1,2\n").encode(), "file[1].code"),
        ((IO_HEADER + "A,,13,1,2\nB,y,14,1,2\n").encode(), "file[2].name"),
        ((IO_HEADER + "A,x,13,1\nB,y,14,1,2\n").encode(), "file"),
        (b'code,name,divisions,A\n"A,x\n', "file"),
    ],
)
def test_a_faulty_table_of_flows_names_row_and_column(content: bytes, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_input_output(content, name="t")
    assert field in [error.field for error in refused.value.errors]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ("division,area_mu,source\n13,x,来源\n", "file[2].area_mu"),
        ("division,area_mu,source\n13,5,\n", "file[2].source"),
        ("division,area_mu,source\n13,,来源\n", "file[2].area_mu"),
        ("division,area_mu,source\n98,5,来源\n", "file[2].division"),
        ("division,area_mu,source\n13,5,来源\n13,6,来源\n", "file[3].division"),
        ("division,area_mu\n13,5\n", "file"),
    ],
)
def test_a_faulty_table_of_needs_names_row_and_column(content: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_demands(content.encode(), name="t")
    assert field in [error.field for error in refused.value.errors]


def test_chinese_headings_are_read() -> None:
    found = read_demands('行业大类,用地（亩）,来源\n13,"1,200",某年鉴\n'.encode("utf-8-sig"), name="t")
    assert found.rows["13"] == Demand("13", 2, "某年鉴", area_mu=1200)
    table = read_input_output("部门代码,部门名称,行业大类,A\nA,食品,13、14,5\n".encode(), name="t")
    assert table.sectors == (Sector("A", "食品", ("13", "14")),)


def test_what_is_in_a_table_stands_escaped_in_the_report() -> None:
    table = read_input_output(demo_input_output().replace("仓储物流".encode(), b"<script>"), name="<b>")
    document = positioning_document(position(BRIEF, STRUCTURE, table))
    assert "<script>" not in sections_html(positioning_sections(document))


def test_a_brief_read_from_its_document_is_positioned() -> None:
    _, brief = read_brief({"region_code": "411224", "industries": ["14"], "area_mu": 100})
    assert position(brief, STRUCTURE) == position(BRIEF, STRUCTURE)
