"""Energy flows: whoever supplies whom, every source and sink comes to what went through the meter."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from services.gateways.twin import run_twin
from services.rules.twin.dispatch import Dispatch, make_dispatch
from services.rules.twin.flows import links_of
from services.rules.twin.inputs import Battery
from tests.services.parks import quiet, request_of, week

POWER = st.floats(0, 500)


def by_end(flow: Dispatch, *, feeds_all_in: bool) -> None:
    """Every end of the links is what the dispatch says of it, and no link is negative."""
    links = links_of(flow, feeds_all_in=feeds_all_in)
    assert all((kw >= -1e-9).all() for kw in links.values())
    ends = {
        "grid": flow.imported, "own": flow.pv, "battery": flow.discharge,
        "load": flow.load, "charging": flow.charge, "export": flow.exported, "curtailed": flow.curtailed,
    }  # fmt: skip
    for end, wanted in ends.items():
        found = sum((kw for link, kw in links.items() if end in link), np.zeros_like(flow.load))
        np.testing.assert_allclose(found, wanted, atol=1e-6, err_msg=end)


@given(st.lists(st.tuples(POWER, POWER, POWER, st.booleans()), min_size=1, max_size=12), st.booleans())
def test_links_add_up_at_every_end(steps: list[tuple[float, float, float, bool]], may_export: bool) -> None:
    load, pv, power = (np.array([step[number] for step in steps]) for number in range(3))
    charging = np.array([step[3] for step in steps])
    # A battery never gives more than is used where nothing may be fed in: curtailed is generation, not storage.
    discharge = np.minimum(np.where(charging, 0, power), load)
    flow = make_dispatch(load, pv, np.where(charging, power, 0), discharge, Battery(), 1.0, may_export=may_export)
    by_end(flow, feeds_all_in=False)


@given(st.lists(st.tuples(POWER, POWER), min_size=1, max_size=12))
def test_generation_with_its_own_meter_goes_out_first(steps: list[tuple[float, float]]) -> None:
    load, fed = (np.array([step[number] for step in steps]) for number in range(2))
    flow = make_dispatch(load, np.zeros_like(load), 0 * load, 0 * load, Battery(), 1.0, may_export=False)
    beside = Dispatch(load, fed, flow.charge, flow.discharge, flow.stored, flow.imported, fed, flow.curtailed)
    by_end(beside, feeds_all_in=True)
    assert not links_of(beside, feeds_all_in=True)["own", "load"].any()


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """The files of a week."""
    return dict(run_twin(request_of(week()), progress=quiet).files)


def test_a_run_delivers_flows_that_are_its_key_figures(files: dict[str, bytes]) -> None:
    flows, kpis = json.loads(files["flows.json"]), json.loads(files["kpis.json"])
    for name, scenario in flows["scenarios"].items():
        bought = sum(each["kwh"] for each in scenario["links"] if each["source"] == "grid")
        assert bought == pytest.approx(kpis[name]["import_kwh"], abs=0.01)
        (month,) = scenario["months"]
        for link in scenario["links"]:
            mean = next(
                each for each in month["links"] if (each["source"], each["sink"]) == (link["source"], link["sink"])
            )
            assert sum(mean["hours"]) * 7 == pytest.approx(link["kwh"], abs=0.05), "seven days, seven mean days"


def test_series_and_report_come_in_formats_that_offices_open(files: dict[str, bytes]) -> None:
    lines = files["series.csv"].decode().splitlines()
    assert len(lines) == 1 + 7 * 24
    assert lines[0].startswith('"time","period","buy_yuan_per_kwh","load_kw"')
    assert files["report.pdf"].startswith(b"%PDF-")
    assert zipfile.is_zipfile(io.BytesIO(files["report.xlsx"]))
    book = load_workbook(io.BytesIO(files["report.xlsx"]), read_only=True)
    kpis: Any = json.loads(files["kpis.json"])
    bill = next(row for row in book["电费构成"].iter_rows(values_only=True) if row[0] == "合计")
    assert bill[1:] == tuple(kpis[name]["annual_bill_yuan"] for name in ("as_is", "optimised", "sized"))
    manifest = json.loads(files["manifest.json"])
    assert set(manifest["outputs"]) == set(files) - {"manifest.json"}


def test_every_report_shows_what_is_worth_more_and_other_prices_and_processes() -> None:
    process = {"name": "窑<1>", "kw": 150, "run_minutes": 180, "window": {"from": "06:00", "to": "22:00"}}
    asked = [{"name": "需量电价上调", "demand_factor": "1.2"}]
    park = week(processes=[process | {"usual_start": "09:00"}], scenarios=asked)
    found = run_twin(request_of(park), progress=quiet).files
    kpis: Any = json.loads(found["kpis.json"])
    page = found["report.html"].decode()
    for text in (
        kpis["shadow_prices"][0]["text"],
        "需量电价上调",
        "窑&lt;1&gt;",
        "所选容量与理论最优的成本差距",
        "净现值",
        kpis["advice"][0]["hours"],
    ):
        assert text in page
    book = load_workbook(io.BytesIO(found["report.xlsx"]), read_only=True)
    assert [row[0] for row in book["边际价值"].iter_rows(values_only=True)][1:] == [
        item["text"] for item in kpis["shadow_prices"]
    ]
    (varied,) = list(book["情景对比"].iter_rows(values_only=True))[1:]
    assert varied[:2] == ("需量电价上调", kpis["scenarios"][0]["annual_bill_yuan"])
    (run,) = list(book["可移动工序"].iter_rows(values_only=True))[1:]
    assert run == ("窑<1>", *(kpis["processes"]["runs"][0][name] for name in ("found", "moved", "not_seen")))
    told = json.loads(found["manifest.json"])
    assert {"processes", "optimised", "sized", "需量电价上调"} <= {solve["scenario"] for solve in told["solver"]}
    assert all(solve["status"] == "Optimal" and "gap" in solve for solve in told["solver"])
    assert {"highspy", "pvlib", "typst", "xlsxwriter"} <= set(told["libraries"])
