"""A positioning through the doors: the operator's tables, the park's report and page, and nobody else's orders in it."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from marketplace.demo import world
from marketplace.demo.documents import leads_brief
from marketplace.demo.theatre import Play
from services.rules.demo_tables import demo_demands, demo_input_output
from tenants.kernel.context import Actor
from tenants.usecases import api_keys
from tests.support import plays
from tests.support.plays import BRIEF, YUAN, Wish, run_of
from tests.support.visitor import Visitor
from tests.support.web import Caller, kept_app

ABOUT = "kind=input_output&name=io&year=2025&licence=CC0-1.0"


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play, 1_000_000 * YUAN)
    return play.person("park01")


def caller(play: Play, login: str) -> Caller:
    person = play.person(login)
    with play.market.workshop.work(person) as work:
        key = api_keys.create_api_key(work, name="test", scopes=sorted(person.permissions))
    return Caller(kept_app(play.market).test_client(), key.token)


def enter(play: Play, login: str) -> Visitor:
    visitor = Visitor(kept_app(play.market))
    visitor.sign_in(login, world.PASSWORD)
    return visitor


def positioned(play: Play, park: Actor, wish: Wish = BRIEF) -> tuple[str, dict[str, bytes]]:
    """Order a lead list, let it run, and return the run and its files."""
    order = plays.order(play, park, wish)
    play.work_queue()
    run_id = run_of(plays.now(play, park, order))
    with plays._owner(play) as connection:
        query = text("SELECT name, content FROM artefacts WHERE source_id = :run")
        files = {row.name: bytes(row.content) for row in connection.execute(query, {"run": run_id})}
    return str(run_id), files


def test_the_operator_brings_tables_in_by_the_api_and_withdraws_them(play: Play) -> None:
    operator = caller(play, "operator")
    before = operator.get("/reference-tables").get_json()["items"]
    assert {(each["kind"], each["used"]) for each in before} == {("input_output", True), ("industry_demands", True)}
    known = operator.post(f"/reference-tables?{ABOUT}", data=demo_input_output(), content_type="text/csv")
    assert (known.status_code, known.get_json()["code"]) == (409, "table.known")
    other = demo_input_output().replace(b"240", b"241")
    made = operator.post(f"/reference-tables?{ABOUT}", data=other, content_type="text/csv")
    assert made.status_code == 201, made.text
    table = made.get_json()
    assert (table["rows"], table["year"], table["used"]) == (11, 2025, True), "of one year the newer import counts"
    for _ in range(2):
        gone = operator.post(f"/reference-tables/{table['id']}/withdrawal")
        assert (gone.status_code, gone.get_json()["used"]) == (200, False)
    again = operator.post(f"/reference-tables?{ABOUT}", data=other, content_type="text/csv")
    assert again.status_code == 201, "a withdrawn file may come again"
    wrong = operator.post(
        f"/reference-tables?{ABOUT}", data=b"code,name,divisions,A\nA,x,99,1\n", content_type="text/csv"
    )
    assert [error["field"] for error in wrong.get_json()["errors"]] == ["file[2].divisions"]
    late = operator.post(f"/reference-tables?{ABOUT.replace('2025', '2027')}", data=other, content_type="text/csv")
    assert [error["field"] for error in late.get_json()["errors"]] == ["year"]
    for stranger in (caller(play, "park01"), caller(play, "finance")):
        assert stranger.get("/reference-tables").status_code == 403
        refused = stranger.post(f"/reference-tables?{ABOUT}", data=demo_input_output(), content_type="text/csv")
        assert refused.status_code == 403


def test_the_operator_brings_a_table_in_by_the_page(play: Play) -> None:
    operator = enter(play, "operator")
    assert "演示投入产出表（虚构）" in operator.get("/reference-tables").text
    form: dict[str, Any] = {"kind": "industry_demands", "name": "用地调查", "year": "2024", "licence": "内部使用"}
    sent = operator.post("/reference-tables", form | {"file": (io.BytesIO(b"division,source\n13,\n"), "a.csv")})
    assert sent.status_code == 422
    assert "file[2].source" in sent.text
    assert 'value="用地调查"' in sent.text
    content = demo_demands().replace(b"13,60,", b"13,61,")
    page = operator.follow(operator.post("/reference-tables", form | {"file": (io.BytesIO(content), "a.csv")}))
    assert "用地调查" in page.text
    assert "有更新的表" in page.text, "the demo's is of a later year"
    table_id = page.text.partition("/reference-tables/")[2].partition("/")[0]
    gone = operator.follow(operator.post(f"/reference-tables/{table_id}/withdrawal"))
    assert "已停用" in gone.text
    assert enter(play, "park01").get("/reference-tables").status_code == 403


def test_a_park_reads_why_in_its_report_and_on_the_page_in_both_languages(play: Play, park: Actor) -> None:
    run_id, files = positioned(play, park)
    found = json.loads(files["positioning.json"])
    assert len(found["chosen"]) in (2, 3)
    assert found["absent"] == {}
    cited = [each["evidence"] for one in found["industries"] for each in one["statements"]]
    assert all(set(each) <= set(found["evidence"]) and each for each in cited)
    plan = files["plan.html"].decode()
    manifest = json.loads(files["manifest.json"])
    assert manifest["input"]["tables"] == found["tables"]
    page = enter(play, "park01").get(f"/runs/{run_id}").text
    best = found["industries"][0]
    for said in (best["name"], best["statements"][0]["text"], "权重减少或增加 20%"):
        assert said in plan
        assert said in page
    assert "companies:" in plan
    reader = enter(play, "park01")
    reader.get("/language/en?next=/")
    english = reader.get(f"/runs/{run_id}").text
    assert "companies expected by its share of the whole registry" in english
    assert enter(play, "park02").get(f"/runs/{run_id}").status_code == 404


def test_without_tables_the_answer_says_so_and_invents_nothing(play: Play, park: Actor) -> None:
    operator = caller(play, "operator")
    for each in operator.get("/reference-tables").get_json()["items"]:
        operator.post(f"/reference-tables/{each['id']}/withdrawal")
    run_id, files = positioned(play, park)
    found = json.loads(files["positioning.json"])
    assert found["absent"] == {"linkage": "no_table", "fit": "no_demands"}
    assert found["weights"] == {"location": 0.5, "growth": 0.5}
    assert found["tables"] == {"input_output": None, "industry_demands": None}
    page = enter(play, "park01").get(f"/runs/{run_id}").text
    assert "没有投入产出表，产业链关联不计入" in page
    assert "没有投入产出表，产业链关联不计入" in files["plan.html"].decode()


def test_other_parks_and_later_days_never_change_a_positioning(play: Play, park: Actor) -> None:
    _, first = positioned(play, park)
    positioned(play, play.person("park02"), Wish(BRIEF.offering, leads_brief("411323") | {"industries": ["36"]}))
    play.clock.advance(timedelta(minutes=5))
    _, again = positioned(play, park)
    assert again["positioning.json"] == first["positioning.json"]
