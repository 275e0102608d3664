"""Qualifications through the API: asked for with a file, granted, needed for an order, revoked, and told to the person."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_instruments import TERMS
from tests.api.test_slot_holds import DAY, free, wish
from tests.support.province import Province
from tests.support.web import Caller

NEEDED: dict[str, Any] = TERMS | {
    "name": "扫描电子显微镜", "region_code": "410311", "qualification": "上机培训证", "training": "每月第一个周一培训。",
}  # fmt: skip


@pytest.fixture
def park(province: Province) -> Caller:
    province.fund()
    changed = province.lab.put(f"/instruments/{province.instrument}", NEEDED)
    assert (changed.status_code, changed.get_json()["qualification"]) == (200, "上机培训证"), changed.text
    return province.park(1)


def standing(province: Province, park: Caller) -> dict[str, Any]:
    found: dict[str, Any] = park.get(f"/instruments/{province.instrument}/qualification").get_json()
    return found


def ask(province: Province, park: Caller, **more: Any) -> dict[str, Any]:
    wanted = {"instrument_id": str(province.instrument), "evidence": "已参加培训"} | more
    made = park.post("/qualifications", wanted)
    assert made.status_code == 201, made.text
    asked: dict[str, Any] = made.get_json()
    return asked


def test_a_person_is_qualified_and_then_books(province: Province, park: Caller) -> None:
    slot = free(park)[0]
    line = {"offering": "shared-inspection", "request": wish(slot) | {"purpose": "断口分析"}}
    refused = park.post("/quotes", {"lines": [line]})
    problem = refused.get_json()
    assert (refused.status_code, problem["code"]) == (409, "booking.not_qualified")
    assert "每月第一个周一培训" in problem["detail"]
    assert park.post("/slot-holds", wish(slot)).get_json()["code"] == "booking.not_qualified"
    assert standing(province, park)["state"] == "none"
    file = park.post("/artefacts?name=a.pdf", data=b"%PDF", content_type="application/pdf").get_json()
    asked = ask(province, park, artefact_id=file["id"])
    assert (asked["state"], asked["person_name"], asked["steps"]) == ("requested", "管理员", [])
    address = f"/qualifications/{asked['id']}"
    assert province.lab.get(f"{address}/evidence").data == b"%PDF"
    assert park.post(f"{address}/grant", {"valid_until": "2026-12-31"}).status_code == 403
    granted = province.lab.post(f"{address}/grant", {"valid_until": "2026-12-31"}, key="k")
    assert (granted.status_code, granted.get_json()["state"]) == (200, "valid"), granted.text
    assert granted.get_json()["steps"][0]["taken_by_name"] == "lab", "the person, not the key"
    assert (
        province.lab.post(f"{address}/grant", {"valid_until": "2026-12-31"}, key="k").get_json() == granted.get_json()
    )
    assert province.lab.post(f"{address}/decline", {"reason": "x"}).get_json()["code"] == "qualification.decided"
    assert standing(province, park)["valid_until"] == "2026-12-31"
    (found,) = park.post("/slots/instruments", DAY).get_json()["items"]
    assert (found["qualification"], found["qualification_state"]) == ("上机培训证", "valid")
    quote = park.post("/quotes", {"lines": [line]}).get_json()
    order = park.post("/orders", {"quote_id": quote["id"]})
    assert order.status_code == 201, order.text
    booking = order.get_json()["lines"][0]["booking"]["id"]
    assert province.lab.get("/unqualified-bookings").get_json()["items"] == []
    revoked = province.lab.post(f"{address}/revoke", {"reason": "违规操作"})
    assert [each["step"] for each in revoked.get_json()["steps"]] == ["granted", "revoked"]
    (lacking,) = province.lab.get("/unqualified-bookings").get_json()["items"]
    assert lacking["id"] == booking
    assert park.get(f"/bookings/{booking}").get_json()["status"] == "booked", "what is booked stays"
    moved = park.post(f"/bookings/{booking}/reschedule", {"starts_at": free(park)[1]["starts_at"]})
    assert moved.get_json()["code"] == "booking.not_qualified"
    assert park.post(f"/orders/{order.get_json()['id']}/cancel").status_code == 200, "cancelling needs none"


def test_an_order_after_the_price_was_asked_is_refused_too(province: Province, park: Caller) -> None:
    asked = ask(province, park)
    province.lab.post(f"/qualifications/{asked['id']}/grant", {"valid_until": "2026-12-31"})
    line = {"offering": "shared-inspection", "request": wish(free(park)[0]) | {"purpose": "断口分析"}}
    quote = park.post("/quotes", {"lines": [line]}).get_json()
    province.lab.post(f"/qualifications/{asked['id']}/revoke", {"reason": "违规操作"})
    refused = park.post("/orders", {"quote_id": quote["id"]})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "booking.not_qualified")


def test_wrong_input_names_its_field(province: Province, park: Caller) -> None:
    lacking = province.lab.put(f"/instruments/{province.instrument}", NEEDED | {"training": ""})
    assert (lacking.status_code, lacking.get_json()["errors"][0]["field"]) == (422, "training")
    asked = ask(province, park)
    past = province.lab.post(f"/qualifications/{asked['id']}/grant", {"valid_until": "2020-01-01"})
    assert (past.status_code, past.get_json()["errors"][0]["field"]) == (422, "valid_until")
    again = park.post("/qualifications", {"instrument_id": str(province.instrument), "evidence": "再次申请"})
    assert again.get_json()["code"] == "qualification.open"
    stranger = province.park(2)
    assert stranger.get("/qualifications").get_json()["items"] == []
    slot = wish(free(stranger)[0])
    for named in (asked["person_id"], asked["park_id"]):
        held = stranger.post("/slot-holds", slot | {"responsible_id": named})
        assert (held.status_code, held.get_json()["errors"][0]["field"]) == (422, "responsible_id")
        series = slot | {"offering": "shared-inspection", "count": 2, "responsible_id": named}
        assert stranger.post("/booking-series/preview", series).status_code == 422
    assert province.operator.get("/qualifications").status_code == 403
    assert province.operator.get("/unqualified-bookings").status_code == 403
