"""What a replay of past orders starts from: ceilings and funds as they stood, and what moved them from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.store.ceiling_queries import CounterKey
from billing.store.programmes import PolicyVersion

_COUNTED = """
    SELECT h.programme, c ->> 'scope' AS scope, CAST(c ->> 'owner_id' AS uuid) AS owner_id, c ->> 'key' AS key,
           c ->> 'period' AS period, {amount} AS amount_fen, {at} AS at
    FROM holds h CROSS JOIN LATERAL jsonb_array_elements(h.ceilings) AS c
    WHERE h.created_at < :since AND {condition}
    """
_STOOD = _COUNTED.format(
    amount="sum(CASE WHEN h.settled_at IS NULL OR h.settled_at >= :since THEN h.amount_fen ELSE h.captured_fen END)",
    at="CAST(NULL AS timestamptz)",
    condition="true GROUP BY 1, 2, 3, 4, 5",
)
_GIVEN_BACK = _COUNTED.format(
    amount="h.amount_fen - h.captured_fen",
    at="h.settled_at",
    condition="h.settled_at >= :since AND h.settled_at < :until AND h.amount_fen > h.captured_fen",
)
# Money that came back after it was spent gave its ceilings back when it did, for holds of any time.
_CAME_BACK = """
    SELECT h.programme, c ->> 'scope' AS scope, CAST(c ->> 'owner_id' AS uuid) AS owner_id, c ->> 'key' AS key,
           c ->> 'period' AS period, e.amount_fen, e.at
    FROM fund_entries e JOIN holds h ON h.id = e.hold_id CROSS JOIN LATERAL jsonb_array_elements(h.ceilings) AS c
    WHERE (e.source, e.destination) IN (('captured', 'available'), ('disbursed', 'returned')) AND e.at < :until
    """
# What the orders of the period held and released is replayed; everything else that changed what is available counts
# as it was.
_MOVED = """
    SELECT f.slug, e.envelope, e.at,
           CASE WHEN e.destination = 'available' THEN e.amount_fen ELSE -e.amount_fen END AS amount_fen
    FROM fund_entries e JOIN funds f ON f.id = e.fund_id LEFT JOIN holds h ON h.id = e.hold_id
    WHERE 'available' IN (e.source, e.destination) AND e.at < :until AND (e.at < :since OR h.created_at IS NULL
          OR h.created_at < :since OR 'held' NOT IN (e.source, e.destination))
    ORDER BY e.at
    """
_KEPT = """
    SELECT id, facts -> 'facts' AS facts, jsonb_path_query_array(facts, '$.command.order.lines[*].facts') AS lines,
           facts -> 'command' -> 'exemptions' AS exemptions, facts -> 'command' -> 'used' -> 'rolling' AS rolling
    FROM quotes WHERE (tenant_id, id) IN (SELECT * FROM unnest(CAST(:tenants AS uuid[]), CAST(:quotes AS uuid[])))
    """
_ENDS = """
    SELECT order_line_id, sum(amount_fen) AS held_fen, sum(captured_fen) AS captured_fen, max(settled_at) AS settled_at
    FROM holds
    WHERE (tenant_id, order_line_id) IN (SELECT * FROM unnest(CAST(:tenants AS uuid[]), CAST(:lines AS uuid[])))
    GROUP BY order_line_id
    """


@dataclass(frozen=True)
class LineEnd:
    """What was held for an order line, what of it was spent, and when it was decided."""

    held_fen: int
    captured_fen: int
    settled_at: datetime | None


@dataclass(frozen=True)
class KeptFacts:
    """What a quote was made from: facts of the order and of each line, decisions for its park, and its rolling aid."""

    facts: dict[str, Any]
    lines: list[dict[str, Any]]
    exemptions: list[dict[str, Any]]
    rolling: dict[str, int]


def ceilings_at(session: Session, since: datetime) -> dict[CounterKey, int]:
    """Return what every ceiling's counter held at a moment, in fen."""
    return {CounterKey(*row[:5]): int(row[5]) for row in session.execute(text(_STOOD), {"since": since})}


def given_back(session: Session, since: datetime, until: datetime) -> Sequence[tuple[datetime, CounterKey, int]]:
    """Return what earlier holds gave back to ceilings in a period."""
    rows = session.execute(text(_GIVEN_BACK), {"since": since, "until": until})
    return [(row.at, CounterKey(*row[:5]), int(row.amount_fen)) for row in rows]


def came_back(session: Session, until: datetime) -> Sequence[tuple[datetime, CounterKey, int]]:
    """Return what spent money that came back before ``until`` gave back to ceilings."""
    rows = session.execute(text(_CAME_BACK), {"until": until})
    return [(row.at, CounterKey(*row[:5]), int(row.amount_fen)) for row in rows]


def money_moved(session: Session, since: datetime, until: datetime) -> Iterator[tuple[datetime, tuple[str, str], int]]:
    """Return every movement of a fund's available money up to ``until``, by fund and envelope, oldest first.

    Without the movements for holds that were placed in the period.
    """
    for slug, envelope, at, amount in session.execute(text(_MOVED), {"since": since, "until": until}):
        yield at, (slug, envelope), int(amount)


def kept_facts(session: Session, quotes: Sequence[tuple[UUID, UUID]]) -> Mapping[UUID, KeptFacts]:
    """Return what quotes (given by park and id) kept of what was known."""
    keys = {"tenants": [tenant for tenant, _ in quotes], "quotes": [quote for _, quote in quotes]}
    return {
        row.id: KeptFacts(row.facts, row.lines, row.exemptions or [], row.rolling or {})
        for row in session.execute(text(_KEPT), keys)
    }


def line_ends(session: Session, lines: Sequence[tuple[UUID, UUID]]) -> Mapping[UUID, LineEnd]:
    """Return what became of the money held for order lines (given by park and id); lines without holds are left out."""
    keys = {"tenants": [tenant for tenant, _ in lines], "lines": [line for _, line in lines]}
    return {
        row.order_line_id: LineEnd(int(row.held_fen), int(row.captured_fen), row.settled_at)
        for row in session.execute(text(_ENDS), keys)
    }


def approvals_before(session: Session, until: datetime) -> Sequence[PolicyVersion]:
    """Return the approved versions that had come into effect before a moment, in the order in which they did."""
    query = select(PolicyVersion).where(PolicyVersion.status == "approved", PolicyVersion.effective_from < until)
    ordered = query.order_by(PolicyVersion.effective_from, PolicyVersion.programme_id, PolicyVersion.version)
    return session.execute(ordered).scalars().all()
