"""Holding public money by the database's own functions: count under ceilings, enter holds, draw on funds.

A checkout does all three in one call (``hold_public_money``, made by a migration): its plans are kept and it takes one
round trip. They refuse by an error, so that a caller who does not look cannot keep half of a hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from billing.store.ceiling_queries import CounterKey
from tenants.kernel.database import AnyRow
from tenants.kernel.identifiers import new_id

_HOLD = """
    SELECT need_position, hold_id, fund_id, envelope, amount_fen FROM hold_public_money(
        %(tenant_id)s, %(user_id)s, %(at)s, %(expires_at)s, %(takes)s, %(needs)s, %(regional)s::text[], %(hold_ids)s,
        %(entry_ids)s)
    """
_COUNT = "SELECT count_under_ceilings(%(takes)s)"
_ENTER = """
    SELECT need_position, hold_id, fund_id, envelope, amount_fen FROM enter_holds(
        %(tenant_id)s, %(at)s, %(expires_at)s, %(needs)s, %(regional)s::text[], %(hold_ids)s)
    """
_DRAW = """
    SELECT draw_on_funds(%(tenant_id)s, %(user_id)s, %(at)s, %(regional)s::text[], %(hold_ids)s, %(fund_ids)s,
                         %(envelopes)s::text[], %(amounts)s::bigint[], %(entry_ids)s)
    """


@dataclass(frozen=True, slots=True)
class Taken:
    """An amount that counts in a counter, and the limit it has to stay under, None for none."""

    counter: CounterKey
    amount_fen: int
    limit_fen: int | None


@dataclass(frozen=True, slots=True)
class Needed:
    """What an award on an order line needs from a fund; ``ceilings`` is kept with its holds."""

    order_line_id: UUID
    fund_id: UUID
    programme: str
    version: int
    amount_fen: int
    ceilings: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class HoldCall:
    """Who holds what, when: ``takes`` in the stable order of their counters, and ``needs``.

    ``regional`` are the envelopes that may be drawn on before the general one, nearest first.
    """

    tenant_id: UUID
    user_id: UUID | None
    at: datetime
    expires_at: datetime
    takes: Sequence[Taken]
    needs: Sequence[Needed]
    regional: Sequence[str]


@dataclass(frozen=True, slots=True)
class HeldPart:
    """A hold that was made: ``need`` is the position of what it is for."""

    need: int
    hold_id: UUID
    fund_id: UUID
    envelope: str
    amount_fen: int


class CeilingReachedError(Exception):
    """An amount did not fit under its ceiling; ``left_fen`` would have."""

    def __init__(self, taken: Taken, left_fen: int) -> None:
        super().__init__(taken, left_fen)
        self.taken = taken
        self.left_fen = left_fen


class FundExhaustedError(Exception):
    """A fund is not open or has only ``left_fen`` for this park."""

    def __init__(self, fund_id: UUID, left_fen: int) -> None:
        super().__init__(fund_id, left_fen)
        self.fund_id = fund_id
        self.left_fen = left_fen


def hold_all(session: Session, call: HoldCall) -> list[HeldPart]:
    """Count, enter and draw in one call. Raises CeilingReachedError or FundExhaustedError; the transaction is lost."""
    values = {
        **_counted(call),
        **_entered(call),
        "user_id": call.user_id,
        "entry_ids": [new_id() for _ in range(_most_parts(call))],
    }
    return [HeldPart(*row) for row in _call(session, _HOLD, values, call)]


def count_under_ceilings(session: Session, call: HoldCall) -> None:
    """Count what ``call`` takes; the first step of those that cannot be one call. Raises CeilingReachedError."""
    _call(session, _COUNT, _counted(call), call)


def enter_holds(session: Session, call: HoldCall) -> list[HeldPart]:
    """Lock the regional envelopes, plan, and enter the holds; no money has moved yet."""
    return [HeldPart(*row) for row in _call(session, _ENTER, _entered(call), call)]


def draw_on_funds(session: Session, call: HoldCall, parts: Sequence[HeldPart]) -> None:
    """Draw what was entered: the last step. Raises FundExhaustedError."""
    values = {
        "tenant_id": call.tenant_id,
        "user_id": call.user_id,
        "at": call.at,
        "regional": list(call.regional),
        "hold_ids": [part.hold_id for part in parts],
        "fund_ids": [part.fund_id for part in parts],
        "envelopes": [part.envelope for part in parts],
        "amounts": [part.amount_fen for part in parts],
        "entry_ids": [new_id() for _ in parts],
    }
    _call(session, _DRAW, values, call)


def _most_parts(call: HoldCall) -> int:
    return len(call.needs) * (len(call.regional) + 1)


def _counted(call: HoldCall) -> dict[str, Any]:
    takes = [
        {
            **taken.counter._asdict(),
            "owner_id": str(taken.counter.owner_id),
            "amount_fen": taken.amount_fen,
            "limit_fen": taken.limit_fen,
        }
        for taken in call.takes
    ]
    return {"takes": json.dumps(takes)}


def _entered(call: HoldCall) -> dict[str, Any]:
    needs = [
        {
            "position": position,
            "order_line_id": str(need.order_line_id),
            "fund_id": str(need.fund_id),
            "programme": need.programme,
            "version": need.version,
            "amount_fen": need.amount_fen,
            "ceilings": need.ceilings,
        }
        for position, need in enumerate(call.needs)
    ]
    return {
        "tenant_id": call.tenant_id,
        "at": call.at,
        "expires_at": call.expires_at,
        "needs": json.dumps(needs),
        "regional": list(call.regional),
        "hold_ids": [new_id() for _ in range(_most_parts(call))],
    }


def _call(session: Session, statement: str, values: Mapping[str, Any], call: HoldCall) -> Sequence[AnyRow]:
    try:
        return session.connection().exec_driver_sql(statement, dict(values)).all()
    except DBAPIError as error:
        raise _refusal(error, call) from error


def _refusal(error: DBAPIError, call: HoldCall) -> Exception:
    """Return what the functions' own error states mean; any other error as it is."""
    cause = error.orig
    if isinstance(cause, psycopg.Error) and cause.sqlstate in {"MK001", "MK002"}:
        detail = json.loads(cause.diag.message_detail or "{}")
        if cause.sqlstate == "MK001":
            return CeilingReachedError(call.takes[detail["take"]], detail["left_fen"])
        return FundExhaustedError(UUID(detail["fund_id"]), detail["left_fen"])
    return error
