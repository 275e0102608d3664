"""The console's commands that need no database: documents in, documents out, problems for bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from marketplace.cli import main
from marketplace.demo import world
from marketplace.demo.documents import leads_brief
from services.rules.demo_park import demo_park


def run(*arguments: str, given: object = None) -> Result:
    """Run a command; ``given`` becomes the JSON on standard input."""
    text = given if isinstance(given, str) else json.dumps(given)
    return CliRunner().invoke(main, list(arguments), input=text, catch_exceptions=False)


def order(gross_fen: int = 1_000_000, **facts: object) -> dict[str, Any]:
    """An order of one twin run by a small park of the leading tier, unless told otherwise."""
    known = {"park_size": "small", "tier": "leading", "region": "411224", "verification": "verified"}
    line = {"offering": "digital-twin-run", "gross_fen": gross_fen, "vat_bp": 600, "facts": {}}
    return {"date": "2026-03-02", "facts": known | facts, "lines": [line]}


def test_a_quote_names_what_the_fund_and_the_park_pay() -> None:
    """The story's price: 10,000 yuan, 6,000 from the fund, 4,000 to pay."""
    told = run("quote", "--input", "-", given={"policies": [world.policy()], "order": order(), "used": {}, "funds": {}})
    assert told.exit_code == 0
    answer = json.loads(told.stdout)
    assert (answer["gross_fen"], answer["subsidy_fen"], answer["payable_fen"]) == (1_000_000, 600_000, 400_000)
    assert answer["lines"][0]["awards"][0]["reasons"] == ["SMALL_LEADING"]


def test_a_quote_says_when_the_fund_is_short() -> None:
    """The fund has 5,999.99 left: a partial award that says so."""
    given = {"policies": [world.policy()], "order": order(), "used": {}, "funds": {world.FUND_SLUG: 599_999}}
    award = json.loads(run("quote", "--input", "-", given=given).stdout)["lines"][0]["awards"][0]
    assert award["amount_fen"] == 599_999
    assert "FUND_PARTIAL" in award["reasons"]


@pytest.mark.parametrize(
    "given",
    ["", "{", "[]", "null", '{"policies": []}', '{"policies": 1e400}', "[" * 100_000, {"policies": [{}], "order": {}}],
)
@pytest.mark.parametrize("command", ["quote", "rate"])
def test_bad_input_is_a_problem_and_exit_two(command: str, given: object) -> None:
    """Never a traceback: a problem document with a code, on standard error."""
    told = run(command, "--input", "-", given=given)
    assert told.exit_code == 2
    problem = json.loads(told.stderr)
    assert {"type", "title", "status", "detail", "code"} <= set(problem)
    assert told.stdout == ""


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The problem says which file."""
    told = run("quote", "--input", str(tmp_path / "nothing.json"))
    assert told.exit_code == 2
    assert "nothing.json" in json.loads(told.stderr)["detail"]


def test_usage_is_rated_once_per_event() -> None:
    """Twelve and a half units at ten yuan; the event told twice counts once."""
    event = {
        "specversion": "1.0", "id": "1", "source": "meter", "type": "run", "subject": "p",
        "time": "2026-03-02T01:00:00Z", "data": {"hours": "12.5"},
    }  # fmt: skip
    given = {
        "meter": {"slug": "hours", "event_type": "run", "aggregation": "sum", "value_property": "$.hours"},
        "charge": {"model": "per_unit", "unit_price": "10"},
        "events": [event, event],
        "period": {"from": "2026-03-01T00:00:00+08:00", "to": "2026-04-01T00:00:00+08:00", "timezone": "Asia/Shanghai"},
    }
    answer = json.loads(run("rate", "--input", "-", given=given).stdout)
    assert (answer["quantity"], answer["amount_fen"], answer["duplicates"]) == ("12.5", 12_500, 1)


def test_the_twin_runs_alone(tmp_path: Path) -> None:
    """A week by the hour, from a file to a folder with manifest, figures, series and report."""
    park = demo_park() | {"period": {"from": "2025-07-07", "to": "2025-07-14"}, "step_minutes": 60}
    source = tmp_path / "park.json"
    source.write_text(json.dumps(park), encoding="utf-8")
    told = run("twin", "--input", str(source), "--output", str(tmp_path / "out"))
    assert told.exit_code == 0, told.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {
        "manifest.json", "kpis.json", "series.parquet", "report.html",
    }  # fmt: skip
    kpis = json.loads((tmp_path / "out" / "kpis.json").read_text(encoding="utf-8"))
    assert kpis["sized"]["annual_bill_yuan"] <= kpis["as_is"]["annual_bill_yuan"]


def test_an_estimate_comes_first_with_steps_seconds_and_price_or_every_error(tmp_path: Path) -> None:
    """Nothing is run; what is wrong is told with field, row and column, in document and file at once."""
    park = demo_park() | {"period": {"from": "2025-07-07", "to": "2025-07-08"}, "step_minutes": 60}
    source = tmp_path / "park.json"
    source.write_text(json.dumps(park), encoding="utf-8")
    told = run("twin", "--input", str(source), "--estimate")
    assert told.exit_code == 0, told.stderr
    answer = json.loads(told.stdout)
    assert (answer["valid"], answer["steps"], answer["errors"]) == (True, 24, [])
    assert answer["cpu_seconds"] > 0
    assert answer["price"] == {"unit": "run", "quantity": 1, "price_fen": 1_000_000}
    (tmp_path / "load.csv").write_text("time,kw\n2025-07-07T00:00,x\n2025-07-07T00:07,1\n", encoding="utf-8")
    (tmp_path / "w.epw").write_text("nothing", encoding="utf-8")
    wrong = park | {"load": {"csv": "load.csv"}, "weather": {"epw": "w.epw"}}
    source.write_text(json.dumps(wrong), encoding="utf-8")
    told = run("twin", "--input", str(source), "--estimate")
    assert told.exit_code == 2
    answer = json.loads(told.stdout)
    places = [(error["field"], error["row"], error["column"]) for error in answer["errors"]]
    assert places == [
        ("load.csv[2].value", 2, "value"), ("load.csv[3].time", 3, "time"), ("weather.epw[1].LOCATION", 1, "LOCATION"),
    ]  # fmt: skip
    assert not (tmp_path / "out").exists()
    assert run("twin", "--input", str(source), "--estimate", "--unit-price", "ten").exit_code == 2


def test_the_published_schema_is_the_one_that_checks() -> None:
    """What the console prints accepts the demo park."""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

    schema = json.loads(run("park-schema").stdout)
    assert schema["$schema"].endswith("2020-12/schema")
    assert not list(Draft202012Validator(schema).iter_errors(demo_park()))


def test_the_published_schema_of_a_brief_is_the_one_that_checks() -> None:
    """What the console prints accepts the demo's brief, and no land of no size."""
    from jsonschema import Draft202012Validator

    schema = json.loads(run("brief-schema").stdout)
    checked = Draft202012Validator(schema)
    assert not list(checked.iter_errors(leads_brief("411224")))
    assert list(checked.iter_errors(leads_brief("411224") | {"area_mu": 0}))


def test_a_twin_without_sense_is_refused_by_field(tmp_path: Path) -> None:
    """The problem names the field."""
    source = tmp_path / "park.json"
    source.write_text(json.dumps(demo_park() | {"step_minutes": 7}), encoding="utf-8")
    told = run("twin", "--input", str(source), "--output", str(tmp_path / "out"))
    assert told.exit_code == 2
    assert any("step_minutes" in error["field"] for error in json.loads(told.stderr)["errors"])
