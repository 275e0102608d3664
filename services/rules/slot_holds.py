"""Holding a slot while its price is confirmed: how long, and how many at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

MOST_MINUTES = 60
MOST_PER_PARK = 100
MOST_OFFER_HOURS = 72


class HoldOutcome(StrEnum):
    """What became of a hold."""

    BOOKED = "booked"
    RELEASED = "released"
    REPLACED = "replaced"
    EXPIRED = "expired"


@dataclass(frozen=True)
class HoldTerms:
    """How many minutes a slot is held, how many slots a park holds at once, and for how many hours a freed one is offered.

    Set by nobody where it never was.
    """

    minutes: int
    per_park: int
    offer_hours: int
    set_by: UUID | None
    set_at: datetime | None


def is_live(outcome: HoldOutcome | None, expires_at: datetime, now: datetime) -> bool:
    """Tell whether a hold keeps others away at ``now``."""
    return outcome is None and expires_at > now
