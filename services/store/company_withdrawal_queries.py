"""Bulk statements of withdrawals: what loses in a merge is kept, and comes back when the source before it is withdrawn."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from services.rules.company_imports import ImportKind

COLUMNS = "uscc, name, region_code, industry_code, founded_on, capital_fen, expansions, scope, status, as_of"
MOVES = "uscc, name, region_code, expanded_on"
NEWEST_INCOMING = """DISTINCT ON (uscc) * FROM incoming_companies WHERE source_id = :source
ORDER BY uscc, as_of DESC, name, region_code, industry_code, status, expansions DESC, scope, founded_on, capital_fen"""
"""Of a code that comes twice in a file the newest row, and of equally new ones always the same, whatever their order."""
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('company_imports', 0))")
_OF_KEPT = ", ".join(f"c.{name}" for name in COLUMNS.split(", "))
_OF_TOLD = ", ".join(f"t.{name}" for name in COLUMNS.split(", "))
_KEEP_REPLACED = f"""
WITH told AS (SELECT {NEWEST_INCOMING})
INSERT INTO superseded_companies ({COLUMNS}, source_id, switchboard, masked, superseded_at)
SELECT {_OF_KEPT}, c.source_id, coalesce(n.number, ''), coalesce(k.masked, ''), :now
FROM told t JOIN companies c USING (uscc) JOIN company_sources s ON s.id = c.source_id AND s.status = 'done'
LEFT JOIN company_contacts k ON k.uscc = c.uscc AND k.source_id = c.source_id
LEFT JOIN company_switchboards n ON n.uscc = k.uscc
WHERE c.as_of <= t.as_of AND c.source_id <> :source
ON CONFLICT (source_id, uscc) DO UPDATE SET superseded_at = EXCLUDED.superseded_at
"""  # noqa: S608 - our own column names
_KEEP_OLDER = f"""
WITH told AS (SELECT {NEWEST_INCOMING})
INSERT INTO superseded_companies ({COLUMNS}, source_id, switchboard, masked)
SELECT {_OF_TOLD}, t.source_id, t.switchboard, t.masked FROM told t JOIN companies c USING (uscc)
WHERE c.as_of > t.as_of
"""  # noqa: S608 - our own column names
_KEEP_REPEATED = f"""
INSERT INTO repeated_expansions ({MOVES}, source_id)
SELECT DISTINCT {MOVES}, i.source_id FROM incoming_expansions i JOIN company_expansions e USING ({MOVES})
WHERE i.source_id = :source
"""  # noqa: S608 - our own column names
_COUNT = """
SELECT (SELECT count(*) FROM companies WHERE source_id = :source)
     + (SELECT count(*) FROM superseded_companies WHERE source_id = :source)
     + (SELECT count(*) FROM company_expansions WHERE source_id = :source)
     + (SELECT count(*) FROM repeated_expansions WHERE source_id = :source)
     + (SELECT count(*) FROM company_quarantine WHERE source_id = :source)
"""
_CODES = tuple(
    f"SELECT uscc FROM {table} WHERE source_id = :source LIMIT :most"  # noqa: S608 - our own table names
    for table in ("companies", "superseded_companies", "company_contacts")
)
# Only of companies on lists a name is kept, since those lists stay.
_NOTE = """
INSERT INTO withdrawn_companies (source_id, uscc, name, counted_until)
SELECT :source, uscc, name, until FROM (
    SELECT uscc, name, CAST(:now AS timestamptz) AS until FROM companies WHERE source_id = :source AND uscc = ANY (:codes)
    UNION ALL
    SELECT uscc, name, superseded_at FROM superseded_companies
    WHERE source_id = :source AND uscc = ANY (:codes) AND superseded_at IS NOT NULL) counted
WHERE EXISTS (SELECT FROM lead_places p WHERE p.uscc = counted.uscc)
ORDER BY uscc, until DESC ON CONFLICT DO NOTHING
"""
_OTHERS = """DISTINCT ON (o.uscc) o.* FROM superseded_companies o JOIN company_sources s ON s.id = o.source_id
WHERE o.uscc = ANY (:codes) AND s.status = 'done'"""
_RESTORE = f"""
UPDATE companies SET
    (source_id, name, region_code, industry_code, founded_on, capital_fen, expansions, scope, status, as_of)
    = (o.source_id, o.name, o.region_code, o.industry_code, o.founded_on, o.capital_fen, o.expansions, o.scope,
       o.status, o.as_of)
FROM (SELECT {_OTHERS} ORDER BY o.uscc, o.as_of DESC, s.finished_at DESC, s.id) o
WHERE companies.uscc = o.uscc AND companies.source_id = :source
"""  # noqa: S608 - our own statement
_FORGET = text("SELECT forget_company_rows(:source, CAST(:codes AS text[]))")
_RESTORE_CONTACTS = f"""
WITH told AS (SELECT {_OTHERS} AND o.switchboard <> '' ORDER BY o.uscc, o.as_of DESC, s.finished_at DESC, s.id),
kept AS (
    INSERT INTO company_contacts (uscc, masked, as_of, source_id) SELECT uscc, masked, as_of, source_id FROM told
    ON CONFLICT DO NOTHING RETURNING uscc)
INSERT INTO company_switchboards (uscc, number) SELECT uscc, switchboard FROM told JOIN kept USING (uscc)
"""  # noqa: S608 - our own statement
_RESTORE_MOVES = f"""
UPDATE company_expansions e SET source_id = o.source_id
FROM (SELECT DISTINCT ON ({MOVES}) {MOVES}, r.source_id FROM company_expansions x
      JOIN repeated_expansions r USING ({MOVES})
      JOIN (SELECT id, finished_at FROM company_sources WHERE status = 'done') s ON s.id = r.source_id
      WHERE x.source_id = :source ORDER BY {MOVES}, s.finished_at, s.id LIMIT :most) o
WHERE (e.uscc, e.name, e.region_code, e.expanded_on) = (o.uscc, o.name, o.region_code, o.expanded_on)
  AND e.source_id = :source
"""  # noqa: S608 - our own statement


def lock_registry(session: Session) -> None:
    """Let nobody else merge into the registry or take rows out of it until the transaction ends."""
    session.execute(_LOCK)


def keep_what_loses(session: Session, kind: ImportKind, source_id: UUID, now: datetime) -> None:
    """Keep what a merge is going to replace, and what of the file is older than what counts. The caller has the lock."""
    given = {"source": source_id, "now": now}
    if kind is ImportKind.EXPANSIONS:
        session.execute(text(_KEEP_REPEATED), given)
    elif session.execute(text("SELECT EXISTS (SELECT FROM companies)")).scalar_one():
        session.execute(text(_KEEP_REPLACED), given)
        session.execute(text(_KEEP_OLDER), given)


def count_rows(session: Session, source_id: UUID) -> int:
    """Return how many rows are of a source."""
    return int(session.execute(text(_COUNT), {"source": source_id}).scalar_one())


def take_back(session: Session, source_id: UUID, most: int, withdrawn_at: datetime) -> tuple[int, int]:
    """Take a batch of a withdrawn source's rows out of the registry, where another source tells of it let that count.

    Returns how many rows are done, 0 when none is left, and how many of them others keep. The caller has the lock.
    """
    given: dict[str, Any] = {"source": source_id, "most": most}
    for query in _CODES:
        codes = session.execute(text(query), given).scalars().all()
        if codes:
            return len(codes), _take_companies(session, source_id, codes, withdrawn_at)
    restored: Any = session.execute(text(_RESTORE_MOVES), given)
    if restored.rowcount:
        return restored.rowcount, restored.rowcount
    return int(session.execute(text("SELECT forget_other_rows(:source, :most)"), given).scalar_one()), 0


def _take_companies(session: Session, source_id: UUID, codes: Any, withdrawn_at: datetime) -> int:
    given = {"source": source_id, "codes": list(codes), "now": withdrawn_at}
    session.execute(text(_NOTE), given)
    restored: Any = session.execute(text(_RESTORE), given)
    session.execute(_FORGET, given)
    session.execute(text(_RESTORE_CONTACTS), given)
    return int(restored.rowcount)
