"""The demo park's whole year at 15 minutes, once."""

from __future__ import annotations

from typing import Any

import pytest

from services.gateways.sandbox import Limits, run_limited
from services.gateways.twin import run_twin
from services.rules.demo_park import demo_park
from tests.services.parks import request_of


@pytest.mark.slow
def test_a_year_of_the_demo_park_is_worth_its_price_and_keeps_to_its_limits() -> None:
    outcome = run_limited(run_twin, request_of(demo_park()), limits=Limits(cpu_seconds=90))
    kpis: Any = outcome.value.kpis
    assert kpis["as_is"]["annual_bill_yuan"] - kpis["optimised"]["annual_bill_yuan"] > 10_000
    assert kpis["sized"]["objective_yuan"] < kpis["optimised"]["objective_yuan"]
    assert kpis["sized"]["emissions_t"] < kpis["as_is"]["emissions_t"]
    assert 3 < kpis["investment"]["payback_years"] < 15
    assert outcome.peak_mb < 500
