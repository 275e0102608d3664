"""The one statement that moves public money: balances change and the register is written together, or neither is.

It goes to the driver as it is written: every checkout sends it while it holds the busiest row of the province.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import Connection

from billing.store.funds import OUTSIDE, PLACES


@dataclass(frozen=True, slots=True)
class Part:
    """One entry of a movement: how much, for which hold of which park, and the entry that is its other half."""

    entry_id: UUID
    amount_fen: int
    hold_id: UUID | None = None
    tenant_id: UUID | None = None
    counterpart_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """Money of one envelope going from one place to another."""

    fund_id: UUID
    envelope: str
    source: str
    destination: str
    parts: Sequence[Part]
    reason: str
    user_id: UUID | None
    at: datetime
    only_open: bool
    """Move nothing unless the fund is open."""


def execute(connection: Connection, movement: Movement) -> bool:
    """Carry out a movement; False when the source holds too little, the fund is not open, or there is no envelope.

    The condition stands in the UPDATE itself, so it is judged on the row as it is once every earlier transaction on
    it has ended: two that race for the last fen cannot both find it there.
    """
    paired = not {"transferred", "carried"}.isdisjoint({movement.source, movement.destination})
    moved = connection.exec_driver_sql(
        _statement(movement.source, movement.destination, only_open=movement.only_open, paired=paired),
        {
            "fund_id": movement.fund_id,
            "envelope": movement.envelope,
            "source": movement.source,
            "destination": movement.destination,
            "total": sum(part.amount_fen for part in movement.parts),
            "ids": [part.entry_id for part in movement.parts],
            "amounts": [part.amount_fen for part in movement.parts],
            "holds": [part.hold_id for part in movement.parts],
            "tenants": [part.tenant_id for part in movement.parts],
            "counterparts": [part.counterpart_id for part in movement.parts],
            "reason": movement.reason,
            "user_id": movement.user_id,
            "at": movement.at,
        },
    )
    return bool(moved.scalar_one())


@cache
def _statement(source: str, destination: str, *, only_open: bool, paired: bool) -> str:
    """Build the statement. Its only variable names are those of ``PLACES``."""
    if source == destination or not {source, destination} <= set(PLACES):
        raise ValueError(f"no movement leads from {source} to {destination}")
    # What came from outside is counted up when it comes, and down when it goes back.
    leaving = f"{source}_fen = {source}_fen {'+' if source in OUTSIDE else '-'} %(total)s"
    arriving = f"{destination}_fen = {destination}_fen {'-' if destination in OUTSIDE else '+'} %(total)s"
    enough = "" if source in OUTSIDE else f"AND {source}_fen >= %(total)s"
    is_open = "AND EXISTS (SELECT FROM funds WHERE id = %(fund_id)s AND status = 'open')" if only_open else ""
    names, counterpart = (", counterpart_id", ", part.counterpart_id") if paired else ("", "")
    more, column = (", CAST(%(counterparts)s AS uuid[])", ", counterpart_id") if paired else ("", "")
    return f"""
        WITH moved AS (
            UPDATE fund_envelopes SET {leaving}, {arriving}
            WHERE fund_id = %(fund_id)s AND envelope = %(envelope)s {enough} {is_open}
            RETURNING fund_id, envelope
        ), entered AS (
            INSERT INTO fund_entries (id, fund_id, envelope, source, destination, amount_fen, hold_id, tenant_id,
                                      reason, user_id, at{names})
            SELECT part.id, moved.fund_id, moved.envelope, %(source)s, %(destination)s, part.amount_fen, part.hold_id,
                   part.tenant_id, %(reason)s, CAST(%(user_id)s AS uuid), %(at)s{counterpart}
            FROM moved, unnest(CAST(%(ids)s AS uuid[]), CAST(%(amounts)s AS bigint[]), CAST(%(holds)s AS uuid[]),
                               CAST(%(tenants)s AS uuid[]){more})
                 AS part (id, amount_fen, hold_id, tenant_id{column})
        )
        SELECT count(*) FROM moved
        """  # noqa: S608 - column names come from PLACES, checked above; every value is a parameter
