"""Pages of the carbon ledger, as a park and two operators use them without scripts."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from tests.support.carbon import CSV, GAS, POWER, carbon_site, certify, enter
from tests.support.monitored import add_meter, rent
from tests.support.province import Province
from tests.support.visitor import Visitor
from tests.support.web import Caller

Enter = Callable[[str], Visitor]
FORM = {
    "category": "electricity", "item": "electricity.average", "start": "2025-01-01", "end": "2025-01-31",
    "quantity": "1,000", "unit": "MWh", "region": "41", "edition": "grid-2022", "note": "一月电费单",
}  # fmt: skip


@pytest.fixture
def park(province: Province) -> Caller:
    return province.park()


@pytest.fixture
def site(province: Province, park: Caller) -> str:
    return carbon_site(province, park)


def read(text: str) -> str:
    """Return a page's words without its marks."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_an_activity_is_entered_corrected_and_reported(park: Caller, site: str, signed_in: Enter) -> None:
    person = signed_in("admin1")
    assert "还没有活动记录" in person.get(f"/sites/{site}/carbon").text
    person.get(f"/sites/{site}/carbon/records")
    refused = person.post(f"/sites/{site}/carbon/records", FORM | {"unit": "GJ"})
    assert refused.status_code == 422
    assert 'aria-describedby="e-unit"' in refused.text
    assert 'value="1,000"' in refused.text, "what was typed is kept"
    evidence = (io.BytesIO(b"%PDF-1.4 bill"), "一月.pdf")
    made = person.follow(person.post(f"/sites/{site}/carbon/records", FORM | {"evidence": evidence}))
    words = read(made.text)
    assert "605.80 tCO₂e" in words
    assert "0.6058 kgCO₂e/kWh · grid-2022 · 2022 · 41" in words
    assert "SHA-256" in words
    path = made.request.path
    assert person.post(path, FORM | {"note": ""}).status_code == 422
    right = person.follow(person.post(path, FORM | {"quantity": "100", "note": "少读一位"}))
    assert "取代" in read(right.text)
    assert "这条记录已被更正" in person.get(path).text
    page = person.get(f"/sites/{site}/carbon?year=2025")
    assert "60.58" in read(page.text)
    assert "data-chart" in page.text
    reported = person.follow(person.post(f"/sites/{site}/carbon/reports", {"year": "2025"}))
    assert "report.pdf" in reported.text
    assert person.get("/carbon").status_code == 200
    file = re.search(r'href="(/files/[^"]+)">report.pdf', reported.text)
    assert file
    assert person.get(file[1]).data.startswith(b"%PDF")


def test_a_table_is_imported_and_its_faults_are_shown(site: str, signed_in: Enter) -> None:
    person = signed_in("admin1")
    address = f"/sites/{site}/carbon/imports"
    person.get(f"/sites/{site}/carbon/records")

    def send(text: str, keep: str) -> Any:
        return person.post(address, {"file": (io.BytesIO(text.encode()), "a.csv"), "keep": keep})

    bad = CSV + "外购电力,电,2025-03-01,2025-03-31,800,GJ,,\n"
    refused = send(bad, "all")
    assert refused.status_code == 422
    assert "file[4].unit" in refused.text
    taken = send(bad, "good")
    assert "已导入 2 行，1 行有误" in taken.text
    assert send(bad, "good").status_code == 409


def test_certificates_are_registered_and_ended(site: str, signed_in: Enter) -> None:
    person = signed_in("admin1")
    path = f"/sites/{site}/certificates"
    person.get(path)
    wish = {"number": "GEC-000001", "project": "某光伏", "origin": "own_used", "month": "2025-01", "mwh": "30"}
    assert person.post(path, wish | {"mwh": "x", "month": "1"}).status_code == 422
    page = person.follow(person.post(path, wish))
    ends = re.search(rf'action="({path}/[^"]+)"', page.text)
    assert ends
    assert person.post(ends[1], {"end": "retired", "year": "2020"}).status_code == 422
    page = person.follow(person.post(ends[1], {"end": "sold"}))
    assert "已出售" in page.text
    assert person.post(ends[1], {"end": "retired", "year": "2025"}).status_code == 409


def test_a_path_is_asked_for_and_drawn(park: Caller, site: str, signed_in: Enter) -> None:
    enter(park, site, POWER)
    enter(park, site, GAS)
    certify(park, site, "GEC-000001")
    person = signed_in("admin1")
    path = f"/sites/{site}/carbon/plans"
    form = {
        "base_year": "2025", "target_year": "2030", "remaining_percent": "60", "discount_percent": "6",
        "m0-name": "LED", "m0-kind": "efficiency", "m0-capex_yuan": "100,000", "m0-yearly_yuan": "-30000",
        "m0-life_years": "10", "m0-saved_kwh": "60000", "m1-name": "绿电", "m1-kind": "green_power",
        "m1-yearly_yuan": "20000", "m1-green_kwh": "600000",
    }  # fmt: skip
    page = person.get(path)
    assert "1,000,000 kWh" in read(page.text)
    more = person.post(path, form | {"more": "1"})
    assert more.text.count("<fieldset") == 6
    assert 'value="100,000"' in more.text
    refused = person.post(path, form | {"m0-saved_kwh": "2000000", "m1-life_years": "x"})
    assert refused.status_code == 422
    shown = person.follow(person.post(path, form))
    words = read(shown.text)
    assert "达到目标" in words
    assert "LED 能效" in words
    assert shown.text.count("data-chart") == 2
    assert "2026 年起" in words


def test_two_operators_bring_an_edition_and_a_park_reads_it(province: Province, signed_in: Enter) -> None:
    operator = signed_in("operator")
    assert "grid-2023" in operator.get("/factors").text
    edition = (
        "edition,item,region,value,unit,year,ncv_gj,carbon_tc_per_tj,oxidation_percent,source\n"
        "local-1,electricity.average,CN,0.5,kgCO2/kWh,2024,,,,来源\n"
    )
    bad = operator.post("/factors", {"name": "x", "file": (io.BytesIO(b"x"), "a.csv")})
    assert bad.status_code == 422
    page = operator.follow(operator.post("/factors", {"name": "试", "file": (io.BytesIO(edition.encode()), "a.csv")}))
    assert "待审核" in page.text
    assert 'name="decision"' not in page.text, "who brought it cannot decide"
    assert operator.post("/factors/local-1", {"decision": "published"}).status_code == 403
    province.park()
    person = signed_in("admin1")
    assert "local-1" not in person.get("/factors").text
    assert person.get("/factors/local-1").status_code == 404
    assert "0.5306" in person.get("/factors/grid-2023").text


def test_a_site_without_a_rented_month_is_read_only(province: Province, park: Caller, signed_in: Enter) -> None:
    other = carbon_site(province, park, "二号厂房", rented=False)
    person = signed_in("admin1")
    for path in ("carbon", "carbon/records", "certificates", "carbon/plans"):
        page = person.get(f"/sites/{other}/{path}")
        assert page.status_code == 200
        assert "没有租用碳监测" in page.text
        assert 'method="post" enctype' not in page.text
    assert person.post(f"/sites/{other}/carbon/records", FORM).status_code == 409


def test_hours_are_drawn_and_a_month_is_recorded(park: Caller, site: str, signed_in: Enter) -> None:
    person = signed_in("admin1")
    path = f"/sites/{site}/carbon/hours"
    assert "还没有电表" in person.get(path).text
    meter = add_meter(park, site, "e1")
    values = [[f"2026-02-{1 + place // 24:02}T{place % 24:02}:00:00+08:00", 4.0] for place in range(28 * 24)]
    rent(park, site, "energy-monitoring")
    hourly = add_meter(park, site, "e2", interval_minutes=60)
    assert park.post("/readings", {"series": [{"meter": "e2", "values": values}]}).status_code == 200
    page = person.get(f"{path}?meter_id={hourly['id']}&start=2026-02-03")
    assert "data-chart" in page.text
    assert "逐时匹配率 0.0 %" in read(page.text)
    assert person.get(f"{path}?meter_id={meter['id']}&start=2026-02-03").status_code == 200
    wish = {"meter_id": hourly["id"], "category": "electricity", "month": "2026-02"}
    assert person.post(path, wish | {"month": "2026-03"}).status_code == 422
    made = person.follow(person.post(path, wish))
    assert "2,688.000 kWh" in read(made.text)
