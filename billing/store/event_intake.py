"""Taking in usage events: each (park, source, id) once and for good, some hundreds in one statement.

Each column goes as one array that is written here: an array made by the driver takes it longer than the rest of the
batch, and a temporary table costs rows of the catalogue for every batch. Measured: see billing/README.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Result, insert, text
from sqlalchemy.orm import Session

from billing.rules.events import Correction, IncomingEvent
from billing.store.usage import RejectedEvent
from tenants.kernel.writing import on_their_way

PIECE = 250
"""Events in one statement: of a batch of five hundred, the second half is read while the first is stored."""
_PARTING = "\x1f"
"""What parts values before they are written as an array: no text that was checked has it, nor has JSON."""

# For the driver itself, which can have several of these on their way.
_TAKE = """
    INSERT INTO usage_events (tenant_id, source, event_id, type, subject, time, data, body_hash, received_at)
    SELECT %(tenant)s, i.source, i.event_id, i.type, i.subject, i.time, i.data, i.body_hash, %(now)s
    FROM unnest(CAST(%(sources)s AS text[]), CAST(%(ids)s AS text[]), CAST(%(types)s AS text[]),
                CAST(%(subjects)s AS text[]), CAST(%(times)s AS timestamptz[]), CAST(%(data)s AS jsonb[]),
                CAST(%(hashes)s AS text[]))
         AS i (source, event_id, type, subject, time, data, body_hash)
    ON CONFLICT DO NOTHING
"""
_KNOWN = text(
    """
    SELECT e.source, e.event_id, e.type, e.subject, e.data, c.corrected_source, c.corrected_id, c.void
    FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:hashes AS text[]))
         AS i (source, event_id, body_hash)
    JOIN usage_events e ON e.tenant_id = :tenant AND e.source = i.source AND e.event_id = i.event_id
    LEFT JOIN event_corrections c
      ON c.tenant_id = e.tenant_id AND c.source = e.source AND c.event_id = e.event_id
    WHERE e.body_hash <> i.body_hash
    """
)
_CORRECT = text(
    """
    INSERT INTO event_corrections (tenant_id, source, event_id, corrected_source, corrected_id, void)
    SELECT e.tenant_id, e.source, e.event_id, i.corrected_source, i.corrected_id, i.void
    FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:hashes AS text[]),
                CAST(:corrected_sources AS text[]), CAST(:corrected_ids AS text[]), CAST(:voids AS boolean[]))
         AS i (source, event_id, body_hash, corrected_source, corrected_id, void)
    JOIN usage_events e ON e.tenant_id = :tenant AND e.source = i.source AND e.event_id = i.event_id
                       AND e.body_hash = i.body_hash AND e.written_in = pg_current_xact_id()
    ON CONFLICT DO NOTHING
    """
)
_TARGETS = text(
    """
    SELECT e.source, e.event_id, e.type, c.source AS by_source, c.event_id AS by_id,
           EXISTS (SELECT FROM rated_usage r WHERE r.tenant_id = e.tenant_id AND r.event_source = e.source
                                               AND r.event_id = e.event_id) AS charged
    FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS i (source, event_id)
    JOIN usage_events e ON e.tenant_id = :tenant AND e.source = i.source AND e.event_id = i.event_id
    LEFT JOIN event_corrections c
      ON c.tenant_id = e.tenant_id AND c.corrected_source = e.source AND c.corrected_id = e.event_id
    """
)


@dataclass(frozen=True, slots=True)
class Target:
    """A stored event that somebody wants to correct: what corrects it already, and whether it was charged."""

    type: str
    corrected_by: tuple[str, str] | None
    charged: bool


def targets(session: Session, tenant_id: UUID, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Target]:
    """Return those of the events of these keys that are stored."""
    asked = {"tenant": tenant_id, "sources": [key[0] for key in keys], "ids": [key[1] for key in keys]}
    return {
        (row.source, row.event_id): Target(
            row.type, None if row.by_source is None else (row.by_source, row.by_id), row.charged
        )
        for row in session.execute(_TARGETS, asked)
    }


def note_corrections(session: Session, tenant_id: UUID, events: Sequence[IncomingEvent]) -> int:
    """Write what the events of this transaction correct; return how many were written.

    Fewer than were stored means that somebody corrects one of their events at this moment.
    """
    corrections = [(event, event.corrects) for event in events if event.corrects is not None]
    columns = {
        "tenant": tenant_id,
        "sources": [event.source for event, _ in corrections],
        "ids": [event.id for event, _ in corrections],
        "hashes": [event.body_hash for event, _ in corrections],
        "corrected_sources": [correction.source for _, correction in corrections],
        "corrected_ids": [correction.id for _, correction in corrections],
        "voids": [correction.void for _, correction in corrections],
    }
    written: int = session.execute(_CORRECT, columns).rowcount  # type: ignore[attr-defined]
    return written


def note_rejected(session: Session, tenant_id: UUID, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep what was refused of a batch whose rest was taken."""
    if rows:
        session.execute(insert(RejectedEvent), [{**row, "tenant_id": tenant_id} for row in rows])


class Intake:
    """Stores events that are new, piece by piece, while the caller reads the next ones: see ``intake``."""

    def __init__(self, session: Session, driver: Any, tenant_id: UUID, now: datetime) -> None:
        self._session = session
        self._driver = driver
        self._tenant = tenant_id
        self._now = now
        self._sent: list[tuple[Any, int, dict[str, str]]] = []

    def send(self, events: Sequence[IncomingEvent]) -> None:
        """Send a piece on its way. The keys of all that is sent must differ from each other."""
        if events:
            columns = _columns(events)
            cursor = self._driver.execute(_TAKE, {**columns, "tenant": self._tenant, "now": self._now})
            self._sent.append((cursor, len(events), columns))

    def stored(self) -> tuple[int, Sequence[Mapping[str, Any]]]:
        """Return how many were new, and the stored rows of keys that came with another body before; when all arrived."""
        new = 0
        known: list[Mapping[str, Any]] = []
        for cursor, sent, columns in self._sent:
            new += cursor.rowcount
            if cursor.rowcount < sent:
                asked = {name: columns[name] for name in ("sources", "ids", "hashes")}
                known += _dicts(self._session.execute(_KNOWN, {**asked, "tenant": self._tenant}))
        return new, known


@contextmanager
def intake(session: Session, tenant_id: UUID, now: datetime) -> Iterator[Intake]:
    """Give what stores events while the caller goes on reading; all have arrived when the block ends.

    Nothing else may ask the database inside the block: it would wait for all that was sent.
    """
    with on_their_way(session) as driver:
        yield Intake(session, driver, tenant_id, now)


def take_in(
    session: Session, tenant_id: UUID, events: Sequence[IncomingEvent], now: datetime
) -> tuple[int, Sequence[Mapping[str, Any]]]:
    """Store the events that are new; their keys must differ from each other.

    Returns how many were new, and the stored rows of those keys that came with another body before.
    """
    with intake(session, tenant_id, now) as taking:
        for first in range(0, len(events), PIECE):
            taking.send(events[first : first + PIECE])
    return taking.stored()


def _columns(events: Sequence[IncomingEvent]) -> dict[str, str]:
    return {
        "sources": _array([event.source for event in events]),
        "ids": _array([event.id for event in events]),
        "types": _array([event.type for event in events]),
        "subjects": _array([event.subject for event in events]),
        "times": _array([event.time.isoformat() for event in events]),
        "data": _array([event.data for event in events]),
        "hashes": _array([event.body_hash for event in events]),
    }


def _array(values: Sequence[str]) -> str:
    """Return texts as the database writes an array of them. Raises ValueError for one that nobody has checked."""
    joined = _PARTING.join(values)
    if joined.count(_PARTING) != len(values) - 1:
        raise ValueError("an event's texts must be printable")
    quoted = joined.replace("\\", "\\\\").replace('"', '\\"').replace(_PARTING, '","')
    return f'{{"{quoted}"}}'


def _dicts(rows: Result[Any]) -> list[dict[str, Any]]:
    return [
        {
            "source": row.source,
            "event_id": row.event_id,
            "type": row.type,
            "subject": row.subject,
            "data": row.data,
            "corrects": None if row.void is None else Correction(row.corrected_source, row.corrected_id, row.void),
        }
        for row in rows
    ]
