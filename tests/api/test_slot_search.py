"""Slots through the API: instruments by what they can do and cost, and times at which several are free."""

from __future__ import annotations

from typing import Any

from services.usecases import instruments
from tenants.kernel.context import system_actor
from tests.support.province import Province

SPAN = {"from": "2026-03-03T09:00:00+08:00", "to": "2026-03-10T09:00:00+08:00"}


def test_instruments_are_found_by_price_after_subsidy(province: Province) -> None:
    province.fund()
    park = province.park()

    def found(**more: Any) -> list[dict[str, Any]]:
        answer = park.post("/slots/instruments", SPAN | more)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.get_json()["items"]
        return items

    (one,) = found()
    assert one["instrument_id"] == str(province.instrument)
    assert one["starts_at"] == "2026-03-03T01:00:00Z"
    assert one["payable_fen"] <= one["gross_fen"]
    assert found(most_payable_fen=one["payable_fen"]) == [one]
    assert found(most_payable_fen=one["payable_fen"] - 1) == []
    assert found(method="no such method") == []
    assert park.post("/slots/instruments", SPAN | {"to": SPAN["from"]}).status_code == 422


def test_several_are_found_at_once(province: Province) -> None:
    with province.workshop.work(system_actor("test")) as work:
        first = instruments.read_instrument(work, instrument_id=province.instrument)
        other = instruments.add_instrument(work, offering=first.offering, name="第二台", region_code="510104")
    park = province.park()
    wanted = {"instrument_ids": [str(first.id), str(other.id)], "slots": 2, "limit": 1}
    answer = park.post("/slots/together", SPAN | wanted)
    assert answer.get_json()["items"] == [
        {"starts_at": "2026-03-03T01:00:00Z", "ends_at": "2026-03-03T03:00:00Z", "over_quota": []}
    ]
    alone = park.post("/slots/together", SPAN | wanted | {"instrument_ids": [str(first.id)]})
    assert alone.status_code == 422
