"""Taking a slot in one call each, by functions of the database: under load what counts is the number of round trips.

Both meet at the exclusion constraint of the reservations. What has expired there is given up by whoever wants its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from tenants.kernel.database import in_drivers_words
from tenants.kernel.identifiers import new_id

_HOLD = "SELECT answer, hold_id FROM hold_slot(%s, %s, %s, %s, %s, %s::uuid, %s::uuid, %s)"
_GONE = "SELECT slot_is_gone(%s, %s, %s)"
_BOOK = "SELECT answer, reserved FROM book_slot(%s, %s, %s, tstzrange(%s, %s), %s, %s, %s, %s::uuid, %s, %s::uuid[])"
_WAITED = "SELECT waited_for(%s, %s, %s, tstzrange(%s, %s), %s, NULL, '{}')"
_NO_RESERVATION = UUID(int=0)
_OFFER = "SELECT take_slot(%s, %s, %s, tstzrange(%s, %s), %s, %s, %s, %s::integer), %s::uuid"


@dataclass(frozen=True)
class Wanted:
    """A time on an instrument of ``units`` like units: from ``begins`` to ``finishes``, and with its buffers."""

    provider_id: UUID
    instrument_id: UUID
    units: int
    begins: datetime
    finishes: datetime
    occupied: tuple[datetime, datetime]
    person: UUID | None
    moment: datetime


def gone_at(connection: Connection, instrument_id: UUID, begins: datetime, moment: datetime) -> str | None:
    """Return the name of an instrument that others have taken in all its units at a start, with a booking that begins then.

    None where something is free, the acting park holds it, or nobody has taken just this start: then it has to be checked.
    """
    found: tuple[str | None] = in_drivers_words(connection, _GONE, (instrument_id, begins, moment)).fetchone()
    return found[0]


def hold_slot(connection: Connection, wanted: Wanted, quote_id: UUID | None) -> tuple[str, UUID | None]:
    """Hold a time for the acting park; return what came of it and the hold, which may be one that it had already.

    Answers: ``held``, ``taken``, ``busy`` (to be tried again), ``waited`` (somebody waits for it) or ``too_many``; after
    all but the first the transaction must be undone.
    """
    about = (wanted.provider_id, wanted.instrument_id, wanted.begins, wanted.finishes)
    return _called(connection, _HOLD, (*about, new_id(), wanted.person, quote_id, wanted.moment))


def book_slot(connection: Connection, wanted: Wanted, given_back: Sequence[UUID] = ()) -> tuple[str, UUID | None]:
    """Reserve a time for good, by the acting park's hold of it where there is one; return what came of it.

    ``given_back`` are reservations that the same transaction has given up for this one: nobody else could have had them.
    Answers: ``booked``, ``taken``, ``busy`` or ``waited``; after all but the first the transaction must be undone.
    """
    about = (wanted.provider_id, wanted.instrument_id, wanted.units, *wanted.occupied, wanted.begins, wanted.finishes)
    return _called(connection, _BOOK, (*about, new_id(), wanted.person, wanted.moment, list(given_back)))


def is_waited_for(connection: Connection, wanted: Wanted) -> bool:
    """Tell whether somebody else waits for a time that is free, so that taking it would be refused."""
    about = (wanted.provider_id, wanted.instrument_id, _NO_RESERVATION, *wanted.occupied, wanted.moment)
    found: tuple[bool] = in_drivers_words(connection, _WAITED, about).fetchone()
    return found[0]


def offer_slot(connection: Connection, wanted: Wanted, until: datetime, turn: int) -> UUID | None:
    """Hold a time until a moment for who waits with the number ``turn``; return the reservation.

    None when it is taken, or when somebody with a lower number could have it: then the transaction must be undone.
    """
    about = (wanted.provider_id, wanted.instrument_id, wanted.units, *wanted.occupied)
    reserved = new_id()
    unit, _ = _called(connection, _OFFER, (*about, reserved, wanted.moment, until, turn, reserved))
    return reserved if isinstance(unit, int) and unit > 0 else None


def _called(connection: Connection, statement: str, values: tuple[object, ...]) -> tuple[Any, UUID | None]:
    try:
        answer, found = in_drivers_words(connection, statement, values).fetchone()
    except OperationalError as error:
        if not is_deadlock(error):
            raise
        return "busy", None
    return answer, found


def is_deadlock(error: OperationalError) -> bool:
    """Tell whether the database ended one of several that waited for each other, whose transaction is lost."""
    return isinstance(error.orig, psycopg.errors.DeadlockDetected)
