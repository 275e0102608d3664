"""The pages of held slots: the price with the time left, the park's list, and the operator's rule."""

from __future__ import annotations

from collections.abc import Callable

from tests.api.test_slot_holds import free
from tests.support.province import Province
from tests.support.visitor import Visitor


def test_the_pages_show_the_time_left_and_release(province: Province, signed_in: Callable[[str], Visitor]) -> None:
    province.fund()
    caller = province.park(1)
    park = signed_in("admin1")
    slot = free(caller)[0]
    form = {"slot": f"{slot['instrument_id']}@{slot['starts_at']}", "slots": "1", "purpose": "水样"}
    asked = park.post("/rent/shared-inspection", form)
    assert asked.status_code == 303, asked.text
    page = park.get(asked.headers["Location"])
    assert 'role="timer"' in page.text
    (held,) = caller.get("/slot-holds").get_json()["items"]
    assert f"/slots/holds/{held['id']}/release" in park.get("/slots/holds").text
    assert park.post(f"/slots/holds/{held['id']}/release", {}).status_code == 303
    assert 'role="timer"' not in park.get("/slots/holds").text
    assert park.get("/slots/hold-terms").status_code == 403
    operator = signed_in("operator")
    assert operator.post("/slots/hold-terms", {"minutes": "x", "per_park": "3"}).status_code == 422
    assert operator.post("/slots/hold-terms", {"minutes": "12", "per_park": "3"}).status_code == 303
    assert 'value="12"' in operator.get("/slots/hold-terms").text
