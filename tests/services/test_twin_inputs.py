"""Bad documents and files are told apart, row by row, in bounded memory; good ones read the same every time."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from services.formats.park import park_schema, parse_park
from services.gateways.load_files import MAX_BYTES, read_load_csv
from services.gateways.weather import read_builtin_weather, read_tmy3
from services.rules.demo_park import demo_park
from services.usecases.twin_alone import folder_opener, no_files, read_request, twin_command
from tenants.kernel.errors import Invalid, Problem, TooLarge
from tests.services.parks import request_of, week


def _rows(header: str = "time,kw", hours: int = 168) -> list[str]:
    first = datetime(2025, 7, 7)  # noqa: DTZ001 - stamps of the file are local
    return [header, *(f"{(first + timedelta(hours=i)).isoformat(timespec='minutes')},{100 + i}" for i in range(hours))]


def _read(rows: list[str]) -> Any:
    horizon = parse_park(json.dumps(week()).encode()).horizon()
    return read_load_csv(io.BytesIO("\n".join(rows).encode()), horizon)


def test_a_good_file_reads_in_any_order_with_offsets_and_in_kwh() -> None:
    rows = _rows()
    assert _read(rows).kw[5] == 105
    assert (_read([rows[0], *reversed(rows[1:])]).kw == _read(rows).kw).all()
    assert _read([*rows[:6], "2025-07-06T21:00+00:00,105", *rows[7:]]).kw[5] == 105
    assert (_read(["time,kwh", *rows[1:]]).kw == _read(rows).kw).all()


@pytest.mark.parametrize(
    ("row", "text", "code", "field"),
    [
        (0, "when,kw", "load.header", "load.csv[1].header"),
        (3, "2025-07-07T02:00", "load.columns", "load.csv[4].row"),
        (3, "07/07/2025 02:00,5", "load.time", "load.csv[4].time"),
        (3, "2025-07-07T02:07,5", "load.off_grid", "load.csv[4].time"),
        (3, "2026-07-07T02:00,5", "load.off_grid", "load.csv[4].time"),
        (3, "2025-07-07T01:00,5", "load.duplicate", "load.csv[4].time"),
        (3, "2025-07-07T02:00,five", "load.number", "load.csv[4].value"),
        (3, "2025-07-07T02:00,nan", "load.not_finite", "load.csv[4].value"),
        (3, "2025-07-07T02:00,inf", "load.not_finite", "load.csv[4].value"),
        (3, "2025-07-07T02:00,-1", "load.range", "load.csv[4].value"),
        (3, "", "load.gap", "load.csv[2025-07-07T02:00+08:00]"),
    ],
)
def test_each_fault_is_named_with_its_row(row: int, text: str, code: str, field: str) -> None:
    rows = _rows()
    rows[row] = text
    with pytest.raises(Invalid) as caught:
        _read(rows)
    assert (caught.value.errors[0].code, caught.value.errors[0].field) == (code, field)


def test_a_truncated_file_says_how_much_is_missing() -> None:
    with pytest.raises(Invalid) as caught:
        _read(_rows()[:100])
    assert "69" in str(caught.value.errors[0].message)


def test_an_empty_or_binary_file_is_refused() -> None:
    horizon = parse_park(json.dumps(week()).encode()).horizon()
    for data in (b"", b"\xff\xfe\x00\n" * 10, b"time,kw\n" + b"x" * 1000):
        with pytest.raises(Invalid):
            read_load_csv(io.BytesIO(data), horizon)


def test_faults_are_told_up_to_a_limit_and_a_huge_file_is_left_unread() -> None:
    with pytest.raises(Invalid) as caught:
        _read(["time,kw", *["bad,row"] * 10_000])
    assert len(caught.value.errors) == 50

    class Endless(io.RawIOBase):
        taken = 0

        def readline(self, size: int | None = -1, /) -> bytes:  # noqa: ARG002
            self.taken += 27
            return b"2025-07-07T02:00,5".ljust(26) + b"\n" if self.taken > 27 else b"time,kw\n"

    horizon = parse_park(json.dumps(week()).encode()).horizon()
    endless = Endless()
    with pytest.raises(Problem):
        read_load_csv(endless, horizon)  # type: ignore[arg-type]
    assert endless.taken < MAX_BYTES + 1000


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"surprise": 1}, "surprise", "field.unknown"),
        ({"weather": {"builtin": "clear_sky"}}, "weather.builtin", "field.value"),
        ({"step_minutes": 7}, "step_minutes", "field.value"),
        ({"period": {"year": 2025, "from": "2025-01-01"}}, "period", "field.value"),
        ({"period": {"from": "2025-01-02", "to": "2025-01-02"}}, "period", "field.value"),
        ({"load": {}}, "load", "field.value"),
        ({"load": {"values_kw": [-1]}}, "load.values_kw[0]", "field.value"),
        ({"pv": {"kwp": 1e99}}, "pv.kwp", "field.value"),
        ({"battery": {"kwh": 5}}, "battery", "field.value"),
        ({"battery": {"soc_min": 0.9, "soc_max": 0.2}}, "battery", "field.value"),
        ({"site": {"name": "x", "latitude": 1, "longitude": 2, "timezone": "Mars/Base"}}, "site.timezone", "field.value"),
        ({"tariff": {"prices": {"peak": "1"}}}, "tariff", "field.value"),
        ({"tariff": {"prices": {"flat": "0"}}}, "tariff.prices.flat", "field.value"),
        ({"emission_factor": {"kg_per_kwh": "0.5", "year": 2023, "source": "x"}}, "emission_factor.edition", "field.missing"),
    ],
)  # fmt: skip
def test_each_wrong_field_is_named(changes: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_park(json.dumps(week(**changes)).encode())
    assert (field, code) in {(error.field, error.code) for error in caught.value.errors}
    assert all("{" not in str(error.message) for error in caught.value.errors)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"[" * 100_000, b'{"seed": NaN}', b"\xff"])
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        parse_park(data)


def test_too_large_a_document_is_refused_before_reading() -> None:
    with pytest.raises(TooLarge):
        parse_park(b" " * (5 << 20))


def test_the_wrong_number_of_values_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        request_of(week(load={"values_kw": [1.0] * 167}))
    assert caught.value.errors[0].field == "load.values_kw"


def test_the_schema_accepts_the_demo_and_refuses_the_unknown() -> None:
    schema = park_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert not list(validator.iter_errors(demo_park()))
    assert list(validator.iter_errors(demo_park() | {"surprise": 1}))


def test_the_canonical_document_does_not_depend_on_order_or_defaults() -> None:
    document = week()
    shuffled = dict(reversed(list(document.items())))
    shuffled["battery"] = document["battery"] | {"soc_min": 0.1}
    assert (
        parse_park(json.dumps(document).encode()).canonical() == parse_park(json.dumps(shuffled).encode()).canonical()
    )
    assert parse_park(parse_park(json.dumps(document).encode()).canonical().encode()).canonical()


def test_a_document_cannot_point_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "park").mkdir()
    (tmp_path / "secret.csv").write_text("time,kw\n")
    (tmp_path / "park" / "link.csv").symlink_to(tmp_path / "secret.csv")
    for name in ("../secret.csv", str(tmp_path / "secret.csv"), "link.csv", "missing.csv", ".", "a\0b"):
        document = week(load={"csv": name})
        with pytest.raises(Invalid) as caught:
            read_request(json.dumps(document).encode(), folder_opener(tmp_path / "park"))
        assert caught.value.code == "load.missing"
    with pytest.raises(Invalid):
        read_request(json.dumps(week(load={"csv": "load.csv"})).encode(), no_files)


def test_the_console_reads_a_folder_and_writes_its_files(tmp_path: Path) -> None:
    (tmp_path / "load.csv").write_text("\n".join(_rows()))
    (tmp_path / "park.json").write_text(json.dumps(week(load={"csv": "load.csv"})))
    result = twin_command(tmp_path / "park.json", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "manifest.json", "kpis.json", "series.parquet", "series.csv", "flows.json",
        "report.html", "report.pdf", "report.xlsx",
    }  # fmt: skip
    assert json.loads((tmp_path / "out" / "kpis.json").read_text()) == json.loads(json.dumps(result.kpis))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "http" not in page
    assert "<script" not in page
    with pytest.raises(Invalid):
        twin_command(tmp_path / "nothing.json", tmp_path / "out")


def test_a_name_cannot_put_markup_into_the_report() -> None:
    from services.gateways.twin import run_twin

    site = week()["site"] | {"name": "<script>alert(1)</script>"}
    page = run_twin(request_of(week(site=site)), progress=lambda _stage, _done: None).files["report.html"].decode()
    assert "<script" not in page


def test_bad_weather_files_and_names_are_refused() -> None:
    for data in (b"", b"a,b\n", b'1,"X",Y,-5,1,2,3\nDate,Time\n1,2\n', b"\xff" * 100):
        with pytest.raises(Invalid):
            read_tmy3(data, "x")
    with pytest.raises(Invalid):
        read_builtin_weather("../secret")


def test_the_demo_load_is_the_same_for_a_seed_and_rests_at_the_festival() -> None:
    document = demo_park()
    first, second = request_of(document).load, request_of(document).load
    assert first.sha256 == second.sha256
    assert request_of(demo_park(seed=2)).load.sha256 != first.sha256
    days = first.kw.reshape(365, 96).mean(axis=1)
    assert len(first.kw) == 35040
    assert first.kw.sum() / 4 == pytest.approx(8_000_000, rel=1e-6)
    assert days[29] < 0.45 * days.mean()  # 30 January 2025, the second day of the year of the snake
    assert first.kw.min() > 0
    assert days[[i for i in range(60, 360) if i % 7 == 4]].mean() < 0.9 * days[60:360].mean()  # Sundays
