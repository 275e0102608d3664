"""Adjustments through HTTP: once for a key, by two above the limit, traced both ways; and on finance's pages."""

from __future__ import annotations

from tenants.kernel.vocabulary import Role
from tests.support.parks import colleague
from tests.support.province import Province
from tests.support.sales import sold_inspection


def test_an_adjustment_is_charged_by_one_or_two_and_read_by_the_park(province: Province) -> None:
    province.fund()
    park, other = province.park(1), province.park(2)
    sold_inspection(province, park)
    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    wish = {"invoice_id": row["id"], "line": 1, "amount_fen": 5_000, "reason": "漏计一小时"}
    for refused in (park, province.officer, province.operator, province.lab):
        assert refused.post("/adjustments", wish).status_code == 403
    lowering = province.finance.post("/adjustments", wish | {"amount_fen": 0})
    assert (lowering.status_code, lowering.get_json()["errors"][0]["field"]) == (422, "amount_fen")
    first = province.finance.post("/adjustments", wish, key="one")
    assert first.status_code == 201, first.text
    made = first.get_json()
    assert province.finance.post("/adjustments", wish, key="one").get_json() == made
    assert (made["status"], made["period"], made["invoice_number"]) == ("charged", "2026-03", row["number"])

    province.operator.post("/invoice-settings", {"grace_days": 3, "alone_up_to_fen": 0})
    large = province.finance.post("/adjustments", wish).get_json()
    assert (large["status"], large["by_two"]) == ("asked", True)
    assert [each["id"] for each in park.get("/adjustments").get_json()["items"]] == [made["id"]]
    assert park.get(f"/adjustments/{large['id']}").status_code == 404
    own = province.finance.post(f"/adjustments/{large['id']}/approval")
    assert (own.status_code, own.get_json()["code"]) == (409, "adjustment.same_person")
    second = province.caller(colleague(province.workshop, "finance", Role.FINANCE))
    assert second.post(f"/adjustments/{large['id']}/approval").get_json()["status"] == "charged"
    assert second.post(f"/adjustments/{large['id']}/refusal").status_code == 409

    found = park.get(f"/events/trace?source={made['event_source']}&id={made['event_id']}").get_json()
    assert (found["standing"], found["charge"]["price"]["charge"]["reason"]) == ("not_invoiced", "漏计一小时")
    assert other.get("/adjustments").get_json()["items"] == []
    assert other.get(f"/adjustments/{made['id']}").status_code == 404
    usage = park.get("/usage?from=2026-02-28T16:00:00Z&to=2026-03-31T16:00:00Z").get_json()["items"]
    assert {each["key"]: each["gross_fen"] for each in usage}["adjustment"] == 10_000
