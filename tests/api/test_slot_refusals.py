"""What cannot be booked is refused at the park's door with the reason and the nearest time that can be, by price and by hold."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from services.rules.slots import Hours
from services.usecases import instruments
from tenants.kernel.clock import CHINA, ManualClock
from tenants.kernel.context import system_actor
from tests.support.parks import credit_code, verified_park
from tests.support.province import Province
from tests.support.services import provider_person

TUESDAY = datetime(2026, 3, 3, 9, tzinfo=CHINA)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REFUSED = [
    (TUESDAY - DAY, 2, "slot.past", "2026-03-02 1"),
    (TUESDAY - 2 * HOUR, 2, "slot.outside_hours", "2026-03-03 09:00"),
    (TUESDAY + 9 * HOUR, 2, "slot.outside_hours", "2026-03-03 15:00"),
    (TUESDAY + timedelta(minutes=20), 2, "slot.off_grid", "2026-03-03 09:00"),
    (TUESDAY, 1, "slot.too_short", "不少于 2 档"),
    (TUESDAY, 9, "slot.too_long", "不多于 4 档"),
    (TUESDAY + 7 * HOUR, 2, "slot.past_closing", "2026-03-03 15:00"),
    (TUESDAY + 4 * DAY, 2, "slot.closed_day", "2026-03-06 15:00"),
    (datetime(2026, 5, 1, 9, tzinfo=CHINA), 2, "slot.closed_day", "2026-04-30 15:00"),
    (TUESDAY + 100 * DAY, 2, "slot.too_far", "2026-0"),
]


def change(province: Province, parks: list[str] | None = None) -> None:
    with province.workshop.work(system_actor("test")) as work:
        provider_id = instruments.read_instrument(work, instrument_id=province.instrument).provider_id
    with province.workshop.work(provider_person(provider_id)) as work:
        hours = Hours(9, 17, 60, min_slots=2, max_slots=4, max_notice_days=90)
        instruments.change_instrument(work, instrument_id=province.instrument, hours=hours, parks=parks)


@pytest.mark.parametrize("door", ["price", "hold"])
def test_each_impossible_time_is_refused_with_the_nearest_possible_one(province: Province, door: str) -> None:
    province.fund()
    park = province.park(1)
    change(province)
    for starts_at, slots, code, nearest in REFUSED:
        asked: dict[str, Any] = {
            "instrument_id": str(province.instrument), "starts_at": starts_at.isoformat(), "slots": slots,
        }  # fmt: skip
        if door == "hold":
            answer = park.post("/slot-holds", asked)
        else:
            line = {"offering": "shared-inspection", "request": asked | {"purpose": "断口分析"}}
            answer = park.post("/quotes", {"lines": [line]})
        if slots > 8:
            assert answer.status_code == 422
            continue
        said = answer.get_json()
        assert (answer.status_code, said["code"]) == (422, code), said
        assert nearest in answer.text, said


def test_a_year_without_a_calendar_is_refused_with_the_last_day_that_is_known(
    province: Province, clock: ManualClock
) -> None:
    park = province.park(1)
    clock.instant = datetime(2026, 12, 28, 12, tzinfo=CHINA)
    asked = {"instrument_id": str(province.instrument), "starts_at": "2027-01-04T09:00:00+08:00", "slots": 2}
    answer = park.post("/slot-holds", asked)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "slot.no_calendar"), answer.text
    assert "2027" in answer.text
    assert "2026-12-31" in answer.text


def test_another_parks_private_instrument_is_not_there(province: Province) -> None:
    province.fund()
    park = province.park(1)
    verified_park(province.workshop, 2)
    change(province, [credit_code(2)])
    asked = {"instrument_id": str(province.instrument), "starts_at": TUESDAY.isoformat(), "slots": 2}
    answer = park.post("/slot-holds", asked)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "instrument.not_found")
    line = {"offering": "shared-inspection", "request": asked | {"purpose": "断口分析"}}
    priced = park.post("/quotes", {"lines": [line]})
    assert (priced.status_code, priced.get_json()["code"]) == (422, "instrument.not_found")
    assert park.get(f"/instruments/{province.instrument}").status_code == 404
