"""From an invoice line to its event, rules and files, and from the event back: the same answer both ways."""

from __future__ import annotations

from tests.support.province import Province
from tests.support.sales import sold_inspection


def test_a_line_and_its_event_trace_to_each_other(province: Province) -> None:
    province.fund()
    park, other = province.park(1), province.park(2)
    order, line = sold_inspection(province, park)
    (delivered,) = park.get("/usage/deliveries").get_json()["items"]
    asked = {"source": delivered["event_source"], "id": delivered["event_id"]}
    before = park.get("/events/trace", query_string=asked).get_json()
    assert (before["standing"], before["line"]) == ("not_invoiced", None)
    assert (delivered["invoice_id"], delivered["gross_fen"]) == (None, 60_000)

    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    forth = park.get(f"/invoices/{row['id']}/lines/1/trace")
    assert forth.status_code == 200, forth.text
    found = forth.get_json()
    assert park.get("/events/trace", query_string=asked).get_json() == found
    assert province.finance.get(f"/invoices/{row['id']}/lines/1/trace").get_json() == found
    assert (found["standing"], found["line"]["number"], found["line"]["line"]) == ("invoiced", row["number"], 1)
    assert found["event"]["meters"] == ["inspection-hours"]
    charge = found["charge"]
    assert charge["order_line_id"] == line
    assert (charge["gross_fen"], charge["price"]["charge"]["model"]) == (60_000, "per_unit")
    assert [each["version"] for each in charge["awards"]] == [1]
    assert sum(each["captured_fen"] for each in charge["holds"]) == charge["subsidy_fen"] > 0
    assert [each["source_kind"] for each in charge["journals"]] == ["delivery"]
    assert found["delivery"]["order_id"] == order
    assert [each["name"] for each in found["delivery"]["artefacts"]] == ["r.pdf"]
    (listed,) = park.get("/usage/deliveries").get_json()["items"]
    assert (listed["invoice_number"], listed["invoice_line"]) == (row["number"], 1)

    assert other.get(f"/invoices/{row['id']}/lines/1/trace").status_code == 404
    assert other.get("/events/trace", query_string=asked).status_code == 404
    assert other.get("/usage/deliveries").get_json()["items"] == []
    assert park.get(f"/invoices/{row['id']}/lines/2/trace").status_code == 404
    assert park.get(f"/invoices/{row['id']}/lines/0/trace").status_code == 404
    assert park.get("/events/trace", query_string={"source": "x"}).status_code == 422
    assert province.lab.get("/events/trace", query_string=asked).status_code == 403


def test_an_event_that_nothing_was_charged_from_and_one_that_two_parks_have(province: Province) -> None:
    parks = [province.park(number) for number in (1, 2)]
    event = {"specversion": "1.0", "id": "e1", "source": "gateway/a", "type": "api.call", "data": {"n": 1}}
    for park in parks:
        whose = park.get("/me").get_json()["park"]["id"]
        assert province.operator.post(f"/events?park_id={whose}", event).status_code == 204
    asked = {"source": "gateway/a", "id": "e1"}
    found = parks[0].get("/events/trace", query_string=asked).get_json()
    assert (found["standing"], found["charge"], found["event"]["data"]) == ("not_charged", None, {"n": 1})
    assert province.finance.get("/events/trace", query_string=asked).status_code == 409
    own = province.finance.get("/events/trace", query_string=asked | {"park_id": found["park_id"]})
    assert own.get_json() == found
