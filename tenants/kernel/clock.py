"""The only "now" of the system: an aware UTC instant from an injected clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

CHINA = ZoneInfo("Asia/Shanghai")
"""The zone in which parks, funds and invoices count their days unless they say otherwise."""


class Clock(Protocol):
    """Tells the present instant."""

    def now(self) -> datetime:
        """Return the present as an aware UTC instant."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's present instant in UTC."""
        return datetime.now(UTC)


@dataclass
class ManualClock:
    """A clock that moves only when told: for tests, the demo's history and the seed."""

    instant: datetime

    def __post_init__(self) -> None:
        """Refuse a naive instant: it would mean another moment on another machine."""
        if self.instant.tzinfo is None:
            raise ValueError("a clock needs an aware instant")

    def now(self) -> datetime:
        """Return the instant this clock stands at, in UTC."""
        return self.instant.astimezone(UTC)

    def advance(self, by: timedelta) -> None:
        """Move by ``by``; a negative step stands for a machine whose clock was set back."""
        self.instant += by
