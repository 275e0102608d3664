"""Weather from files and from monthly means: read whole or refused by row, and PV on it is what PVWatts gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pvlib import temperature

from services.gateways.climate import cities, read_climate
from services.gateways.weather import read_builtin_weather
from services.gateways.weather_files import Station, read_epw, read_weather_csv
from services.rules.twin.calendar import make_calendar
from services.rules.twin.inputs import Mounting, PvPlant
from services.rules.twin.module_temperature import cell_temperature
from services.rules.twin.photovoltaics import facade_radiation, hourly_yield
from services.rules.twin.weather_year import HOURS, Weather, air_density, at_steps
from services.usecases.twin_alone import folder_opener, no_files, read_request
from tenants.kernel.errors import Invalid, TooLarge
from tests.services.parks import request_of, week

MONTH_HOURS = np.repeat(np.arange(12), np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) * 24)
STATION = Station("本站", 36.1, -79.95, -5.0)


@pytest.mark.parametrize(
    ("name", "plant", "year", "months"),
    [
        ("723170TYA", PvPlant(kwp=1), 1361.55,
         (85.61, 90.44, 121.88, 134.94, 134.97, 138.25, 138.78, 135.23, 113.39, 107.06, 78.75, 82.27)),
        ("723170TYA", PvPlant(kwp=1, tilt=35, azimuth=225, mounting=Mounting.ROOF), 1295.30,
         (85.26, 88.08, 116.87, 128.08, 122.98, 125.49, 128.55, 126.73, 108.41, 105.25, 78.57, 81.04)),
        ("703165TY", PvPlant(kwp=1), 814.52,
         (25.35, 35.66, 59.12, 87.89, 90.32, 97.58, 131.42, 73.86, 95.55, 60.98, 32.05, 24.74)),
    ],
)  # fmt: skip
def test_pv_is_within_half_a_per_cent_of_pvwatts(
    name: str, plant: PvPlant, year: float, months: tuple[float, ...]
) -> None:
    """Figures of PVWatts V5 on the same file: NREL's SSC, module pvwattsv5, through NREL-PySAM 7.1.1 (AC kWh/kWp)."""
    hourly = hourly_yield(read_builtin_weather(name), plant)
    assert hourly.sum() == pytest.approx(year, rel=0.002)
    assert np.bincount(MONTH_HOURS, hourly) == pytest.approx(months, rel=0.005)


@pytest.mark.parametrize("noct", [45.0, 49.0])
def test_cells_are_as_warm_as_hour_after_hour(noct: float) -> None:
    """Solved for all hours at once, the balance gives what pvlib's loop over them gives."""
    weather = read_builtin_weather("723170TYA")
    index = pd.date_range("2023-07-01", periods=720, freq="h")
    part = slice(4344, 4344 + 720)
    sun, air, wind = (values[part] for values in (weather.ghi, weather.temperature, weather.wind))
    reference = temperature.fuentes(*(pd.Series(values, index) for values in (sun, air, wind)), noct)
    assert np.abs(cell_temperature(sun, air, wind, noct)[24:] - reference.to_numpy()[24:]).max() < 0.05


def _epw(weather: Weather, changes: dict[tuple[int, int], str] | None = None) -> bytes:
    head = [
        f"LOCATION,Here,NC,USA,TMY3,723170,{weather.latitude},{weather.longitude},{weather.utc_offset_hours},{weather.altitude}",
        *(f"{name},0" for name in ("DESIGN CONDITIONS", "TYPICAL", "GROUND", "HOLIDAYS", "COMMENTS 1", "COMMENTS 2", "DATA")),
    ]  # fmt: skip
    rows = []
    for hour in range(HOURS):
        cells = ["0"] * 35
        for place, values in ((6, weather.temperature), (13, weather.ghi), (14, weather.dni), (15, weather.dhi), (21, weather.wind)):  # fmt: skip
            cells[place] = f"{values[hour]:g}"
        rows.append(cells)
    for (hour, place), text in (changes or {}).items():
        rows[hour][place] = text
    return "\n".join([*head, *(",".join(row) for row in rows)]).encode()


def test_an_epw_reads_as_the_hours_it_was_written_from() -> None:
    weather = read_builtin_weather("723170TYA")
    read = read_epw(_epw(weather), "here.epw")
    assert (read.latitude, read.utc_offset_hours, read.estimated) == (weather.latitude, -5.0, False)
    for name in ("ghi", "dni", "dhi", "temperature", "wind"):
        assert np.allclose(getattr(read, name), getattr(weather, name), rtol=1e-5)


def test_each_fault_of_a_weather_file_is_named_with_its_row() -> None:
    weather = read_builtin_weather("723170TYA")
    with pytest.raises(Invalid) as caught:
        read_epw(_epw(weather, {(0, 6): "99.9", (10, 13): "x", (11, 21): "999"}), "here.epw")
    assert [error.field for error in caught.value.errors] == [
        "weather.epw[9].temperature", "weather.epw[19].ghi", "weather.epw[20].wind",
    ]  # fmt: skip
    for data, code in ((b"", "weather.value"), (_epw(weather)[:4000], "weather.hours")):
        with pytest.raises(Invalid) as caught:
            read_epw(data, "x")
        assert caught.value.errors[0].code == code
    shifted = Weather(**{**vars(weather), "ghi": np.roll(weather.ghi, 12)})
    with pytest.raises(Invalid) as caught:
        read_epw(_epw(shifted), "x")
    assert caught.value.errors[0].code == "weather.night"
    with pytest.raises(TooLarge):
        read_epw(b"x" * (9 << 20), "x")


def test_a_csv_without_beam_is_split_and_says_that_it_has_no_wind() -> None:
    weather = read_builtin_weather("723170TYA")
    rows = [f"{ghi:.1f},{air:.1f}" for ghi, air in zip(weather.ghi, weather.temperature, strict=True)]
    read = read_weather_csv("\n".join(["ghi,temperature", *rows]).encode(), STATION, "w.csv")
    assert not read.wind_known
    assert (read.dhi <= read.ghi + 0.5).all()
    assert hourly_yield(read, PvPlant()).sum() == pytest.approx(hourly_yield(weather, PvPlant()).sum(), rel=0.05)
    for head in ("ghi,wind", "ghi,temperature,dni", "time"):
        with pytest.raises(Invalid):
            read_weather_csv("\n".join([head, *rows]).encode(), STATION, "w.csv")


def test_every_city_keeps_its_monthly_means_and_names_its_sources() -> None:
    days = np.bincount(MONTH_HOURS) / 24
    assert len(cities()) == 31
    assert len({normals.province for normals in cities().values()}) == 31
    for city, normals in cities().items():
        weather = read_climate(city, 1)
        assert np.bincount(MONTH_HOURS, weather.ghi) / 1000 / days == pytest.approx(normals.ghi, abs=1e-6)
        assert np.bincount(MONTH_HOURS, weather.dhi) / 1000 / days == pytest.approx(normals.dhi, abs=0.01)
        assert np.bincount(MONTH_HOURS, weather.temperature) / days / 24 == pytest.approx(normals.temperature, abs=1e-9)
        assert min(weather.ghi.min(), weather.dni.min(), weather.dhi.min()) >= 0
        assert weather.dni.max() <= 1000
        assert all(len(source) > 20 for source in normals.sources)
        assert np.bincount(MONTH_HOURS, weather.wind) / days / 24 == pytest.approx(normals.wind, rel=1e-9)
    assert 900 < hourly_yield(read_climate("shanghai", 1), PvPlant()).sum() < 1150


def test_every_city_has_a_plausible_value_of_every_quantity_in_every_month() -> None:
    for city, normals in cities().items():
        for values, least, most in (
            (normals.ghi, 0.7, 8.0), (normals.dhi, 0.6, 3.5), (normals.temperature, -25, 33), (normals.wind, 0.3, 7.0),
        ):  # fmt: skip
            assert len(values) == 12, city
            assert all(least <= value <= most for value in values), (city, values)
        assert all(diffuse < whole for diffuse, whole in zip(normals.dhi, normals.ghi, strict=True)), city
        assert 1.0 <= sum(normals.wind) / 12 <= 5.0, city
        assert 4 <= int(np.argmax(normals.temperature)) <= 7, city
        assert 17 < normals.latitude < 54, city
        assert 73 < normals.longitude < 136, city


def test_winds_are_spread_as_rayleighs_distribution_spreads_them() -> None:
    """Over the hour's month's mean, a share of exp(-pi x^2 / 4) of the hours lies above x, calm or stormy as the city is."""
    for city in ("changchun", "wuhan", "xian"):
        weather = read_climate(city, 1)
        relative = weather.wind / np.array(cities()[city].wind)[MONTH_HOURS]
        assert relative.min() >= 0
        for level in (0.5, 1.0, 1.5, 2.0):
            assert (relative > level).mean() == pytest.approx(np.exp(-np.pi * level**2 / 4), abs=0.02), city


def test_a_seed_gives_the_same_hours_and_another_gives_others() -> None:
    first, again, other = read_climate("beijing", 7), read_climate("beijing", 7), read_climate("beijing", 8)
    assert (first.ghi == again.ghi).all()
    assert (first.ghi != other.ghi).any()
    assert first.wind.mean() == pytest.approx(2.34, abs=0.02)
    with pytest.raises(Invalid) as caught:
        read_climate("atlantis", 1)
    assert "beijing" in str(caught.value.message)


def test_an_estimated_climate_is_stamped_wherever_it_is_shown() -> None:
    from services.gateways.twin import run_twin
    from tests.services.parks import quiet

    result = run_twin(request_of(week(weather={"city": "jinan"}, sizing=None)), progress=quiet)
    assert "气候估算" in result.files["report.html"].decode()
    manifest = json.loads(result.files["manifest.json"])
    assert any("气候估算" in note for note in manifest["notes"])
    assert manifest["input"]["weather"]["source"] == "climate.csv:jinan:seed=1"


def test_a_wind_turbine_needs_a_wind_that_is_known(tmp_path: Path) -> None:
    turbine = {"count": 1, "rated_kw": 100, "hub_height_m": 40}
    rows = [f"{ghi:.1f},15" for ghi in read_climate("jinan", 1).ghi]
    (tmp_path / "w.csv").write_text("\n".join(["ghi,temperature", *rows]))
    site = {"name": "Jinan", "latitude": 36.6, "longitude": 117.0, "timezone": "Asia/Shanghai"}
    document = week(site=site, weather={"csv": "w.csv"}, wind=turbine)
    with pytest.raises(Invalid) as caught:
        read_request(json.dumps(document).encode(), folder_opener(tmp_path))
    assert [(error.field, error.code) for error in caught.value.errors] == [("weather.csv", "weather.no_wind")]
    assert "wind 列" in str(caught.value.errors[0].message)
    assert request_of(week(weather={"city": "jinan"}, wind=turbine)).weather.wind_known


def test_a_measured_wind_can_be_stated_with_its_source_in_place_of_the_citys() -> None:
    turbine = {"count": 1, "rated_kw": 100, "hub_height_m": 40}
    means = [3.1, 3.2, 3.6, 3.8, 3.4, 3.0, 2.6, 2.4, 2.4, 2.7, 3.0, 3.0]
    stated = {"city": "jinan", "wind_m_s": means, "wind_source": "济南国家基本气象站 2004—2023 年月平均"}
    weather = request_of(week(weather=stated, wind=turbine)).weather
    assert weather.wind_known
    assert weather.source.endswith(":wind=济南国家基本气象站 2004—2023 年月平均")
    days = np.bincount(MONTH_HOURS) / 24
    assert np.bincount(MONTH_HOURS, weather.wind) / days / 24 == pytest.approx(means, rel=0.05)
    plain = read_climate("jinan", 1)
    assert weather.sha256 != plain.sha256
    assert weather.sha256 != request_of(week(weather=stated | {"wind_source": "别处"})).weather.sha256
    for wrong in (
        {"city": "jinan", "wind_m_s": means},
        {"city": "jinan", "wind_source": "气象站"},
        {"builtin": "723170TYA", "wind_m_s": means, "wind_source": "气象站"},
        stated | {"wind_m_s": means[:11]},
        stated | {"wind_m_s": [*means[:11], 0]},
    ):
        with pytest.raises(Invalid) as caught:
            request_of(week(weather=wrong))
        assert all(error.field.startswith("weather") for error in caught.value.errors), wrong


def test_all_that_is_wrong_with_document_and_files_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "w.epw").write_text("nothing")
    document = week(
        weather={"epw": "w.epw"}, load={"csv": "missing.csv"}, emission_factor={"edition": "grid-1900"},
        fuels=[{"fuel": "peat", "amount": 1, "unit": "t"}, {"fuel": "natural_gas", "amount": 1, "unit": "t"}],
    )  # fmt: skip
    with pytest.raises(Invalid) as caught:
        read_request(json.dumps(document).encode(), folder_opener(tmp_path))
    fields = [error.field for error in caught.value.errors]
    assert fields == [
        "load.csv",
        "weather.epw[1].LOCATION",
        "emission_factor.edition",
        "fuels[0].fuel",
        "fuels[1].unit",
    ]
    with pytest.raises(Invalid) as caught:
        read_request(json.dumps(week(weather={"epw": "w.epw"})).encode(), no_files)
    assert caught.value.errors[0].field == "weather.epw"


def test_the_parks_own_epw_is_used(tmp_path: Path) -> None:
    (tmp_path / "own.epw").write_bytes(_epw(read_builtin_weather("723170TYA")))
    request = read_request(json.dumps(week(weather={"epw": "own.epw"})).encode(), folder_opener(tmp_path))
    assert request.weather.source == "own.epw"
    same = request_of(week())
    assert hourly_yield(request.weather, PvPlant()).sum() == pytest.approx(
        hourly_yield(same.weather, PvPlant()).sum(), rel=1e-4
    )


def test_steps_between_the_hours_lie_on_straight_lines_and_keep_the_mean() -> None:
    hourly = np.sin(np.arange(HOURS) / 5)
    calendar: Any = make_calendar(request_of(week(step_minutes=15)).horizon)
    steps = at_steps(hourly, calendar)
    first = calendar.weather_hour[0]
    assert steps[1] == pytest.approx(hourly[first] - 0.125 * (hourly[first] - hourly[first - 1]))
    assert steps.mean() == pytest.approx(hourly[calendar.weather_hour].mean(), abs=0.01)


def test_air_is_thinner_on_the_mountain_and_facades_see_less_than_the_roof() -> None:
    assert air_density(0, np.array([15.0]))[0] == pytest.approx(1.225, abs=1e-3)
    assert air_density(3650, np.array([15.0]))[0] == pytest.approx(0.78, abs=0.02)
    weather = read_builtin_weather("723170TYA")
    assert 0.4 < facade_radiation(weather).sum() / weather.ghi.sum() < 0.8
