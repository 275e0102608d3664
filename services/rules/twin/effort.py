"""How long a run will take, before it is run: CPU seconds from what is asked, as measured on one core of 2024."""

from __future__ import annotations

from services.rules.twin.equipment import Equipment
from services.rules.twin.inputs import TwinRequest
from services.rules.twin.shift_program import EXACT_STEPS

_YEAR_STEPS = 35_040
_START = 1.5
_PREPARE, _DISPATCH, _SIZE, _VARIATION, _PROCESSES = 0.4, 1.4, 4.5, 0.4, 45.0
_BUS_SCENARIO, _BUILDING, _YARD = 0.033, 0.25, 0.4
_SCENARIOS = 3
_BINARIES = 2e-5
"""Seconds per squared step of a timetable with all its binaries at once."""


def cpu_seconds(request: TwinRequest) -> float:
    """Return an estimate, rounded to a tenth of a second; within a factor of two on the demo park's likes."""
    equipment = request.equipment or Equipment()
    sizing = request.sizing
    sized = sizing is not None and bool(sizing.pv_max_kwp or sizing.battery_max_kwh)
    year = (
        _PREPARE
        + _DISPATCH * (request.battery.kwh > 0)
        + _SIZE * sized
        + _VARIATION * len(request.variations)
        + _PROCESSES * bool(request.processes) * (request.horizon.steps > EXACT_STEPS)
        + _BUILDING * len(equipment.buildings)
    )
    if equipment.network is not None:
        year += _BUS_SCENARIO * _SCENARIOS * len(equipment.network.buses)
    seconds = _START + year * request.horizon.steps / _YEAR_STEPS + _YARD * (equipment.yard is not None)
    if request.processes and request.horizon.steps <= EXACT_STEPS:
        seconds += _BINARIES * request.horizon.steps**2
    return round(seconds, 1)
