"""The time series of a run as Parquet: one row per step, columns named ``scenario_flow_unit``."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from services.gateways.twin_physics import Physics
from services.rules.twin.calendar import Calendar
from services.rules.twin.inputs import Floats
from services.rules.twin.scenarios import Scenario
from services.rules.twin.tariff import PERIODS, Prices

_FLOWS = ("imported", "exported", "curtailed", "pv", "charge", "discharge")


def render_series(calendar: Calendar, prices: Prices, scenarios: Sequence[Scenario], physics: Physics) -> bytes:
    """Return the file. ``time`` is the start of the step as a UTC instant; power is the step's mean in kW.

    ``load_kw`` is all that the park takes; a scenario's ``pv`` holds the wind too. Wind, charging trucks and each
    building's electricity and air have columns of their own where a park has them.
    """
    horizon = calendar.horizon
    seconds = int(horizon.start.timestamp()) + np.arange(horizon.steps, dtype=np.int64) * horizon.step_minutes * 60
    columns = {
        "time": pa.array(seconds * 1000, type=pa.timestamp("ms", tz="UTC")),
        "period": pa.DictionaryArray.from_arrays(
            pa.array(prices.period.astype(np.int8)), pa.array([item.value for item in PERIODS])
        ),
        "buy_yuan_per_kwh": pa.array(prices.buy),
        "load_kw": pa.array(scenarios[0].flow.load),
    }
    columns |= {name: pa.array(np.round(values, 6)) for name, values in _equipment(physics).items()}
    for item in scenarios:
        if item.flow.load is not scenarios[0].flow.load:  # processes were shifted
            columns[f"{item.name}_load_kw"] = pa.array(np.round(item.flow.load, 6))
        for name in _FLOWS:
            columns[f"{item.name}_{name}_kw"] = pa.array(np.round(getattr(item.flow, name), 6))
        columns[f"{item.name}_stored_kwh"] = pa.array(np.round(item.flow.stored, 6))
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()


def _equipment(physics: Physics) -> dict[str, Floats]:
    columns: dict[str, Floats] = {}
    if physics.wind.any():
        columns["wind_kw"] = physics.wind
    if physics.charging.any():
        columns["truck_charging_kw"] = physics.charging
    for number, item in enumerate(physics.buildings, 1):
        columns[f"building_{number}_kw"] = item.comfort.electricity
        columns[f"building_{number}_air_c"] = item.comfort.air
    return columns
