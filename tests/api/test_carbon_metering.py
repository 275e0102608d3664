"""Metered months of the carbon ledger and a site's hours, from readings that came through their own door."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tenants.kernel.clock import CHINA
from tests.support.carbon import CARBON, year_of
from tests.support.monitored import add_meter, monitored_park
from tests.support.province import Province
from tests.support.web import Caller

FEBRUARY = datetime(2026, 2, 1, tzinfo=CHINA)
QUARTERS = 28 * 96


@pytest.fixture
def site(province: Province) -> tuple[Caller, str]:
    """A park's caller and its site with monitoring and carbon monitoring."""
    return monitored_park(province, "energy-monitoring", CARBON)


def send(caller: Caller, code: str, kwh: float, *, places: range = range(QUARTERS)) -> None:
    """Send readings of February's quarters of an hour, each ``kwh``."""
    values = [[(FEBRUARY + timedelta(minutes=15 * place)).isoformat(), kwh] for place in places]
    answer = caller.post("/readings", {"series": [{"meter": code, "values": values}]})
    assert answer.status_code == 200, answer.text


def record(caller: Caller, site_id: str, meter: dict[str, Any], **changes: str) -> Any:
    wish = {"meter_id": meter["id"], "month": "2026-02", "category": "electricity"} | changes
    return caller.post(f"/sites/{site_id}/carbon/metered", wish)


def test_a_month_of_readings_becomes_a_record_and_late_readings_a_correction(site: tuple[Caller, str]) -> None:
    """25 kWh a quarter is 67.2 MWh; four more quarters at 50 kWh later are a correction of 100 kWh."""
    caller, site_id = site
    meter = add_meter(caller, site_id, "e1")
    send(caller, "e1", 25.0, places=range(QUARTERS - 40))
    gaps = record(caller, site_id, meter)
    assert (gaps.status_code, gaps.get_json()["code"]) == (409, "carbon.gaps")
    assert "10" in gaps.get_json()["detail"], "ten hours are missing"
    send(caller, "e1", 25.0, places=range(QUARTERS - 40, QUARTERS))
    made = record(caller, site_id, meter)
    assert made.status_code == 201, made.text
    first = made.get_json()
    assert (first["quantity"], first["unit"], first["source"]) == ("67200", "kWh", "meter")
    assert (first["starts_on"], first["ends_on"]) == ("2026-02-01", "2026-03-01")
    evidence = caller.get(f"/artefacts/{first['evidence_id']}").data.decode().splitlines()
    assert len(evidence) == QUARTERS + 1
    assert evidence[0] == "start,kWh,flags"
    assert record(caller, site_id, meter).get_json()["id"] == first["id"], "nothing has changed"
    send(caller, "e1", 50.0, places=range(4))
    second = record(caller, site_id, meter).get_json()
    assert (second["quantity"], second["replaces_id"]) == ("67300", first["id"])
    year = year_of(caller, site_id, 2026)
    assert year["total_location_grams"] == 67_300 * 530.6
    assert year["records"] == 1
    for changes, field in (
        ({"month": "2026-03"}, "month"),
        ({"category": "heat"}, "meter_id"),
    ):
        refused = record(caller, site_id, meter, **changes)
        assert [error["field"] for error in refused.get_json()["errors"]] == [field]


def test_hours_are_matched_with_own_power_of_the_same_hour(site: tuple[Caller, str]) -> None:
    """75 kWh bought and 25 own an hour: a quarter is matched; where a meter is silent there is nothing."""
    caller, site_id = site
    bought = add_meter(caller, site_id, "e1")
    own = add_meter(caller, site_id, "pv", unit="kW", readings="instant")
    send(caller, "e1", 18.75, places=range(96))
    send(caller, "pv", 25.0, places=range(96))
    path = f"/sites/{site_id}/carbon/hours?meter_id={bought['id']}&own_meter_id={own['id']}&start=2026-02-01&days=2"
    found = caller.get(path).get_json()
    assert len(found["bought_kwh"]) == len(found["grams"]) == 48
    assert (found["bought_kwh"][0], found["own_kwh"][0]) == (75, 25)
    assert found["grams"][0] == pytest.approx(75 * 530.6)
    assert found["bought_kwh"][40] is None
    assert found["matched"] == pytest.approx(0.25)
    alone = caller.get(f"/sites/{site_id}/carbon/hours?meter_id={bought['id']}&start=2026-02-01").get_json()
    assert (alone["matched"], alone["factor_edition"]) == (0, "grid-2023")
    other = monitored_site_of(caller)
    assert caller.get(path.replace(site_id, other)).status_code == 422, "another site's meter"
    assert caller.get(path.replace("2026-02-01", "2027-02-01")).status_code == 422


def monitored_site_of(caller: Caller) -> str:
    """Enter another site."""
    return str(caller.post("/sites", {"name": "二号厂房"}).get_json()["id"])
