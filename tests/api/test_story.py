"""The main job through HTTP, with its unhappy turns."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import pytest

from tenants.kernel.clock import ManualClock
from tenants.kernel.vocabulary import Tier
from tests.support.calendars import components
from tests.support.databases import RecordingOutbox
from tests.support.parks import PASSWORD, credit_code
from tests.support.province import BRIEF, LEADS, YUAN, Province

TWIN = {"offering": "digital-twin-run", "request": {"demo": True}}
SIGN_UP = {
    "name": "卢氏县绿色食品产业园",
    "uscc": credit_code(50),
    "region_code": "411224",
    "size": "small",
    "login": "lushi",
    "password": PASSWORD,
    "contact_name": "管理员",
}


def test_a_park_joins_and_rents_a_twin_run_at_a_subsidised_price(province: Province, outbox: RecordingOutbox) -> None:
    fund = province.fund()
    signed = province.nobody.post("/parks", SIGN_UP)
    assert signed.status_code == 201, signed.text
    park_id = signed.get_json()["id"]
    park = province.caller("lushi")
    assert park.post("/subscriptions", {"tier": "leading"}).get_json()["code"] == "park.not_verified"
    decided = province.officer.post(f"/parks/{park_id}/verification", {"approve": True, "note": "材料齐全"})
    assert decided.get_json()["verification"] == "verified"
    assert park.post("/subscriptions", {"tier": "leading"}).status_code == 201
    assert park.get("/me").get_json()["park"]["tier"] == "leading"

    quote = park.post("/quotes", {"lines": [TWIN]})
    assert quote.status_code == 201, quote.text
    shown = quote.get_json()
    assert (shown["gross_fen"], shown["subsidy_fen"], shown["payable_fen"]) == (1_000_000, 600_000, 400_000)
    assert shown["lines"][0]["awards"][0]["reasons"] == ["SMALL_LEADING"]

    order = park.post("/orders", {"quote_id": shown["id"]}, key="order-1")
    assert order.status_code == 201, order.text
    assert order.get_json()["lines"][0]["run"]["status"] == "queued"
    assert province.officer.get(f"/funds/{fund}").get_json()["held_fen"] == 600_000
    assert len(outbox.named("run.queued")) == 1
    run = order.get_json()["lines"][0]["run"]["id"]
    assert park.get(f"/runs/{run}").status_code == 200
    order_id = order.get_json()["id"]
    assert park.get(f"/orders/{order_id}/artefacts").get_json() == {"items": [], "next_cursor": None}
    assert [row["id"] for row in park.get("/orders").get_json()["items"]] == [order_id]


def test_the_same_key_orders_once_and_another_body_under_it_is_refused(province: Province) -> None:
    fund = province.fund()
    park = province.park()
    quotes = [park.post("/quotes", {"lines": [TWIN]}).get_json()["id"] for _ in range(2)]
    first = park.post("/orders", {"quote_id": quotes[0]}, key="k1")
    again = park.post("/orders", {"quote_id": quotes[0]}, key="k1")
    assert (again.status_code, again.get_json()) == (first.status_code, first.get_json())
    assert province.officer.get(f"/funds/{fund}").get_json()["held_fen"] == 600_000
    other = park.post("/orders", {"quote_id": quotes[1]}, key="k1")
    assert (other.status_code, other.get_json()["code"]) == (409, "idempotency.key_reused")


def test_cancelling_gives_everything_back_once(province: Province) -> None:
    fund = province.fund()
    park = province.park()
    quote = park.post("/quotes", {"lines": [TWIN]}).get_json()
    order = park.post("/orders", {"quote_id": quote["id"]}).get_json()
    for _ in range(2):
        cancelled = park.post(f"/orders/{order['id']}/cancel", key="cancel")
        assert cancelled.get_json()["status"] == "cancelled"
    balances = province.officer.get(f"/funds/{fund}").get_json()
    assert (balances["held_fen"], balances["available_fen"]) == (0, 1_000_000 * YUAN)


def test_offerings_show_the_list_price_and_what_the_caller_would_pay(province: Province) -> None:
    province.fund()
    park = province.park(tier=Tier.ENHANCED)
    shown = {each["slug"]: each for each in park.get("/offerings").get_json()["items"]}
    leads = shown["ai-leads"]
    assert (leads["list_price_fen"], leads["subsidy_fen"], leads["payable_fen"]) == (300_000, 150_000, 150_000)
    assert leads["included"] is True
    assert shown["digital-twin-run"]["included"] is False
    for_staff = province.finance.get("/offerings?tier=leading").get_json()["items"]
    assert {each["slug"]: each["payable_fen"] for each in for_staff} == {"digital-twin-run": None, "zero-carbon": None}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"uscc": "123"}, "uscc"),
        ({"uscc": credit_code(50)[:-1] + "!"}, "uscc"),
        ({"region_code": "999999"}, "region_code"),
        ({"size": "gigantic"}, "size"),
        ({"password": "short"}, "password"),
        ({"admin": True}, "admin"),
    ],
)
def test_a_wrong_sign_up_says_which_field(province: Province, change: dict[str, object], field: str) -> None:
    answer = province.nobody.post("/parks", SIGN_UP | change)
    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.get_json()["errors"]]


def test_a_credit_code_signs_up_once(province: Province) -> None:
    assert province.nobody.post("/parks", SIGN_UP).status_code == 201
    assert province.nobody.post("/parks", SIGN_UP | {"login": "other"}).status_code == 409


def test_an_expired_quote_is_refused_and_nothing_is_held(province: Province, clock: ManualClock) -> None:
    fund = province.fund()
    park = province.park()
    quote = park.post("/quotes", {"lines": [TWIN]}).get_json()
    clock.advance(timedelta(hours=2))
    answer = park.post("/orders", {"quote_id": quote["id"]}, key="late")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "quote.expired")
    assert province.officer.get(f"/funds/{fund}").get_json()["held_fen"] == 0


def test_a_tier_that_does_not_cover_the_service_is_refused(province: Province) -> None:
    province.fund()
    park = province.park(tier=Tier.BASIC)
    answer = park.post("/quotes", {"lines": [TWIN]})
    assert (answer.status_code, answer.get_json()["code"]) == (403, "subscription.tier_too_low")


def test_a_wrong_request_names_its_field_within_the_order(province: Province) -> None:
    park = province.park()
    wish = {"offering": "ai-leads", "request": BRIEF | {"region_code": "nowhere"}}
    answer = park.post("/quotes", {"lines": [LEADS, wish]})
    assert answer.status_code == 422
    fields = [error["field"] for error in answer.get_json()["errors"]]
    assert fields == ["lines[1].request.region_code"]


def test_the_author_may_not_approve(province: Province) -> None:
    fund = province.officer.post("/funds", {"slug": "f", "name": "甲", "name_en": "A", "year": 2026}).get_json()
    wanted = {"amount_fen": 1, "document_no": "1"}
    asked = province.officer.post(f"/funds/{fund['id']}/appropriations", wanted).get_json()
    path = f"/funds/{fund['id']}/appropriations/{asked['id']}/approval"
    assert province.officer.post(path).status_code == 403
    assert province.approver.post(path).status_code == 200
    assert province.approver.post(path).status_code == 409


def test_a_slot_is_found_ordered_and_reported(province: Province, outbox: RecordingOutbox) -> None:
    province.fund()
    park = province.park()
    wanted = {"offering": "shared-inspection", "from": "2026-03-03T00:00:00+08:00", "to": "2026-03-04T00:00:00+08:00"}
    slots = park.post("/slots/search", wanted).get_json()["items"]
    assert slots
    request = {"instrument_id": slots[0]["instrument_id"], "starts_at": slots[0]["starts_at"], "purpose": "断口分析"}
    quote = park.post("/quotes", {"lines": [{"offering": "shared-inspection", "request": request}]})
    assert quote.status_code == 201, quote.text
    order = park.post("/orders", {"quote_id": quote.get_json()["id"]}, key="slot").get_json()
    booking = order["lines"][0]["booking"]["id"]
    assert park.post("/quotes", {"lines": [{"offering": "shared-inspection", "request": request}]}).status_code == 409
    calendar = park.get(f"/bookings/{booking}.ics")
    assert calendar.mimetype == "text/calendar"
    (event,) = components(calendar.data)
    assert (event["SEQUENCE"], event["STATUS"]) == (0, "CONFIRMED")
    assert event["DTSTART"].dt == datetime.fromisoformat(request["starts_at"])
    path = f"/bookings/{booking}/report?passed=true&name=report.pdf"
    assert park.post(path, data=b"%PDF", content_type="application/pdf").status_code == 403
    reported = province.lab.post(path, data=b"%PDF", content_type="application/pdf", key="r1")
    assert reported.get_json()["status"] == "reported", reported.text
    again = province.lab.post(path, data=b"%PDF", content_type="application/pdf", key="r1")
    assert again.get_json() == reported.get_json()
    assert len(outbox.named("inspection.reported")) == 1
    (later,) = components(park.get(f"/bookings/{booking}.ics").data)
    assert (later["UID"], later["SEQUENCE"]) == (event["UID"], 1), "a calendar updates the event that it has"
    (report,) = park.get(f"/orders/{order['id']}/artefacts").get_json()["items"]
    content = park.client.get(report["url"], headers={"Authorization": f"Bearer {park.token}"})
    assert content.data == b"%PDF"
    assert content.headers["Content-Disposition"].startswith("attachment")


def test_files_come_in_by_form_or_as_the_body(province: Province) -> None:
    park = province.park()
    by_form = park.post("/artefacts", data={"file": (BytesIO(b"a,b"), "负荷.csv")}, content_type="multipart/form-data")
    as_body = park.post("/artefacts?name=load.csv", data=b"a,b", content_type="text/csv")
    assert by_form.status_code == as_body.status_code == 201, by_form.text
    assert by_form.get_json()["name"] == "负荷.csv"
    assert by_form.get_json()["sha256"] == as_body.get_json()["sha256"]
    assert park.post("/artefacts", data={}, content_type="multipart/form-data").status_code == 422
    assert park.post("/artefacts?name=x", data=b"", content_type="text/csv").status_code == 422


@pytest.mark.parametrize(("size", "status"), [(1 << 20, 201), (12 << 20, 413)])
def test_a_file_that_comes_in_pieces_is_kept_whole_or_refused(province: Province, size: int, status: int) -> None:
    park = province.park()
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    bodies = {"text/csv": b"x" * size, "multipart/form-data; boundary=b": head + b"x" * size + b"\r\n--b--\r\n"}
    for kind, body in bodies.items():
        answer = park.post(
            "/artefacts",
            input_stream=BytesIO(body),
            content_type=kind,
            environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
        )
        assert answer.status_code == status, answer.text
        assert answer.get_json().get("size_bytes", size) == size


def test_events_are_taken_once_alone_and_in_batches(province: Province) -> None:
    park = province.park()
    park_id = park.get("/me").get_json()["park"]["id"]
    event = {"specversion": "1.0", "id": "1", "source": "meter/1", "type": "energy", "data": {"kwh": 1.5}}
    single = {"json": None, "content_type": "application/cloudevents+json"}
    path = f"/events?park_id={park_id}"
    for _ in range(2):
        answer = province.operator.post(path, data=json.dumps(event), content_type=single["content_type"])
        assert (answer.status_code, answer.data) == (204, b"")
    batch = json.dumps([event, event | {"id": "2"}])
    answer = province.operator.post(path, data=batch, content_type="application/cloudevents-batch+json")
    assert answer.status_code == 204
    changed = json.dumps(event | {"data": {"kwh": 2}})
    answer = province.operator.post(path, data=changed, content_type="application/cloudevents+json")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "event.conflict")
    answer = province.operator.post(path, data=b"{}", content_type="application/cloudevents-batch+json")
    assert answer.status_code == 422


def test_a_park_sends_and_corrects_its_own_events(province: Province) -> None:
    """Single, as a batch and as plain JSON, as the public OpenMeter client sends them; per-item answers when asked for."""
    park = province.park()
    event = {"specversion": "1.0", "id": "1", "source": "meter/1", "type": "energy", "data": {"kwh": 1.5}}

    def send(body: Any, kind: str, path: str = "/events") -> Any:
        return park.post(path, data=json.dumps(body), content_type=kind)

    batch = "application/cloudevents-batch+json"
    assert send(event, "application/cloudevents+json").status_code == 204
    assert send([event, event | {"id": "2"}], batch).status_code == 204
    assert send(event | {"id": "3"}, "application/json").status_code == 204
    assert send([event | {"id": "4"}], "application/json").status_code == 204
    assert (
        send(event | {"id": "5", "correctsid": "1", "data": {"kwh": 2}}, "application/cloudevents+json").status_code
        == 204
    )
    refused = send(event | {"source": "marketplace/twin"}, "application/cloudevents+json")
    assert (refused.status_code, refused.get_json()["errors"][0]["code"]) == (422, "event.reserved_source")
    mixed = [
        event,
        event | {"id": "6"},
        event | {"id": "7", "data": {"text": "x" * 2**20}},
        event | {"id": "2", "data": {}},
    ]
    answer = send(mixed, batch, "/events?partial=true")
    taken = answer.get_json()
    assert (answer.status_code, taken["accepted"], taken["duplicates"], taken["unmetered"]) == (200, 1, 1, 3)
    found = [(each["index"], each["id"], each["field"], each["code"]) for each in taken["rejected"]]
    assert found == [(2, "7", "events[2].data", "event.too_large"), (3, "2", "events[3]", "event.conflict")]
    assert "data.kwh" in taken["rejected"][1]["detail"]
    not_finite = park.post(
        "/events", data=json.dumps(event | {"id": "8", "data": {"kwh": float("inf")}}), content_type="application/json"
    )
    assert not_finite.status_code == 422
    first = park.get("/events?source=meter/1&id=1").get_json()
    assert (first["corrected_by"], first["meters"], first["order_line_id"]) == (["meter/1", "5"], [], None)
    assert park.get("/events?source=meter/1&id=99").status_code == 404
    assert province.park(2).get("/events?source=meter/1&id=1").status_code == 404
    rejected = park.get("/rejected-events").get_json()["items"]
    assert {(each["id"], each["code"]) for each in rejected} == {("7", "event.too_large"), ("2", "event.conflict")}
    told = park.get("/rejected-events", query_string={"lang": "en"})
    assert {each["reason"] for each in told.get_json()["items"]}.isdisjoint(each["reason"] for each in rejected)
    many = send([{"id": str(number)} for number in range(100_000)], batch, "/events?partial=true")
    assert (many.status_code, many.get_json()["code"]) == (413, "event.too_many")


def test_the_operator_makes_and_lays_down_meters(province: Province) -> None:
    """As the public OpenMeter client does; a meter counts what came before it, and is never edited."""
    park, operator = province.park(), province.operator
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "gateway",
        "type": "water",
        "subject": "b-1",
        "time": "2026-03-01T08:00:00+08:00",
        "data": {"m3": 2.5},
    }
    batch = [event, event | {"id": "2", "data": {"m3": 4}}, event | {"id": "3", "data": {"m3": -1}}]
    assert park.post("/events", data=json.dumps(batch), content_type="application/json").status_code == 204
    meter = {
        "slug": "water", "eventType": "water", "aggregation": "SUM", "valueProperty": "$.m3", "allowNegative": False,
        "groupBy": {"building": "$.building"}, "description": "Water",
    }  # fmt: skip
    assert park.post("/meters", meter).status_code == 403
    made = operator.post("/meters", meter)
    assert (made.status_code, made.get_json()["aggregation"], made.get_json()["name"]) == (201, "SUM", "Water")
    again = operator.post("/meters", meter | {"aggregation": "MAX"})
    assert (again.status_code, again.get_json()["code"]) == (409, "meter.slug_taken")
    assert operator.post("/meters", meter | {"slug": "Bad Slug!"}).status_code == 422
    assert operator.post("/meters", meter | {"slug": "x", "aggregation": "MEDIAN"}).status_code == 422
    assert operator.post("/meters", meter | {"slug": "x", "valueProperty": None}).status_code == 422
    answer = park.get("/meters/water/query?windowSize=MONTH&subject=b-1")
    assert [row["value"] for row in answer.get_json()["data"]] == [6.5], "it does not see the negative one"
    refused = park.post(
        "/events", data=json.dumps(event | {"id": "4", "data": {"m3": -2}}), content_type="application/json"
    )
    assert refused.get_json()["errors"][0]["code"] == "event.negative"
    assert park.delete("/meters/water").status_code == 403
    for _ in range(2):
        assert operator.delete("/meters/water").status_code == 204
    assert operator.delete("/meters/none").status_code == 404
    assert "water" not in [each["slug"] for each in park.get("/meters").get_json()]
    assert park.get("/meters/water").get_json()["archivedAt"]
    assert [row["value"] for row in park.get("/meters/water/query").get_json()["data"]] == [6.5]
