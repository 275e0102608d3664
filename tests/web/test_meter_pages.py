"""Pages of meters and events: the operator makes and watches meters; a park sees what became of what it sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape

from tests.support.province import Province
from tests.support.sales import sold_inspection
from tests.support.visitor import Visitor
from tests.support.web import Caller

Enter = Callable[[str], Visitor]
METER = {
    "slug": "water", "name": "用水", "event_type": "water", "aggregation": "sum", "value_property": "$.m3",
    "group_by": "building=$.building\nuse=$.use", "filters": "$.use=kitchen, garden", "allow_negative": "no",
}  # fmt: skip


def event(number: int, **fields: object) -> dict[str, object]:
    """Return an event of the park's water gauge."""
    return {
        "specversion": "1.0", "id": f"w-{number}", "source": "gateway", "type": "water", "subject": "b-1",
        "time": "2026-03-01T08:00:00+08:00", "data": {"m3": 2.5, "use": "garden", "building": "b-1"}, **fields,
    }  # fmt: skip


def send(caller: Caller, *events: object, partial: bool = False) -> None:
    """Send events as a batch."""
    path = f"/events{'?partial=true' if partial else ''}"
    answer = caller.post(path, data=json.dumps(events), content_type="application/json")
    assert answer.status_code in (200, 204), answer.text


def rows_of(text: str) -> list[str]:
    """Return the rows of a page's tables without their marks."""
    rows = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split()) for row in rows]


def row_with(text: str, word: str) -> str:
    """Return the first row that says ``word``."""
    return next(row for row in rows_of(text) if word in row)


def test_the_operator_makes_a_meter_for_what_none_counts(province: Province, signed_in: Enter) -> None:
    park = province.park()
    send(park, event(1), event(2, data={"m3": 4, "use": "kitchen"}), event(3, data={"m3": 9, "use": "pool"}))
    send(park, event(4, type="steam"), event(5, type="a" * 80), event(1, data={"m3": 7}), partial=True)
    operator = signed_in("operator")
    page = operator.get("/meters")
    assert page.status_code == 200, page.text
    assert [word for word in ("steam", "water", "a" * 80) if word not in page.text] == []
    assert "event_type=steam#new" in page.text
    assert "data.m3" in row_with(page.text, "event.conflict"), "it says what differs"
    assert "w-1" in row_with(page.text, "event.conflict")
    assert 'value="steam"' in operator.get("/meters?event_type=steam").text

    made = operator.follow(operator.post("/meters", METER))
    assert "6.5" in row_with(made.text, "2026-03-01"), "it counts what came before it, of the uses it was told"
    assert "data-chart" in made.text
    listed = operator.get("/meters").text
    assert row_with(listed, "用水").startswith("用水 water water 求和 $.m3 building、use 2026-03-")
    assert "event_type=water#new" not in listed
    operator.get("/language/en")
    english = operator.get("/meters").text
    assert "Event types without a meter" in english
    assert "Sum" in row_with(english, "用水")
    operator.get("/language/zh")

    operator.get("/meters/water")
    laid_down = operator.follow(operator.post("/meters/water/archive"))
    assert ("已停用" in laid_down.text, "停用计量" in laid_down.text, "6.5" in laid_down.text) == (True, False, True)
    listed = operator.get("/meters").text
    assert ("用水" in listed, "event_type=water#new" in listed) == (False, True)
    assert operator.get("/meters/none").status_code == 404
    assert operator.post("/meters/none/archive").status_code == 404


def test_a_refused_meter_says_what_is_wrong_at_its_field(province: Province, signed_in: Enter) -> None:
    province.fund()
    sold_inspection(province, province.park())
    operator = signed_in("operator")
    operator.get("/meters")
    for changes, field, status in (
        ({"slug": "Bad Slug!"}, "slug", 422),
        ({"slug": "inspection-hours"}, "slug", 409),
        ({"value_property": ""}, "value_property", 422),
        ({"value_property": "m3"}, "value_property", 422),
        ({"event_type": ""}, "event_type", 422),
        ({"event_type": "a" * 80}, "event_type", 422),
        ({"aggregation": "median"}, "aggregation", 422),
        ({"group_by": "building"}, "group_by", 422),
        ({"group_by": "a=$.x\na=$.y"}, "group_by", 422),
        ({"group_by": "a=x"}, "group_by", 422),
        ({"filters": "use=a"}, "filters", 422),
    ):
        page = operator.post("/meters", METER | changes)
        assert page.status_code == status, (changes, page.status_code)
        assert f'id="e-{field}"' in page.text, changes
        assert "building" in page.text or "group_by" in changes, "what was typed is kept"
    charged = event_type_of(operator.get("/meters").text, "inspection-hours")
    page = operator.post("/meters", METER | {"event_type": charged})
    assert (page.status_code, 'id="e-event_type"' in page.text) == (409, True)
    assert operator.client.post("/meters", base_url="https://localhost", data=METER).status_code == 403
    assert "用水" not in operator.get("/meters").text


def event_type_of(text: str, slug: str) -> str:
    """Return the type of events that a listed meter counts."""
    found = re.search(rf"<code[^>]*>{slug}</code></small></td><td><code[^>]*>([^<]+)<", text)
    assert found
    return found[1]


def test_only_the_operator_opens_meters(province: Province, signed_in: Enter) -> None:
    province.park()
    for login in ("admin1", "officer", "finance"):
        somebody = signed_in(login)
        assert 'href="/meters"' not in somebody.get("/").text
        for path in ("/meters", "/meters/inspection-hours"):
            assert somebody.get(path).status_code == 403, (login, path)
        somebody.get("/")
        assert somebody.post("/meters", METER).status_code == 403, login
        assert somebody.post("/meters/inspection-hours/archive").status_code == 403, login
    assert 'href="/meters"' in signed_in("operator").get("/").text
    assert signed_in("operator").get("/usage/events").status_code == 403, "it acts for no park"


def test_a_park_sees_what_became_of_its_events(province: Province, signed_in: Enter) -> None:
    province.fund()
    park = province.park()
    sold_inspection(province, park)
    operator = signed_in("operator")
    operator.get("/meters")
    operator.post("/meters", METER)
    send(park, event(1), event(2), event(3, data={"m3": 1, "use": "pool"}))
    send(
        park,
        event(4, correctsid="w-1"),
        event(5, correctsid="w-2", correction="void", data={}),
        event(2, subject="b-2"),
        partial=True,
    )
    admin = signed_in("admin1")
    assert 'href="/usage/events"' in admin.get("/").text
    page = admin.get("/usage/events")
    assert page.status_code == 200, page.text
    assert "已被更正： w-4" in row_with(page.text, "gateway w-1 ")
    assert "未计入" in row_with(page.text, "gateway w-1 ")
    assert "已被更正： w-5" in row_with(page.text, "gateway w-2 ")
    assert "作废： w-2" in row_with(page.text, "gateway w-5 ")
    assert "更正： w-1" in row_with(page.text, "gateway w-4 ")
    assert " water " in row_with(page.text, "gateway w-4 ").partition("08:00")[2]
    assert "未计入 只计数，未计费" in row_with(page.text, "gateway w-3 "), "the meter leaves its use out"
    assert "event.conflict" in page.text
    sold = row_with(page.text, "inspection-hours")
    assert "标价 ¥600.00" in sold
    assert "列入下一张账单" in sold
    (row,) = province.finance.post("/invoices", {"period": "2026-03"}).get_json()["items"]
    sold = row_with(admin.get("/usage/events").text, "inspection-hours")
    assert f"账单 {row['number']} 第 1 行" in sold
    assert "迟到" not in sold, "it stands on its own month's invoice"
    assert f'href="/invoices/{row["id"]}/lines/1"' in admin.get("/usage/events").text
    send(park, event(9, time="2026-02-28T08:00:00+08:00"))
    assert "迟到" in row_with(admin.get("/usage/events").text, "gateway w-9 ")
    late = park.get("/events", query_string={"source": "gateway", "id": "w-9"}).get_json()
    assert (late["late"], late["billing"], late["period"]) == (True, "not_billed", "2026-02")
    trace = re.search(r'href="(/usage/event\?source=gateway[^"]*id=w-4)"', page.text)
    assert trace
    assert admin.get(unescape(trace[1])).status_code == 200

    only = admin.get("/usage/events?type=water").text
    assert ("w-3" in only, "inspection-hours" in only) == (True, False)
    day = re.search(r"<td class=\"text-nowrap\">(2026-03-\d\d)", only)
    assert day
    assert "w-3" in admin.get(f"/usage/events?type=water&day={day[1]}").text
    assert "没有符合条件的事件" in admin.get("/usage/events?day=2026-02-01").text
    wrong = admin.get("/usage/events?day=nonsense")
    assert (wrong.status_code, 'id="e-day"' in wrong.text) == (422, True)
    assert admin.get("/usage/events?cursor=nonsense").status_code == 422
    admin.get("/language/en")
    english = admin.get("/usage/events").text
    for said in ("Corrected by:", "Not counted", "On invoice", "Recently refused events"):
        assert said in english, said

    province.park(2)
    stranger = signed_in("admin2").get("/usage/events").text
    assert ("gateway" in stranger, "没有符合条件的事件" in stranger) == (False, True)


def test_a_cursor_parts_events_of_one_moment(province: Province, signed_in: Enter) -> None:
    park = province.park()
    send(park, *(event(number) for number in range(120)))
    admin, found, address = signed_in("admin1"), [], "/usage/events?type=water"
    for _ in range(3):
        page = admin.get(address).text
        found += re.findall(r"href=\"/usage/event\?source=gateway&amp;id=(w-\d+)\"", page)
        following = re.search(r'href="([^"]*cursor=[^"]*)"', page)
        address = unescape(following[1]) if following else ""
    assert address == ""
    assert (len(found), len(set(found))) == (120, 120), "each is shown once, although all came in at one moment"


def test_a_level_is_asked_for_in_its_unit(province: Province, signed_in: Enter) -> None:
    park, operator = province.park(), signed_in("operator")
    form = {"slug": "seats", "name": "席位", "event_type": "seats.changed", "aggregation": "weighted_sum",
            "value_property": "$.by", "unit": "席"}  # fmt: skip
    operator.get("/meters")
    wrong = operator.post("/meters", form | {"unit": "x" * 33})
    assert (wrong.status_code, "e-unit" in wrong.text) == (422, True)
    assert "席" in operator.follow(operator.post("/meters", form)).text
    send(
        park,
        {"specversion": "1.0", "id": "1", "source": "s", "type": "seats.changed", "subject": "b",
         "time": "2026-02-20T00:00:00+08:00", "data": {"by": 4}},
        {"specversion": "1.0", "id": "2", "source": "s", "type": "seats.changed", "subject": "b",
         "time": "2026-03-01T12:00:00+08:00", "data": {"by": -2}},
    )  # fmt: skip
    (told,) = [each for each in park.get("/meters").get_json() if each["slug"] == "seats"]
    assert (told["unit"], told["aggregation"]) == ("席", "WEIGHTED_SUM")
    asked = {
        "windowTimeZone": "Asia/Shanghai",
        "from": "2026-02-28T00:00:00+08:00",
        "to": "2026-03-02T00:00:00+08:00",
        "windowSize": "DAY",
    }
    answer = park.get("/meters/seats/query", query_string=asked).get_json()
    assert [each["value"] for each in answer["data"]] == [4, 3]
    page = operator.get("/meters/seats").text
    assert "<dt>单位</dt><dd>席</dd>" in page
    assert "2026-02-28" in page
