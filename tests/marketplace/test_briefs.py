"""A lead list's brief through the page and the API: taken whole, or refused and not charged."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from sqlalchemy import text

from marketplace.demo import world
from marketplace.demo.theatre import Play
from tenants.kernel.context import Actor
from tenants.usecases import api_keys
from tests.support import plays
from tests.support.databases import Database
from tests.support.plays import YUAN, money
from tests.support.visitor import Visitor, form_value
from tests.support.web import Caller, kept_app

MILLION = 1_000_000 * YUAN
FORM: dict[str, Any] = {
    "region_code": "411224",
    "industries": ["13", "17"],
    "area_mu": "120.5",
    "land_price": "180,000",
    "rent": "12.5",
    "budget": "5000000",
    "power_kva": "20000",
    "electricity": "0.6123",
    "motorway_km": "3",
    "rail_freight_km": "12.5",
    "keywords": "预制菜，冷链",
    "exclusions": ["26"],
    "exclusion_codes": "191、3843",
    "limits": ["dust", "heavy_metals"],
    "count": "30",
}
REQUEST: dict[str, Any] = {
    "region_code": "411224",
    "industries": ["13", "17"],
    "area_mu": 120.5,
    "land_price_fen_per_mu": 18_000_000,
    "rent_fen_per_m2_month": 1250,
    "budget_fen": 500_000_000,
    "power_kva": 20_000.0,
    "electricity_yuan_per_kwh": "0.6123",
    "logistics": {"motorway_km": 3.0, "rail_freight_km": 12.5, "port_km": None, "airport_km": None},
    "keywords": ["预制菜", "冷链"],
    "exclusions": ["26", "191", "3843"],
    "limits": ["dust", "heavy_metals"],
    "count": 30,
    "exclude_own_region": True,
}


@pytest.fixture
def park(play: Play) -> Actor:
    plays.give_money(play, MILLION)
    return play.person("park01")


@pytest.fixture
def caller(play: Play, park: Actor) -> Caller:
    with play.market.workshop.work(park) as work:
        key = api_keys.create_api_key(work, name="test", scopes=sorted(park.permissions))
    return Caller(kept_app(play.market).test_client(), key.token)


@pytest.fixture
def visitor(play: Play, park: Actor) -> Visitor:
    visitor = Visitor(kept_app(play.market))
    visitor.sign_in("park01", world.PASSWORD)
    return visitor


def run_of(play: Play) -> dict[str, Any]:
    """Return the run's request, state, and refusal, straight from the table."""
    with plays._owner(play) as connection:
        row = connection.execute(text("SELECT request, status, failure_code FROM runs WHERE delivery = 'leads'")).one()
    return dict(row._mapping)


def place(visitor: Visitor, form: dict[str, Any]) -> str:
    """Send the form, confirm the price, and return the order's address."""
    visitor.get("/rent/ai-leads")
    asked = visitor.post("/rent/ai-leads", form)
    price = visitor.follow(asked)
    confirmed = visitor.post(asked.headers["Location"], {"key": form_value(price, "key"), "payment_method": "invoice"})
    assert confirmed.status_code == 303, confirmed.text
    return str(confirmed.headers["Location"])


def test_a_whole_brief_is_ordered_by_the_page_and_stands_in_the_report(play: Play, visitor: Visitor) -> None:
    order = place(visitor, FORM)
    assert run_of(play)["request"] == REQUEST
    play.work_queue()
    assert run_of(play)["status"] == "succeeded"
    assert "打开报告" in visitor.get(order).text
    with plays._owner(play) as connection:
        files = dict(connection.execute(text("SELECT name, content FROM artefacts WHERE source_id IS NOT NULL")).all())
    leads = json.loads(bytes(files["leads.json"]))
    assert len(leads) == 30
    assert not [lead for lead in leads if lead["industry_code"].startswith(("26", "191", "3843", "32", "08"))]
    plan = bytes(files["plan.html"]).decode()
    for said in ("180,000 元/亩", "12.50 元/平方米·月", "20,000 kVA", "0.6123 元/kWh", "12.5 公里", "不接受扬尘"):
        assert said in plan


def test_the_same_brief_is_taken_by_the_api_and_fits_the_published_schema(play: Play, caller: Caller) -> None:
    schema = caller.get("/schemas/brief-1.json").get_json(force=True)
    assert schema["$id"] == "/api/v1/schemas/brief-1.json"
    jsonschema.validate(REQUEST, schema)
    answer = caller.post("/quotes", {"lines": [{"offering": "ai-leads", "request": REQUEST}]})
    assert answer.status_code == 201, answer.text
    placed = caller.post("/orders", {"quote_id": answer.get_json()["id"]}, key="brief")
    assert placed.status_code == 201, placed.text
    assert run_of(play)["request"] == REQUEST


@pytest.mark.parametrize(
    ("change", "field", "typed", "at"),
    [
        ({"region_code": "999999"}, "region_code", {"region_code": "999999"}, "region_code"),
        ({"area_mu": 0}, "area_mu", {"area_mu": "0"}, "area_mu"),
        ({"area_mu": -3}, "area_mu", {"area_mu": "-3"}, "area_mu"),
        ({"industries": ["13", "14", "15", "17"]}, "industries", {"industries": ["13", "14", "15", "17"]}, "industries"),
        ({"exclusions": ["13"]}, "exclusions", {"exclusions": ["13"]}, "exclusions"),
        ({"industries": ["26"], "limits": ["chemicals"], "exclusions": []}, "limits",
         {"industries": ["26"], "limits": ["chemicals"], "exclusions": []}, "limits"),
        ({"budget_fen": -1}, "budget_fen", {"budget": "-1"}, "budget"),
        ({"logistics": {"port_km": -1}}, "logistics.port_km", {"port_km": "-1"}, "port_km"),
        ({"electricity_yuan_per_kwh": "free"}, "electricity_yuan_per_kwh", {"electricity": "free"}, "electricity"),
    ],
)  # fmt: skip
def test_a_brief_without_sense_is_refused_at_its_field_before_it_is_sold(
    caller: Caller, visitor: Visitor, change: dict[str, Any], field: str, typed: dict[str, Any], at: str
) -> None:
    refused = caller.post("/quotes", {"lines": [{"offering": "ai-leads", "request": REQUEST | change}]})
    assert refused.status_code == 422
    assert [error["field"] for error in refused.get_json()["errors"]] == [f"lines[0].request.{field}"]
    visitor.get("/rent/ai-leads")
    page = visitor.post("/rent/ai-leads", FORM | typed)
    assert page.status_code == 422
    assert f'id="e-{at}"' in page.text
    assert 'value="180,000"' in page.text  # what was typed is kept


@pytest.mark.parametrize(
    ("form", "registry", "code", "said"),
    [
        (FORM, "UPDATE companies SET as_of = as_of - 200", "leads.registry_too_old", "已超过 180 天"),
        (FORM | {"industries": ["07"], "keywords": ""}, None, "leads.too_few_companies", "不足 200 家"),
        (FORM, "DELETE FROM companies", "leads.no_registry", "还没有数据"),
    ],
)
def test_a_list_not_worth_its_price_is_refused_by_page_and_api_and_nothing_is_charged(
    play: Play, visitor: Visitor, caller: Caller, form: dict[str, Any], registry: str | None, code: str, said: str
) -> None:
    if registry is not None:
        database = Database(play.market.settings.database_owner_url, play.market.settings.database_url).owner()
        with database.begin() as connection:
            connection.execute(text(registry))
        database.dispose()
    address = place(visitor, form)
    assert money(play)[1] > 0  # held while it runs
    play.work_queue()
    assert run_of(play)["failure_code"] == code
    page = visitor.get(address).text
    assert said in page
    assert "不计费" in page
    order = caller.get(f"/orders/{address.rpartition('/')[2]}").get_json()
    assert (order["status"], order["lines"][0]["failure_code"]) == ("failed", code)
    assert money(play) == (MILLION, 0, 0)
    charged = plays.counted(
        play, "SELECT 'rated', count(*) FROM rated_usage UNION ALL SELECT 'events', count(*) FROM usage_events"
    )
    assert charged == {"rated": 0, "events": 0}


def test_free_words_suggest_industries_by_api_and_page_and_a_ticked_one_is_ordered(
    play: Play, visitor: Visitor, caller: Caller
) -> None:
    found = caller.get("/industries?words=%E9%94%82%E7%94%B5%E6%B1%A0%E5%9B%9E%E6%94%B6").get_json()["items"]
    assert {"4210", "4220"} & {each["code"] for each in found}
    assert found[0]["division_name"]
    assert caller.get("/industries?words=x").status_code == 422
    visitor.get("/rent/ai-leads")
    unclear = visitor.post("/rent/ai-leads/industries", FORM | {"words": ""})
    assert (unclear.status_code, 'id="e-words"' in unclear.text) == (422, True)
    page = visitor.post("/rent/ai-leads/industries", FORM | {"words": "预制菜", "industries": []})
    assert page.status_code == 200
    assert "速冻食品制造" in page.text
    assert 'value="180,000"' in page.text, "what was typed is kept"
    place(visitor, FORM | {"words": "预制菜", "industries": ["14", "14", "13"]})
    assert run_of(play)["request"]["industries"] == ["14", "13"]
    nothing = visitor.post("/rent/ai-leads/industries", FORM | {"words": "qqqq"})
    assert nothing.status_code == 200
