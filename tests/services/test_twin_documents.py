"""What park/2 adds is refused where it makes no sense, with the field and a remedy, and read where it does."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.formats.park import parse_park
from services.gateways.twin import run_twin
from services.rules.demo_park import demo_park
from tenants.kernel.errors import Invalid
from tests.services.parks import quiet, request_of, week

BUSES: list[dict[str, Any]] = [{"name": "高", "kv": 10}, {"name": "低", "kv": 0.4, "load_share": 1}]
STATION = {"name": "T1", "from": "高", "to": "低", "kva": 1000}
CABLE = {"name": "L1", "from": "高", "to": "低", "km": 1, "r_ohm_per_km": 0.1, "ampacity_a": 300}
TURBINE = {"count": 1, "rated_kw": 100, "hub_height_m": 40}
OFFICE = {"name": "楼", "floor_area": 100, "wall_area": 50, "window_area": 10}


@pytest.mark.parametrize(
    ("changes", "field", "word"),
    [
        ({"format": "park/1", "wind": TURBINE}, "document", "park/2"),
        ({"weather": {"city": "jinan", "builtin": "723170TYA"}}, "weather", "恰好"),
        ({"wind": TURBINE | {"rated_m_s": 30}}, "wind.rated_m_s", "25"),
        ({"wind": TURBINE | {"cut_in_m_s": 9, "rated_m_s": 8}}, "wind", "cut_in_m_s"),
        ({"wind": TURBINE | {"curve": [[3, 0], [3, 50]]}}, "wind", "逐点增大"),
        ({"wind": TURBINE | {"curve": [[3, 0]]}}, "wind.curve", "至少"),
        ({"buildings": [OFFICE | {"heat_to": 27}]}, "buildings[0]", "heat_to"),
        ({"buildings": [OFFICE, OFFICE]}, "document", "名称重复"),
        ({"network": {"buses": BUSES, "transformers": [STATION | {"to": "无"}]}}, "network", "不存在的母线"),
        ({"network": {"buses": BUSES, "feeders": [CABLE]}}, "network", "变压器"),
        ({"network": {"buses": BUSES}}, "network", "不连通"),
        ({"network": {"buses": [BUSES[0], BUSES[0]]}}, "network", "母线名称重复"),
        ({"network": {"buses": [BUSES[0], {"name": "低", "kv": 0.4}], "transformers": [STATION]}}, "network", "load_share"),
        ({"network": {"buses": BUSES, "transformers": [STATION | {"load_loss_kw": 400}]}}, "network.transformers[0]", "铭牌"),
        ({"logistics": {"fleets": [{"name": "车", "drive": "steam", "trips_per_day": 1, "km": 1, "per_100_km": 1}]}},
         "logistics.fleets[0].drive", "electric"),
        ({"emission_factor": {"kg_per_kwh": "0.5", "edition": "x"}}, "emission_factor", "region"),
        ({"load": {"meters": [{"csv": "a.csv", "timezone": "Mars/Base"}]}}, "load.meters[0].timezone", "Asia/Shanghai"),
    ],
)  # fmt: skip
def test_each_part_that_makes_no_sense_is_named_with_its_remedy(changes: dict[str, Any], field: str, word: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_park(json.dumps(week(**changes)).encode())
    told = {error.field: str(error.message) for error in caught.value.errors}
    assert field in told
    assert word in told[field]


def test_a_park_of_the_first_version_reads_as_ever() -> None:
    plain = {key: part for key, part in demo_park().items() if key not in {"wind", "buildings", "network", "logistics", "fuels"}}  # fmt: skip
    document = parse_park(json.dumps(plain | {"format": "park/1"}).encode())
    assert (document.wind, document.buildings, document.network) == (None, (), None)


def test_capacity_is_charged_by_the_kva_each_month() -> None:
    tariff = week()["tariff"] | {
        "demand_yuan_per_kw_month": 0, "capacity_yuan_per_kva_month": "23.5", "transformer_kva": 2000,
    }  # fmt: skip
    kpis: Any = run_twin(request_of(week(tariff=tariff, sizing=None)), progress=quiet).kpis
    assert kpis["as_is"]["bill_parts_yuan"]["capacity"] == 47_000
    with pytest.raises(Invalid):
        request_of(week(tariff=tariff | {"transformer_kva": 0}))


def test_chinas_holidays_rest_and_its_shifted_weekends_work() -> None:
    tariff = week()["tariff"] | {"holidays": "china", "rest_dates": ["2025-10-09"]}
    request = request_of(week(tariff=tariff, period={"from": "2025-09-28", "to": "2025-10-12"}))
    assert {date(2025, 10, 1), date(2025, 10, 8), date(2025, 10, 9)} <= request.tariff.rest_dates
    assert request.tariff.work_dates == {date(2025, 9, 28), date(2025, 10, 11)}


def test_a_year_without_published_holidays_is_refused_with_a_remedy() -> None:
    with pytest.raises(Invalid) as caught:
        request_of(
            week(tariff=week()["tariff"] | {"holidays": "china"}, period={"from": "2090-01-01", "to": "2090-01-08"})
        )
    assert caught.value.errors[0].field == "tariff.holidays"
    assert "rest_dates" in str(caught.value.errors[0].message)


@pytest.mark.parametrize(
    ("factor", "kg", "year"),
    [
        ({"edition": "grid-2023"}, "0.5306", 2023),
        ({"edition": "grid-2022", "region": "41"}, "0.6058", 2022),
        ({"edition": "grid-2022", "region": "华东"}, "0.5617", 2022),
        ({"kg_per_kwh": "0.42", "edition": "本地", "year": 2024, "source": "来函"}, "0.42", 2024),
    ],
)  # fmt: skip
def test_a_factor_is_looked_up_by_edition_and_region_or_given(factor: dict[str, str], kg: str, year: int) -> None:
    found = request_of(week(emission_factor=factor)).factor
    assert (found.kg_per_kwh, found.year) == (Decimal(kg), year)
    assert found.source
