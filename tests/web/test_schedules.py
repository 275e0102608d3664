"""Ordering a schedule: by form and by API, with every wrong field named."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from marketplace.usecases import fulfilment
from services.gateways.sandbox import Limits
from services.rules.demo_park import demo_week
from services.rules.twin.calendar import make_calendar
from services.rules.twin.demo_load import demo_load
from services.usecases import execution
from tenants.kernel.context import system_actor
from tenants.kernel.vocabulary import Tier
from tenants.kernel.work import WorkShop
from tests.services.parks import request_of
from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]
RENT = "/rent/energy-optimisation"
SLUG = "energy-optimisation"


@pytest.fixture
def park(province: Province, signed_in: Enter) -> Visitor:
    province.fund()
    province.park(1, Tier.ENHANCED)
    return signed_in("admin1")


def _day() -> bytes:
    """A day's planned load as a file."""
    calendar = make_calendar(request_of(demo_week(days=1)).horizon)
    load = demo_load(calendar, seed=1)
    rows = [
        f"2025-07-14T{m // 60:02d}:{m % 60:02d},{kw:.2f}" for m, kw in zip(calendar.minute.tolist(), load, strict=True)
    ]
    return ("time,kw\n" + "\n".join(rows) + "\n").encode()


FORM = {
    "data": "file", "so_far_kw": "1200", "battery_kwh": "800", "battery_kw": "400", "soc_percent": "30", "pv_kwp": "300",
    "p1_name": "蒸煮", "p1_kw": "150", "p1_minutes": "180", "p1_usual": "09:00", "p1_from": "06:00", "p1_to": "22:00",
    "p1_kind": "whole",
    "p3_name": "包装", "p3_kw": "40", "p3_minutes": "120", "p3_usual": "17:00", "p3_from": "08:00", "p3_to": "24:00",
    "p3_kind": "interruptible", "p3_after": "蒸煮",
}  # fmt: skip


def _send(park: Visitor, **changes: str) -> Any:
    park.get(RENT)
    form: dict[str, Any] = FORM | changes | {"load": (io.BytesIO(_day()), "load.csv")}
    return park.post(RENT, form, content_type="multipart/form-data")


def test_the_catalogue_offers_it_with_both_payers(park: Visitor, province: Province) -> None:
    assert "共享能耗优化" in park.get("/catalogue").text
    items = province.caller("admin1").get("/offerings?delivery=schedule").get_json()["items"]
    assert [(each["slug"], each["list_price_fen"], each["subsidy_fen"]) for each in items] == [(SLUG, 200_000, 100_000)]


def test_it_is_ordered_by_form_on_own_data(park: Visitor) -> None:
    answer = _send(park)
    assert answer.status_code == 303, answer.text
    page = park.get(answer.headers["Location"]).text
    assert "¥2,000.00" in page
    assert "¥1,000.00" in page


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"p1_kw": "-5"}, "p1_kw"),
        ({"p1_minutes": "50"}, "p1_name"),
        ({"p3_after": "没有"}, "p1_name"),
        ({"p3_usual": "五点"}, "p3_usual"),
        ({"battery_kw": "0"}, "battery_kwh"),
        ({"soc_percent": "满"}, "soc_percent"),
        ({"cap_kw": "0"}, "cap_kw"),
        ({"so_far_kw": "很多"}, "so_far_kw"),
        ({"price_peak": "-1"}, "price_peak"),
        ({"demand_price": "贵"}, "demand_price"),
    ],
)
def test_each_wrong_field_of_the_form_is_marked(park: Visitor, changes: dict[str, str], field: str) -> None:
    answer = _send(park, **changes)
    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text, answer.text[:3000]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"demo": True, "demand": {"cap_kw": -1}}, "lines[0].request.demand.cap_kw"),
        ({"demo": True, "demand": {"surprise": 1}}, "lines[0].request.demand.surprise"),
        ({"demo": True, "pv_forecast_kw": [1.0]}, "lines[0].request.pv_forecast_kw"),
        (
            {"park": demo_week() | {"period": {"from": "2025-07-01", "to": "2025-07-20"}}},
            "lines[0].request.park.period",
        ),
        ({"park": demo_week() | {"processes": [], "battery": {}}}, "lines[0].request.park.processes"),
        ({}, "lines[0].request"),
    ],
)
def test_each_wrong_field_of_a_request_is_named(province: Province, request_: dict[str, Any], field: str) -> None:
    park = province.park(1, Tier.ENHANCED)
    answer = park.post("/quotes", {"lines": [{"offering": SLUG, "request": request_}]})
    assert answer.status_code == 422, answer.text
    assert field in [error["field"] for error in answer.get_json()["errors"]], answer.text


def test_from_an_order_to_the_page_with_the_chart(park: Visitor, province: Province, workshop: WorkShop) -> None:
    caller = province.caller("admin1")
    quote = caller.post("/quotes", {"lines": [{"offering": SLUG, "request": {"park": demo_week(days=1)}}]}).get_json()
    order = caller.post("/orders", {"quote_id": quote["id"]}, key="schedule-1").get_json()
    run = order["lines"][0]["run"]["id"]
    tenant = caller.get("/me").get_json()["park"]["id"]
    job = system_actor("worker", tenant_id=UUID(tenant))
    execution.execute_run(workshop, job, run_id=UUID(run), limits=Limits(wall_seconds=120))
    with workshop.work(job) as work:
        fulfilment.complete_run(work, run_id=UUID(run))
    files = {each["name"]: each for each in caller.get(f"/orders/{order['id']}/artefacts").get_json()["items"]}
    assert {"schedule.csv", "schedule.xlsx", "schedule.html", "kpis.json", "manifest.json"} == set(files)
    page = park.get(f"/orders/{order['id']}").text
    assert "比现状节省" in page
    assert "计划购电" in page  # the chart's options stand in the page
    assert "打开报告" in page
