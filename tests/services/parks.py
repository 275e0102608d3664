"""Small parks for tests: a week by the hour unless told otherwise."""

from __future__ import annotations

import json
from typing import Any

from services.rules.demo_park import demo_park
from services.rules.twin.inputs import TwinRequest
from services.usecases.twin_alone import no_files, read_request


def week(**changes: Any) -> dict[str, Any]:
    document = demo_park() | {"period": {"from": "2025-07-07", "to": "2025-07-14"}, "step_minutes": 60}
    return document | changes


def request_of(document: dict[str, Any]) -> TwinRequest:
    return read_request(json.dumps(document).encode(), no_files)


def quiet(_stage: str, _done: float) -> None:
    return None
