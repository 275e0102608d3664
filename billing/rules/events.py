"""Usage events on their way in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """An event ready to be stored. ``data`` is JSON text."""

    source: str
    id: str
    type: str
    subject: str
    time: datetime
    data: str
    body_hash: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what makes it unique within its park, for good."""
        return self.source, self.id
