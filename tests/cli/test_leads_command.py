"""``marketplace leads`` on files of companies and of their dated expansions."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner, Result

from marketplace.cli import main
from services.rules.demo_companies import demo_companies, demo_expansions, demo_uscc, write_companies
from services.rules.demo_tables import demo_demands, demo_input_output
from services.usecases.leads_alone import leads_command
from tenants.kernel.errors import Conflict

CITIES = ("330100", "320100", "420100", "510100", "610100", "440100")
REQUEST = {"region_code": "510100", "area_mu": 50, "date": "2025-01-01", "as_of": "2024-12-31", "count": 500}
CODES = [demo_uscc(CITIES[number % 6], number) for number in range(600)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with 600 companies of six cities, two of them gone."""
    rows = [
        (code, f"甲{number}有限公司", CITIES[number % 6], "注销" if number in {7, 8} else "存续")
        for number, code in enumerate(CODES)
    ]
    _write(tmp_path / "companies.csv", ("统一社会信用代码", "企业名称", "所属地区", "经营状态"), rows)
    return tmp_path


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def _run(folder: Path, *more: str, companies: str = "companies.csv", **changes: Any) -> Result:
    (folder / "request.json").write_text(json.dumps(REQUEST | changes, ensure_ascii=False), encoding="utf-8")
    given = ["--input", folder / "request.json", "--companies", folder / companies, "--output", folder / "out"]
    return CliRunner().invoke(main, ["leads", *map(str, given), *more])


def _leads(folder: Path, *more: str, **changes: Any) -> list[dict[str, Any]]:
    result = _run(folder, *more, **changes)
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads((folder / "out" / "leads.json").read_text(encoding="utf-8"))
    return found


def test_any_industry_and_a_long_list_by_a_code_or_a_name_of_the_region(folder: Path) -> None:
    leads = _leads(folder)
    assert len(leads) == 498, "600 less the region's own 100 and two that are gone"
    assert {CODES[7], CODES[8]}.isdisjoint(each["uscc"] for each in leads)
    assert [each["rank"] for each in leads] == list(range(1, 499))
    assert _leads(folder, region_code="5101") == leads
    assert _leads(folder, region_code="成都市") == leads
    assert all(each["reasons"] for each in leads)


def test_dated_expansions_before_the_day_raise_a_company_and_later_ones_do_not(folder: Path) -> None:
    events = [
        (CODES[4], "", "成都市", "2023-05-01"),
        (CODES[4], "", "420100", "2024-02-01"),
        (CODES[4], "", "4201", "2024-02-01"),
        ("", "甲5有限公司", "西安市", "2024/3/9"),
        (CODES[10], "", "330100", "2024-04-01"),
        (CODES[11], "", "510100", "2025-01-01"),
        (CODES[11], "", "510100", "2026-06-01"),
    ]
    _write(folder / "events.csv", ("uscc", "company", "region", "date"), events)
    plain = _leads(folder)
    leads = _leads(folder, "--events", str(folder / "events.csv"))
    kpis = json.loads(_run(folder, "--events", str(folder / "events.csv")).output)
    assert (kpis["expansions"], kpis["refused_expansions"]) == (4, 0), (
        "the same day in one city is one, later ones none"
    )
    first = {each["uscc"]: each for each in leads}
    assert [each["uscc"] for each in leads[:3]] == [CODES[4], CODES[10], CODES[5]]
    assert "EXPANSIONS" in {reason["code"] for reason in first[CODES[4]]["reasons"]}
    before = {each["uscc"]: each["score"] for each in plain}
    assert first[CODES[11]]["score"] == before[CODES[11]], "nothing of the day itself or after it is known"
    early = _leads(folder, "--events", str(folder / "events.csv"), date="2023-01-01", as_of="2022-12-31")
    assert [each["uscc"] for each in early] == [each["uscc"] for each in plain]


def test_two_hundred_dated_moves_fit_a_ranker_that_tells_how_well_it_did(folder: Path) -> None:
    chance = random.Random(8)
    events = []
    for number, code in enumerate(CODES):
        for _ in range(min(12, int(chance.paretovariate(0.9)))):
            on = date(2019, 1, 1) + timedelta(days=chance.randrange(2190))
            events.append((code, CITIES[(number + chance.choice((1, 1, 1, 2))) % 6], on.isoformat()))
    _write(folder / "events.csv", ("uscc", "city", "date"), events)
    leads = _leads(folder, "--events", str(folder / "events.csv"))
    kpis = json.loads(_run(folder, "--events", str(folder / "events.csv")).output)
    manifest = json.loads((folder / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert kpis["model"] == manifest["model"]
    tests = kpis["model"]["back_test"]
    assert set(tests) == {"heuristic", "linear", "boosted"}
    assert tests[kpis["model"]["method"]]["ndcg_50"] == max(each["ndcg_50"] for each in tests.values())
    assert leads[0]["chance"]["hits"] >= 10
    assert 0 < leads[0]["chance"]["low"] < leads[0]["chance"]["share"] < leads[0]["chance"]["high"] < 1
    plan = (folder / "out" / "plan.html").read_text(encoding="utf-8")
    assert "回测" in plan
    assert "不是承诺" in plan
    assert _leads(folder, "--events", str(folder / "events.csv")) == leads, "the same question, the same answer"


def test_order_repetition_and_form_of_the_files_change_nothing(folder: Path) -> None:
    chance = random.Random(3)
    events = [(chance.choice(CODES), chance.choice(CITIES), f"2024-0{chance.randint(1, 9)}-15") for _ in range(300)]
    _write(folder / "events.csv", ("统一社会信用代码", "目的城市", "日期"), events)
    leads = _leads(folder, "--events", str(folder / "events.csv"))
    book = openpyxl.Workbook()
    shuffled = [*events, *events[:50]]
    chance.shuffle(shuffled)
    assert book.active is not None
    for row in [("信用代码", "地区", "扩张日期"), *shuffled]:
        book.active.append(row)
    book.save(folder / "events.xlsx")
    plan = (folder / "out" / "plan.html").read_bytes()
    lines = (folder / "companies.csv").read_text(encoding="utf-8").splitlines()
    (folder / "mixed.csv").write_text("\n".join([lines[0], *reversed(lines[1:]), *lines[5:30]]), encoding="utf-8")
    assert _leads(folder, "--events", str(folder / "events.xlsx"), companies="mixed.csv") == leads
    assert (folder / "out" / "plan.html").read_bytes() == plan, "companies are counted, not rows"


def test_a_company_founded_after_the_day_is_no_candidate(folder: Path) -> None:
    rows = [(code, f"甲{number}有限公司", CITIES[number % 6], "2025-06-01" if number < 60 else "2001-01-01")
            for number, code in enumerate(CODES)]  # fmt: skip
    _write(folder / "dated.csv", ("uscc", "name", "region", "founded_on"), rows)
    leads = _leads(folder, companies="dated.csv", as_of="2025-06-30")
    assert {each["uscc"] for each in leads}.isdisjoint(CODES[:60])


def test_wrong_rows_are_counted_and_wrong_files_refused(folder: Path) -> None:
    rows = [("123", "510100", "2024-01-01"), (CODES[1], "亚特兰蒂斯", "2024-01-01"), (CODES[1], "510100", "昨天"),
            ("", "510100", "2024-01-01"), (CODES[1], "510100", "2024-01-01")]  # fmt: skip
    _write(folder / "events.csv", ("uscc", "city", "date"), rows)
    kpis = json.loads(_run(folder, "--events", str(folder / "events.csv")).output)
    assert (kpis["expansions"], kpis["refused_expansions"]) == (1, 4)
    _write(folder / "none.csv", ("what", "else"), [])
    for events, code in (("none.csv", "expansions.no_header"), ("missing.csv", "expansions.unreadable")):
        refused = _run(folder, "--events", str(folder / events))
        assert refused.exit_code == 2
        assert code in refused.stderr
    for changes in ({"count": 1001}, {"region_code": "亚特兰蒂斯"}, {"region_code": 51}, {"area_mu": 0}):
        assert _run(folder, **changes).exit_code == 2, changes


def test_what_a_whole_brief_excludes_never_appears(folder: Path) -> None:
    rows = [
        (code, f"甲{number}有限公司", CITIES[number % 6], "存续", ("3843", "3982", "1910")[number % 3])
        for number, code in enumerate(CODES)
    ]
    _write(folder / "coded.csv", ("统一社会信用代码", "企业名称", "所属地区", "经营状态", "行业代码"), rows)
    offered = {"land_price_fen_per_mu": 100, "power_kva": 5, "logistics": {"port_km": 1}, "budget_fen": 1}
    leads = _leads(folder, companies="coded.csv", exclusions=["19"], **offered)
    assert {each["industry_code"] for each in leads} == {"3843", "3982"}
    thin = _run(folder, companies="coded.csv", exclusions=["3982"], limits=["heavy_metals"])
    assert (thin.exit_code, json.loads(thin.stderr)["code"]) == (2, "leads.too_few_companies")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"region_code": "999999"}, "leads.invalid"),
        ({"area_mu": 0}, "leads.invalid"),
        ({"as_of": "2024-06-30"}, "leads.registry_too_old"),
    ],
)
def test_a_list_not_worth_making_is_refused(folder: Path, changes: dict[str, Any], code: str) -> None:
    refused = _run(folder, **changes)
    assert (refused.exit_code, json.loads(refused.stderr)["code"]) == (2, code)
    assert not (folder / "out").exists()


def test_a_positioning_stands_beside_the_list_and_on_the_tables_that_are_given(tmp_path: Path) -> None:
    (tmp_path / "companies.csv").write_bytes(demo_companies(as_of=date(2024, 12, 31)))
    (tmp_path / "flows.csv").write_bytes(demo_input_output())
    (tmp_path / "needs.csv").write_bytes(demo_demands())
    asked: dict[str, Any] = {"region_code": "411224", "industries": ["14"], "count": 50}
    plain = _leads(tmp_path, **asked)
    alone = json.loads((tmp_path / "out" / "positioning.json").read_text(encoding="utf-8"))
    assert alone["absent"] | {"linkage": "no_table", "fit": "no_demands"} == alone["absent"]
    given = ("--input-output", str(tmp_path / "flows.csv"), "--demands", str(tmp_path / "needs.csv"))
    _leads(tmp_path, *given, **asked)
    found = json.loads((tmp_path / "out" / "positioning.json").read_text(encoding="utf-8"))
    assert found["tables"]["input_output"]["name"] == "flows.csv"
    assert {"location", "linkage", "fit"} <= set(found["weights"])
    told = json.loads((tmp_path / "out" / "leads.json").read_text(encoding="utf-8"))
    assert [each["uscc"] for each in told] == [each["uscc"] for each in plain], "who is near by ranks nobody"
    near = [why for each in told for why in each["reasons"] if why["code"] in {"SUPPLIERS", "BUYERS"}]
    assert near
    assert all("flows.csv" in why["evidence"]["value"] and why["evidence"]["as_of"] == "2024-12-31" for why in near)
    assert not any(why["code"] in {"SUPPLIERS", "BUYERS"} for each in plain for why in each["reasons"])
    assert 2 <= len(found["chosen"]) <= 3
    refused = _run(tmp_path, "--input-output", str(tmp_path / "needs.csv"), **asked)
    assert (refused.exit_code, json.loads(refused.stderr)["code"]) == (2, "table.invalid")
    assert _run(tmp_path, "--demands", str(tmp_path / "none.csv"), **asked).exit_code == 2


def test_a_few_dated_expansions_are_told_of_though_no_ranker_is_fitted(tmp_path: Path) -> None:
    """Too few to learn from: the formula ranks as before, and says when who expanded last before the request's day."""
    as_of = date(2024, 12, 31)
    (tmp_path / "companies.csv").write_bytes(demo_companies(as_of=as_of))
    (tmp_path / "events.csv").write_bytes(demo_expansions(as_of=as_of, most=180))
    asked: dict[str, Any] = {"region_code": "411224", "industries": ["14"], "count": 50, "date": "2024-12-31"}
    plain = _leads(tmp_path, **asked)
    told = _leads(tmp_path, "--events", str(tmp_path / "events.csv"), **asked)
    assert [(each["uscc"], each["score"]) for each in told] == [(each["uscc"], each["score"]) for each in plain]
    last = [why["evidence"]["value"] for each in told for why in each["reasons"] if why["code"] == "RECENT"]
    assert last
    assert max(last) < "2024-12-31"


def test_a_brief_that_is_refused_is_so_before_a_ranker_is_fitted(tmp_path: Path) -> None:
    as_of = date(2024, 12, 31)
    (tmp_path / "companies.csv").write_bytes(demo_companies(as_of=as_of))
    with (tmp_path / "events.csv").open("w", encoding="utf-8", newline="") as stream:
        write_companies(io.StringIO(), stream, as_of=as_of, count=3000, seed=1)
    stages: list[str] = []
    source = tmp_path / "r.json"
    source.write_text(json.dumps({"region_code": "411224", "area_mu": 20, "date": "2026-01-01"}), encoding="utf-8")
    with pytest.raises(Conflict, match=r"leads\.registry_too_old"):
        leads_command(
            source, tmp_path / "companies.csv", tmp_path / "out", events_path=tmp_path / "events.csv",
            progress=lambda stage, _: stages.append(stage),
        )  # fmt: skip
    assert "prepare" in stages
    assert "fit" not in stages
