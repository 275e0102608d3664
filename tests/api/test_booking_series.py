"""Series by the API: preview, price, order, and cancelling from a day on."""

from __future__ import annotations

from tests.api.test_calendar_feeds import DAY
from tests.support.province import Province


def test_a_series_is_previewed_priced_ordered_and_cancelled(province: Province) -> None:
    province.fund()
    park = province.park(1)
    found = park.post("/slots/search", {"offering": "shared-inspection"} | DAY).get_json()["items"][0]
    rule = {
        "offering": "shared-inspection", "instrument_id": found["instrument_id"], "starts_at": found["starts_at"],
        "every": 2, "count": 3,
    }  # fmt: skip
    seen = park.post("/booking-series/preview", rule)
    assert seen.status_code == 200, seen.text
    assert [each["state"] for each in seen.get_json()["items"]] == ["free", "free", "free"]
    both = park.post("/booking-series/preview", rule | {"until": "2026-04-30"})
    assert (both.status_code, both.get_json()["errors"][0]["field"]) == (422, "count")
    asked = park.post("/booking-series", rule | {"purpose": "断口分析"}, key="once")
    assert asked.status_code == 201, asked.text
    price = asked.get_json()
    assert park.post("/booking-series", rule | {"purpose": "断口分析"}, key="once").get_json() == price
    assert park.get(f"/booking-series/{price['id']}").status_code == 404, "nothing is booked yet"
    order = park.post("/orders", {"quote_id": price["quote_id"]}).get_json()
    assert [line["booking"]["series_number"] for line in order["lines"]] == [1, 2, 3]
    assert sum(line["payable_fen"] for line in order["lines"]) == price["payable_fen"]
    series = park.get(f"/booking-series/{price['id']}").get_json()
    assert [each["starts_at"][:10] for each in series["bookings"]] == ["2026-03-03", "2026-03-17", "2026-03-31"]
    assert park.get("/booking-series").get_json()["items"][0]["id"] == price["id"]
    stranger = province.park(2)
    assert stranger.post(f"/booking-series/{price['id']}/cancel", {"from_day": "2026-03-17"}).status_code == 404
    assert stranger.get("/booking-series").get_json()["items"] == []
    for _ in range(2):
        gone = park.post(f"/booking-series/{price['id']}/cancel", {"from_day": "2026-03-17"})
        assert [each["status"] for each in gone.get_json()["bookings"]] == ["booked", "cancelled", "cancelled"]
    again = park.post("/booking-series/preview", rule | {"every": 1}).get_json()["items"]
    assert [each["state"] for each in again] == ["taken", "free", "free"]
    assert again[0]["nearest"]
    refused = park.post("/booking-series", rule | {"purpose": "断口分析"})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "series.not_all_free")
