"""Prepaid credit in lots: what was bought and what was granted, and which of it is used first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class CreditKind(StrEnum):
    """Where credit came from."""

    PURCHASED = "purchased"
    GRANTED = "granted"


DEFAULT_PRIORITY = {CreditKind.GRANTED: 50, CreditKind.PURCHASED: 100}
"""Lower is used first: what was given may expire, what was paid for does not."""


@dataclass(frozen=True, slots=True)
class Lot:
    """A credit and what of it is available. ``expires_at`` is the first instant it is worth nothing; None never."""

    id: UUID
    kind: CreditKind
    priority: int
    expires_at: datetime | None
    granted_at: datetime
    available_fen: int

    def expired(self, now: datetime) -> bool:
        """Tell whether the lot is worth nothing at ``now``."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Burn:
    """A part of a lot that is used."""

    lot_id: UUID
    amount_fen: int


def burn_order(lots: Iterable[Lot]) -> list[Lot]:
    """Return lots in the order in which they are used: by priority, then what expires soonest, then the oldest."""
    return sorted(
        lots,
        key=lambda lot: (
            lot.priority,
            lot.expires_at is None,
            lot.expires_at or lot.granted_at,
            lot.granted_at,
            lot.id,
        ),
    )


def burn(lots: Iterable[Lot], amount_fen: int, now: datetime) -> Sequence[Burn] | None:
    """Return which parts of which lots pay ``amount_fen``; None when those that have not expired do not suffice."""
    return spend((lot for lot in lots if not lot.expired(now)), amount_fen)


def spend(lots: Iterable[Lot], amount_fen: int) -> Sequence[Burn] | None:
    """Return which parts of which lots pay ``amount_fen``, whether they have expired or not; None when they do not."""
    parts: list[Burn] = []
    missing = amount_fen
    for lot in burn_order(lots):
        part = min(missing, lot.available_fen)
        if part > 0:
            parts.append(Burn(lot.id, part))
            missing -= part
    return None if missing else parts
