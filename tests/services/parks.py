"""Small parks for tests: a week by the hour unless told otherwise."""

from __future__ import annotations

import json
from typing import Any

from services.rules.demo_park import demo_park
from services.rules.twin.inputs import TwinRequest
from services.usecases.twin_alone import no_files, read_request

EQUIPMENT = ("wind", "buildings", "network", "logistics", "fuels")


def week(**changes: Any) -> dict[str, Any]:
    """The demo park's week without what it has beside load, PV and battery, unless ``changes`` give it."""
    document = demo_park() | {"period": {"from": "2025-07-07", "to": "2025-07-14"}, "step_minutes": 60}
    return {name: part for name, part in document.items() if name not in EQUIPMENT} | changes


def request_of(document: dict[str, Any]) -> TwinRequest:
    return read_request(json.dumps(document).encode(), no_files)


def quiet(_stage: str, _done: float) -> None:
    return None
