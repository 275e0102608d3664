"""The park's page that finds instruments by method, region, days and price, and several at one time."""

from __future__ import annotations

from collections.abc import Callable

from services.usecases import instruments
from tenants.kernel.context import system_actor
from tests.support.province import Province
from tests.support.visitor import Visitor

Enter = Callable[[str], Visitor]


def test_a_park_finds_by_method_and_price(province: Province, signed_in: Enter) -> None:
    province.fund()
    province.park(1)
    park = signed_in("admin1")
    page = park.get("/slots")
    assert page.status_code == 200
    assert f"instrument={province.instrument}" in page.text
    assert f"instrument={province.instrument}" not in park.get("/slots?method=nobody-knows").text
    assert f"instrument={province.instrument}" not in park.get("/slots?most=0.01").text
    assert f"instrument={province.instrument}" not in park.get("/slots?region=99").text
    for wrong in ("from=soon", "region=5", "most=1.234", "from=2026-03-10&to=2026-03-01"):
        assert park.get(f"/slots?{wrong}").status_code == 422


def test_two_instruments_are_priced_at_one_time(province: Province, signed_in: Enter) -> None:
    with province.workshop.work(system_actor("test")) as work:
        first = instruments.read_instrument(work, instrument_id=province.instrument)
        other = instruments.add_instrument(work, offering=first.offering, name="第二台", region_code="510104")
    province.fund()
    province.park(1)
    park = signed_in("admin1")
    chosen = f"instrument_id={province.instrument}&instrument_id={other.id}"
    page = park.get(f"/slots/together?{chosen}&slots=2")
    assert page.status_code == 200
    starts_at = page.text.split('name="starts_at" value="')[1].split('"')[0]
    form = {"instrument_id": [str(province.instrument), str(other.id)], "slots": "2", "starts_at": starts_at}
    missing = park.post("/slots/together", form | {"purpose": ""})
    assert missing.status_code == 422
    answer = park.post("/slots/together", form | {"purpose": "水样"})
    assert answer.status_code == 303
    assert "第二台" in park.get(answer.headers["Location"]).text
    assert park.get(f"/slots/together?instrument_id={other.id}").status_code == 422
