"""Taking in usage events: each (park, source, id) once and for good.

Many go by COPY into a temporary table and from there in one statement; a few in one INSERT, for which a temporary
table would cost more than it saves. Measured: see billing/README.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection as Psycopg
from sqlalchemy import Result, insert, text
from sqlalchemy.orm import Session

from billing.rules.events import Correction, IncomingEvent
from billing.store.usage import RejectedEvent

BULK_FROM = 500
"""From how many events on the way by COPY is the faster one."""
LINES_AT_ONCE = 1000

_STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_events (
    source text, event_id text, type text, subject text, time timestamptz, data jsonb, body_hash text
) ON COMMIT DROP
"""
_COPY = "COPY incoming_events (source, event_id, type, subject, time, data, body_hash) FROM STDIN"
_TAKE = text(
    """
    INSERT INTO usage_events (tenant_id, source, event_id, type, subject, time, data, body_hash, received_at)
    SELECT CAST(:tenant AS uuid), source, event_id, type, subject, time, data, body_hash, :now FROM incoming_events
    ON CONFLICT DO NOTHING
    """
)
_KNOWN = text(
    """
    SELECT e.source, e.event_id, e.type, e.subject, e.data, c.corrected_source, c.corrected_id, c.void
    FROM incoming_events i JOIN usage_events e
      ON e.tenant_id = :tenant AND e.source = i.source AND e.event_id = i.event_id
    LEFT JOIN event_corrections c
      ON c.tenant_id = e.tenant_id AND c.source = e.source AND c.event_id = e.event_id
    WHERE e.body_hash <> i.body_hash
    """
)


_TAKE_FEW = text(
    """
    INSERT INTO usage_events (tenant_id, source, event_id, type, subject, time, data, body_hash, received_at)
    SELECT CAST(:tenant AS uuid), i.source, i.event_id, i.type, i.subject, i.time, CAST(i.data AS jsonb), i.body_hash, :now
    FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:types AS text[]), CAST(:subjects AS text[]),
                CAST(:times AS timestamptz[]), CAST(:data AS text[]), CAST(:hashes AS text[]))
         AS i (source, event_id, type, subject, time, data, body_hash)
    ON CONFLICT DO NOTHING
    """
)
_KNOWN_FEW = text(
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


def take_in(
    session: Session, tenant_id: UUID, events: Sequence[IncomingEvent], now: datetime
) -> tuple[int, Sequence[Mapping[str, Any]]]:
    """Store the events that are new; their keys must differ from each other.

    Returns how many were new, and the stored rows of those keys that came with another body before.
    """
    if len(events) < BULK_FROM:
        return _few(session, tenant_id, events, now)
    session.execute(text(_STAGE))
    session.execute(text("TRUNCATE incoming_events"))
    raw = session.connection().connection.driver_connection
    assert isinstance(raw, Psycopg)  # noqa: S101 - the only driver we use
    with raw.cursor() as cursor, cursor.copy(_COPY) as copy:
        for start in range(0, len(events), LINES_AT_ONCE):
            copy.write(_lines(events[start : start + LINES_AT_ONCE]))
    new: int = session.execute(_TAKE, {"tenant": tenant_id, "now": now}).rowcount  # type: ignore[attr-defined]
    if new == len(events):
        return new, ()
    return new, _dicts(session.execute(_KNOWN, {"tenant": tenant_id}))


def _lines(events: Sequence[IncomingEvent]) -> str:
    """Return events in COPY's text format: half the time of writing them row by row.

    A tab or line end, which parts cells and rows, can only come from a text that nobody has checked.
    """
    text = "".join(
        f"{event.source}\t{event.id}\t{event.type}\t{event.subject}\t{event.time.isoformat()}\t{event.data}"
        f"\t{event.body_hash}\n"
        for event in events
    )
    if text.count("\t") != 6 * len(events) or text.count("\n") != len(events) or "\r" in text:
        raise ValueError("an event's texts must be printable")
    return text.replace("\\", "\\\\")


def _few(
    session: Session, tenant_id: UUID, events: Sequence[IncomingEvent], now: datetime
) -> tuple[int, Sequence[Mapping[str, Any]]]:
    if not events:
        return 0, ()
    columns = {
        "sources": [event.source for event in events],
        "ids": [event.id for event in events],
        "types": [event.type for event in events],
        "subjects": [event.subject for event in events],
        "times": [event.time for event in events],
        "data": [event.data for event in events],
        "hashes": [event.body_hash for event in events],
    }
    written = session.execute(_TAKE_FEW, {**columns, "tenant": tenant_id, "now": now})
    new: int = written.rowcount  # type: ignore[attr-defined]
    if new == len(events):
        return new, ()
    known = {name: columns[name] for name in ("sources", "ids", "hashes")}
    return new, _dicts(session.execute(_KNOWN_FEW, {**known, "tenant": tenant_id}))


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
