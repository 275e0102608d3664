"""Monitoring through forms and the API: meters, readings from a file, rules, alarms, work orders."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from marketplace.usecases import monitoring
from services.formats.readings import Batch
from services.gateways.workdays import is_workday
from services.rules.monitoring.demo_office import office_cooling
from services.usecases import readings, site_alarms
from tenants.kernel.clock import CHINA, ManualClock
from tenants.kernel.context import system_actor
from tests.support.monitored import add_meter, monitored_park
from tests.support.province import Province
from tests.support.visitor import Visitor
from tests.support.web import Caller

Enter = Callable[[str], Visitor]


@pytest.fixture
def site(province: Province) -> tuple[Caller, str]:
    """A park's caller and its monitored site."""
    province.fund()
    return monitored_park(province)


def test_a_meter_is_entered_fed_from_a_file_and_given_a_rule(
    site: tuple[Caller, str], signed_in: Enter, province: Province, clock: ManualClock
) -> None:
    caller, site_id = site
    park = signed_in("admin1")
    form = park.get(f"/sites/{site_id}/meters/new").text
    assert "累计表底" in form
    fields = {
        "code": "T1", "name": "冷库温度", "measures": "temperature", "unit": "°C", "readings": "instant",
        "interval_minutes": "15", "stamps": "start", "multiplier": "1",
    }  # fmt: skip
    wrong = park.post(f"/sites/{site_id}/meters/new", fields | {"unit": "kWh"})
    assert (wrong.status_code, "单位须为" in wrong.text) == (422, True)
    made = park.post(f"/sites/{site_id}/meters/new", fields)
    assert "这段时间没有读数" in park.follow(made).text
    meter_id = made.headers["Location"].rpartition("/")[2]
    rule = {"rule_name": "超温", "kind": "above", "threshold": "-15", "hysteresis": "1", "hold_minutes": "0"}
    assert "须为数字" in park.post(f"/site-meters/{meter_id}/rules", rule | {"threshold": "hot"}).text
    assert "超温" in park.follow(park.post(f"/site-meters/{meter_id}/rules", rule | {"steps": "15,60"})).text
    clock.advance(timedelta(minutes=30))
    file = b"time,T1\n2026-03-02T09:10,-20\n2026-03-02T09:20,-10\n"
    taken = park.post(f"/sites/{site_id}/readings", {"file": (io.BytesIO(file), "t.csv")})
    assert "新增 2 条" in taken.text
    broken = park.post(f"/sites/{site_id}/readings", {"file": (io.BytesIO(b"time,T1\nx,1\n"), "t.csv")})
    assert (broken.status_code, "file[2].time" in broken.text) == (422, True)
    assert "请选择 CSV 文件" in park.post(f"/sites/{site_id}/readings").text
    page = park.get(f"/site-meters/{meter_id}?days=1").text
    assert "data-chart" in page
    worker = system_actor("worker", tenant_id=UUID(caller.get("/me").get_json()["park"]["id"]))
    with province.workshop.work(worker) as work:
        (raised,) = site_alarms.look_at_site(work, site_id=UUID(site_id))
        monitoring.tell_alarm(work, alarm_id=raised.id)
    assert "超温" in park.get("/alarms?open=1").text
    assert "告警“超温”" in park.get("/").text
    assert "告警“超温”" in park.get(f"/sites/{site_id}").text
    after = park.follow(park.post(f"/alarms/{raised.id}/acknowledgement", {"note": "已派人"}))
    assert "已派人" in after.text
    (alarm,) = caller.get("/alarms").get_json()["items"]
    assert (alarm["value"], alarm["level"], alarm["note"]) == (-10, 1, "已派人")
    (kept,) = caller.get(f"/sites/{site_id}/alarm-rules").get_json()["items"]
    assert kept["is_on"]
    assert "停用" in park.follow(park.post(f"/alarm-rules/{kept['id']}/ending")).text
    assert caller.get(f"/sites/{site_id}/alarm-rules").get_json()["items"] == []


def test_a_work_order_is_answered_and_closed_on_its_page(
    site: tuple[Caller, str], signed_in: Enter, province: Province, clock: ManualClock
) -> None:
    caller, site_id = site
    clock.instant = datetime(2026, 3, 2, 9, tzinfo=CHINA)
    meter = add_meter(caller, site_id, "E1", is_main=True)
    assert caller.get(f"/site-meters/{meter['id']}/baseline").status_code == 404
    assert caller.post(f"/site-meters/{meter['id']}/baseline").get_json()["code"] == "baseline.too_little"
    worker = system_actor("worker", tenant_id=UUID(caller.get("/me").get_json()["park"]["id"]))
    first = int(datetime(2026, 1, 5, tzinfo=CHINA).timestamp())
    made = office_cooling(first, 70, seed=3, is_workday=is_workday, balance_c=-12.0)
    with province.workshop.work(worker) as work:
        _send(work, made.at, made.kwh, clock)
        assert monitoring.evaluate_site(work, site_id=UUID(site_id)) == 0
    clock.advance(timedelta(days=8))
    with province.workshop.work(worker) as work:
        _send(work, made.at, made.kwh * 1.4, clock)
        assert monitoring.evaluate_site(work, site_id=UUID(site_id)) == 1
    park = signed_in("admin1")
    (order,) = caller.get("/work-orders?open=true").get_json()["items"]
    assert order["advice"]
    for path, part in (
        ("/work-orders", order["number"]), (f"/work-orders/{order['id']}", "处理建议"), ("/", order["number"]),
        (f"/sites/{site_id}", order["number"]), (f"/site-meters/{meter['id']}", "每日用量与基线"),
    ):  # fmt: skip
        assert part in park.get(path).text, path
    address = f"/work-orders/{order['id']}"
    assert "请用 1 至" in park.post(address, {"action": "close", "outcome": "fixed"}).text
    assert "处理中" in park.follow(park.post(address, {"action": "accept", "note": "去现场"})).text
    again = park.post(address, {"action": "accept"})
    assert (again.status_code, "不允许此操作" in again.text) == (409, True)
    me = caller.post(f"{address}/hand-over", {"person": "018f0000-0000-7000-8000-000000000001"})
    assert (me.status_code, me.get_json()["code"]) == (422, "work_order.person")
    park.post(address, {"action": "note", "note": "已清洗"})
    closed = park.follow(park.post(address, {"action": "close", "outcome": "fixed", "note": "正常"}))
    assert "关闭满 14 天" in closed.text
    steps = caller.get(f"{address}/steps").get_json()["items"]
    assert [each["kind"] for each in steps] == ["found", "accepted", "noted", "closed"]
    forecast = caller.get(f"/site-meters/{meter['id']}/forecast").get_json()
    assert set(forecast["errors"]) == {"boosted", "weekly", "daily"}
    assert len(caller.get(f"/site-meters/{meter['id']}/watch").get_json()["found"]["days"]) >= 5
    fitted = caller.post(f"/site-meters/{meter['id']}/baseline", key="again").get_json()
    assert fitted["version"] == 2
    assert caller.get(f"/site-meters/{meter['id']}/baseline").get_json() == fitted
    english = Visitor(province.app, "en")
    english.sign_in("admin1")
    english.get("/language/en")
    assert "What to do" in english.get(address).text
    assert "Back-test" in english.get(f"/site-meters/{meter['id']}").text


def test_a_sudden_deviation_shows_its_quarters_on_the_page_of_its_work_order(
    site: tuple[Caller, str], signed_in: Enter, province: Province, clock: ManualClock
) -> None:
    caller, site_id = site
    clock.instant = datetime(2026, 3, 2, 9, tzinfo=CHINA)
    add_meter(caller, site_id, "E1", is_main=True)
    worker = system_actor("worker", tenant_id=UUID(caller.get("/me").get_json()["park"]["id"]))
    made = office_cooling(
        int(datetime(2026, 1, 5, tzinfo=CHINA).timestamp()), 70, seed=3, is_workday=is_workday, balance_c=-12.0
    )
    with province.workshop.work(worker) as work:
        _send(work, made.at, made.kwh, clock)
        assert monitoring.evaluate_site(work, site_id=UUID(site_id)) == 0
    since = clock.now().timestamp()
    clock.advance(timedelta(hours=2))
    with province.workshop.work(worker) as work:
        _send(work, made.at, made.kwh * np.where(made.at >= since, 0.1, 1.0), clock)
        assert monitoring.evaluate_site(work, site_id=UUID(site_id)) == 1
    (order,) = caller.get("/work-orders?open=true").get_json()["items"]
    assert (order["cause"], order["surge_from"]) == ("outage", "2026-03-02T01:00:00Z")
    assert order["surge_found"] == "2026-03-02T02:30:00Z"
    park = signed_in("admin1")
    address = f"/work-orders/{order['id']}"
    shown = park.get(address).text
    assert "突发异常" in shown
    assert "每刻钟用量与应有用量" in shown
    closed = park.follow(park.post(address, {"action": "close", "outcome": "fixed", "note": "已合闸"}))
    assert "突发异常不核算节约量" in closed.text


def _send(work: object, at: np.ndarray, kwh: np.ndarray, clock: ManualClock) -> None:
    now = clock.now().astimezone(UTC).timestamp()
    since = now - 8 * 86400 if now > datetime(2026, 3, 5, tzinfo=UTC).timestamp() else 0
    batch = Batch()
    for stamp, value in zip(at.tolist(), kwh.tolist(), strict=True):
        if since <= stamp <= now - 900:
            batch.add("E1", stamp * 1_000_000, value, False)
    readings.take_in(work, batch=batch)  # type: ignore[arg-type]


def test_another_park_sees_nothing_of_it(site: tuple[Caller, str], province: Province) -> None:
    caller, site_id = site
    meter = add_meter(caller, site_id, "T1", measures="temperature", unit="°C", readings="instant")
    rule = caller.post(
        f"/site-meters/{meter['id']}/alarm-rules", {"name": "超温", "kind": "above", "threshold": 1}
    ).get_json()
    stranger, _ = monitored_park(province, number=2)
    for path in (f"/alarm-rules/{rule['id']}/ending", f"/site-meters/{meter['id']}/baseline"):
        assert stranger.post(path).status_code == 404, path
    for path in ("alarm-rules", "meters"):
        assert stranger.get(f"/sites/{site_id}/{path}").status_code == 404
    assert stranger.get("/work-orders").get_json()["items"] == stranger.get("/alarms").get_json()["items"] == []
    assert province.lab.get("/alarms").status_code == 403
