"""The pages of waiting: from a taken slot to a place, what is offered, and what the provider sees."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from tests.api.test_slot_holds import free, wish
from tests.api.test_waiting import clock_round
from tests.support.province import Province
from tests.support.visitor import Visitor


def test_a_taken_slot_leads_to_the_list_and_the_offer_to_the_price(
    province: Province, signed_in: Callable[[str], Visitor]
) -> None:
    province.fund()
    holder, _ = province.park(1), province.park(2)
    slot = free(holder)[0]
    held = holder.post("/slot-holds", wish(slot)).get_json()
    visitor = signed_in("admin2")
    grid = visitor.get("/rent/shared-inspection")
    links = [unescape(each) for each in re.findall(r'<a class="taken" href="([^"]+)"', grid.text)]
    assert len(links) == 1
    form = visitor.get(links[0])
    assert "加入排队" in form.text
    starts_at = re.search(r'name="starts_at" value="([^"]+)"', form.text)
    assert starts_at
    address = f"/waiting/join/{slot['instrument_id']}"
    assert visitor.post(address, {"starts_at": starts_at[1], "slots": "x"}).status_code == 422
    far_out = visitor.get(f"{address}?starts_at=0001-01-01T00:00%2B14:00")
    assert (far_out.status_code, 'name="first_day"' in far_out.text) == (200, True), "such a time cannot be"
    assert visitor.post(address, {"starts_at": "9999-12-31T23:59-12:00", "slots": "1"}).status_code == 422
    assert visitor.post(address, {"first_day": "", "last_day": "", "slots": "1"}).status_code == 422
    shown = visitor.follow(visitor.post(address, {"starts_at": unescape(starts_at[1]), "slots": "1"}))
    assert "排队中" in shown.text
    assert re.search(r'<td class="figure">1</td>', signed_in("lab").get("/instruments").text)
    holder.post(f"/slot-holds/{held['id']}/release")
    assert slot["starts_at"] not in [each["starts_at"] for each in free(holder)], "it goes to who waits"
    (waited,) = re.findall(
        r'<a class="taken" href="([^"]+)"[^>]*>等候中</a>', signed_in("admin1").get("/rent/shared-inspection").text
    )
    assert unescape(waited).partition("?")[0] == links[0].partition("?")[0], "and who comes later can join"
    assert "等候中" not in visitor.get("/rent/shared-inspection").text, "it is theirs who wait alone"
    clock_round(province)
    assert "为您保留至" in visitor.get("/").text
    page = visitor.get("/waiting")
    (accept,) = re.findall(r"/waiting/[0-9a-f-]{36}/accept", page.text)
    assert visitor.post(accept, {"purpose": ""}).status_code == 422
    price = visitor.follow(visitor.post(accept, {"purpose": "水样"}))
    assert 'role="timer"' in price.text
    assert "我的排队" in visitor.get("/slots/holds").text
    declined = visitor.follow(visitor.post(accept.replace("accept", "leave")))
    assert "已放弃" in declined.text
    assert visitor.post(accept, {"purpose": "水样"}).status_code == 409


def test_the_search_leads_to_the_list_where_nothing_is_free(
    province: Province, signed_in: Callable[[str], Visitor]
) -> None:
    holder, park = province.park(1), province.park(2)
    province.operator.post("/slot-hold-terms", {"minutes": 60, "per_park": 100})
    for slot in free(park):
        assert holder.post("/slot-holds", wish(slot)).status_code == 201
    visitor = signed_in("admin2")
    found = visitor.get("/slots?from=2026-03-03&to=2026-03-03")
    links = [unescape(each) for each in re.findall(r'href="(/waiting/join/[^"]+)"', found.text)]
    assert len(links) == 1, found.text
    assert 'value="2026-03-03"' in visitor.get(links[0]).text
    days = {"first_day": "2026-03-03", "last_day": "2026-03-03", "slots": "2"}
    assert "排队中" in visitor.follow(visitor.post(links[0].partition("?")[0], days)).text
    later = visitor.get("/slots?from=2026-03-03&to=2026-03-10").text
    (earlier,) = [unescape(each) for each in re.findall(r'href="(/waiting/join/[^"]+)"', later)]
    assert earlier.partition("?")[2] == "first_day=2026-03-03&last_day=2026-03-03", (
        "up to the day before the first free one"
    )
    wanted = days | {"slots": "1"}
    assert "排队中" in visitor.follow(visitor.post(earlier.partition("?")[0], wanted)).text
    assert "/waiting/join/" not in visitor.get("/slots?from=2026-03-04&to=2026-03-10").text, "nothing is taken"
