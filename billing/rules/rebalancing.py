"""Regional money that will lie idle at the end of a fund's year: what could go to the whole province instead.

A proposal only: two people decide. From the first of October on, an envelope keeps what it will use until the end of
the year at its own rate, and a margin of a fifth; what is more than a twentieth of what it was given is called idle.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import ceil

FROM_MONTH = 10
MARGIN = Fraction(6, 5)
SMALLEST_SHARE = 20


@dataclass(frozen=True, slots=True)
class EnvelopeUse:
    """A regional envelope: what it was given in all, what is left, and what it uses in a day (exact fen)."""

    envelope: str
    given_fen: int
    available_fen: int
    rate: Fraction


@dataclass(frozen=True, slots=True)
class Idle:
    """Money that an envelope will not need this year, and what it keeps for the days left."""

    envelope: str
    amount_fen: int
    needed_fen: int
    days: int


def idle_money(envelopes: Iterable[EnvelopeUse], *, year: int, today: date) -> tuple[Idle, ...]:
    """Return what regional envelopes could give up, the most first; nothing before October or after the year."""
    if today.year != year or today.month < FROM_MONTH:
        return ()
    days = (date(year, 12, 31) - today).days + 1
    found = []
    for each in envelopes:
        needed = ceil(each.rate * days * MARGIN)
        idle = each.available_fen - needed
        if idle > 0 and idle * SMALLEST_SHARE >= each.given_fen:
            found.append(Idle(each.envelope, idle, needed, days))
    return tuple(sorted(found, key=lambda each: (-each.amount_fen, each.envelope)))
