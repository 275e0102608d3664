"""What those need who write the brief of a lead list: its schema."""

from __future__ import annotations

from typing import Any

from services.formats.brief import brief_schema


def brief_json_schema() -> dict[str, Any]:
    """Return the JSON Schema that briefs are checked against: made from the same code, so it cannot drift."""
    return brief_schema()
