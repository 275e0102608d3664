"""Usage events on their way in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

PLATFORM = "marketplace"
"""The source of what the platform meters itself, also with a path behind it: nobody sends events from there."""


def is_platform_source(source: str) -> bool:
    """Tell whether a source is the platform's own, however it is written."""
    name = source.strip().casefold()
    return name == PLATFORM or name.startswith(f"{PLATFORM}/")


@dataclass(frozen=True, slots=True)
class Correction:
    """Which event another one takes the place of. A void one leaves the place empty."""

    source: str
    id: str
    void: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Return the key of the event that is corrected."""
        return self.source, self.id


class IncomingEvent(NamedTuple):
    """An event ready to be stored. ``data`` is JSON text.

    A named tuple, since a frozen dataclass of eight fields takes as long to make as the event's hash.
    """

    source: str
    id: str
    type: str
    subject: str
    time: datetime
    data: str
    body_hash: str
    corrects: Correction | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Return what makes it unique within its park, for good."""
        return self.source, self.id
