"""Calendar files as a parser of the format reads them."""

from __future__ import annotations

from typing import Any

from icalendar import Calendar


def components(content: bytes, name: str = "VEVENT") -> list[Any]:
    """Return the components of a kind in a file, in its order."""
    return list(Calendar.from_ical(content).walk(name))
