"""The register of public money: the one place that moves it, and the order in which its rows are taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from billing.store import fund_movements
from billing.store.fund_movements import Movement, Part
from billing.store.fund_queries import GENERAL, lock_places
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import Work

Place = tuple[UUID, str]
"""A fund and one of its envelopes."""


@dataclass(frozen=True)
class Amount:
    """A part of a movement: how many fen, and for which hold of which park."""

    amount_fen: int
    hold_id: UUID | None = None
    tenant_id: UUID | None = None


def move(
    work: Work,
    *,
    fund_id: UUID,
    envelope: str,
    source: str,
    destination: str,
    amounts: Sequence[Amount],
    reason: str,
    only_open: bool = False,
) -> bool:
    """Move money of one envelope from place to place, with one entry per amount; nothing else changes a balance.

    False when ``source`` holds less than the amounts together (or, with ``only_open``, the fund is not open): then
    nothing moved. Amounts of zero are left out.
    """
    parts = [Part(new_id(), each.amount_fen, each.hold_id, each.tenant_id) for each in amounts if each.amount_fen]
    return not parts or _carry_out(
        work,
        fund_id=fund_id,
        envelope=envelope,
        source=source,
        destination=destination,
        parts=parts,
        reason=reason,
        only_open=only_open,
    )


def move_between(
    work: Work, *, giver: Place, taker: Place, amount_fen: int, via: str, reasons: tuple[str, str]
) -> bool:
    """Move available money from one envelope to another: two entries that name each other, or none.

    ``via`` is ``transferred`` within a fund, ``carried`` between the funds of two years. Both envelopes must be under
    lock (``lock_envelopes``). ``reasons`` are what the giver's entry says, and the taker's. False when the giver has less.
    """
    out, into = new_id(), new_id()
    (fund_id, envelope), (other_fund, other_envelope) = giver, taker
    given = _carry_out(
        work,
        fund_id=fund_id,
        envelope=envelope,
        source="available",
        destination=via,
        parts=[Part(out, amount_fen, counterpart_id=into)],
        reason=reasons[0],
        only_open=False,
    )
    return given and _carry_out(
        work,
        fund_id=other_fund,
        envelope=other_envelope,
        source=via,
        destination="available",
        parts=[Part(into, amount_fen, counterpart_id=out)],
        reason=reasons[1],
        only_open=True,
    )


def lock_envelopes(work: Work, places: Iterable[Place]) -> dict[Place, int]:
    """Lock envelopes in the order in which every transaction takes them; return what each has available, in fen."""
    return lock_places(work.session, in_order(set(places)))


def _carry_out(
    work: Work,
    *,
    fund_id: UUID,
    envelope: str,
    source: str,
    destination: str,
    parts: Sequence[Part],
    reason: str,
    only_open: bool,
) -> bool:
    movement = Movement(
        fund_id=fund_id,
        envelope=envelope,
        source=source,
        destination=destination,
        parts=parts,
        reason=reason[:200],
        user_id=work.actor.user_id,
        at=work.now,
        only_open=only_open,
    )
    return fund_movements.execute(work.connection, movement)


def in_order(places: Iterable[Place]) -> list[Place]:
    """Return (fund, envelope) pairs in the order in which every transaction takes them.

    All regional envelopes first, then the general ones: those are the rows that the whole province meets at, so they
    are held shortest.
    """
    return sorted(places, key=lambda place: (place[1] == GENERAL, place))


def allotments(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the regional envelopes that a park may draw on, nearest first: county, prefecture, class of region."""
    region = str(facts.get("region") or "")
    nearest = (region, f"{region[:4]}00" if len(region) == 6 else "", str(facts.get("region_class") or ""))
    return tuple(dict.fromkeys(name for name in nearest if name))
