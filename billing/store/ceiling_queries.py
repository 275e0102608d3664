"""The counters of ceilings: read, and given back. They are taken from by the database's own function, see ``hold_calls``."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, text, tuple_
from sqlalchemy.orm import Session

from billing.store.funds import CapCounter

NOBODY = UUID(int=0)
"""Owner of a counter that belongs to no single park."""


class CounterKey(NamedTuple):
    """Which counter: its fields in the order in which counters are locked."""

    programme: str
    scope: str
    owner_id: UUID
    key: str
    period: str


_GIVE_BACK = """
    UPDATE cap_counters SET used_fen = used_fen - %(amount)s
    WHERE owner_id = %(owner_id)s AND programme = %(programme)s AND scope = %(scope)s AND key = %(key)s
      AND period = %(period)s AND used_fen >= %(amount)s
    """


def give_back(session: Session, counter: CounterKey, amount_fen: int) -> bool:
    """Take an amount off a counter; False when it does not hold that much."""
    values = {**counter._asdict(), "amount": amount_fen}
    return session.connection().exec_driver_sql(_GIVE_BACK, values).rowcount == 1


def used(session: Session, counters: Collection[CounterKey]) -> dict[CounterKey, int]:
    """Return what some counters hold, in fen; one that nobody has used holds nothing."""
    if not counters:
        return {}
    fields = (CapCounter.programme, CapCounter.scope, CapCounter.owner_id, CapCounter.key, CapCounter.period)
    rows = session.execute(select(*fields, CapCounter.used_fen).where(tuple_(*fields).in_(list(counters))))
    found = {CounterKey(*row[:5]): int(row[5]) for row in rows}
    return {counter: found.get(counter, 0) for counter in counters}


def most_used(session: Session, programme: str) -> dict[tuple[str, str], int]:
    """Return per scope and period the most that any holder has taken from a programme, in fen."""
    rows = session.execute(
        text(
            "SELECT scope, period, max(used_fen) FROM cap_counters WHERE programme = :programme GROUP BY scope, period"
        ),
        {"programme": programme},
    )
    return {(scope, period): int(most) for scope, period, most in rows}
