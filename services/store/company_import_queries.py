"""Bulk statements of imports: rows come in by COPY, wait beside the registry, and are merged by one statement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from services.rules.companies import Company as Row
from services.rules.company_imports import MOST_SHOWN, ImportKind
from services.rules.expansions import Expansion
from services.rules.switchboards import masked
from services.store.companies import CompanySource
from services.store.company_imports import ImportPart
from services.store.company_withdrawal_queries import COLUMNS, MOVES, NEWEST_INCOMING, keep_what_loses, lock_registry

# What the registry already has stays when it is newer.
_MERGE_COMPANIES = f"""
INSERT INTO companies ({COLUMNS}, source_id)
SELECT {COLUMNS}, source_id FROM (SELECT {NEWEST_INCOMING}) told
ON CONFLICT (uscc) DO UPDATE SET
    (source_id, name, region_code, industry_code, founded_on, capital_fen, expansions, scope, status, as_of)
    = (EXCLUDED.source_id, EXCLUDED.name, EXCLUDED.region_code, EXCLUDED.industry_code, EXCLUDED.founded_on,
       EXCLUDED.capital_fen, EXCLUDED.expansions, EXCLUDED.scope, EXCLUDED.status, EXCLUDED.as_of)
WHERE companies.as_of <= EXCLUDED.as_of
"""  # noqa: S608 - our own column names
# A newer row that gives no number says nothing against the one that is known, which keeps its own day and source.
_MERGE_CONTACTS = """
WITH told AS (
    SELECT DISTINCT ON (uscc) uscc, switchboard, masked, as_of, source_id FROM incoming_companies
    WHERE source_id = :source AND switchboard <> '' ORDER BY uscc, as_of DESC, switchboard),
kept AS (
    INSERT INTO company_contacts (uscc, masked, as_of, source_id) SELECT uscc, masked, as_of, source_id FROM told
    ON CONFLICT (uscc) DO UPDATE
    SET (masked, as_of, source_id) = (EXCLUDED.masked, EXCLUDED.as_of, EXCLUDED.source_id)
    WHERE company_contacts.as_of <= EXCLUDED.as_of RETURNING uscc)
INSERT INTO company_switchboards (uscc, number) SELECT uscc, switchboard FROM told JOIN kept USING (uscc)
ON CONFLICT (uscc) DO UPDATE SET number = EXCLUDED.number
"""
_MERGE_EXPANSIONS = f"""
INSERT INTO company_expansions ({MOVES}, source_id)
SELECT DISTINCT {MOVES}, source_id FROM incoming_expansions WHERE source_id = :source
ORDER BY {MOVES} ON CONFLICT DO NOTHING
"""  # noqa: S608 - our own column names
_DISTINCT = {
    ImportKind.COMPANIES: "SELECT count(DISTINCT uscc) FROM incoming_companies WHERE source_id = :source",
    ImportKind.EXPANSIONS: f"""SELECT count(*) FROM (
        SELECT DISTINCT {MOVES} FROM incoming_expansions WHERE source_id = :source) each""",  # noqa: S608 - ours
}
_NAMESAKES = """
SELECT name, region_code, (array_agg(uscc ORDER BY uscc))[1:5] AS codes, count(*) OVER () AS groups
FROM companies GROUP BY name, region_code HAVING count(*) > 1 AND bool_or(source_id = :source)
ORDER BY name, region_code LIMIT :most
"""


@dataclass(frozen=True)
class Merged:
    """How many companies or expansions a file tells of, how many of them were written, and how many rows without a code
    were known by name and region.
    """

    distinct: int
    written: int
    by_name: int = 0


def locked_source(session: Session, source_id: UUID) -> CompanySource | None:
    """Return an import, locked until the transaction ends."""
    query = select(CompanySource).where(CompanySource.id == source_id).with_for_update()
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def next_part(session: Session, source_id: UUID) -> ImportPart | None:
    """Return the first part that is not done."""
    query = (
        select(ImportPart)
        .where(ImportPart.source_id == source_id, ImportPart.content.is_not(None))
        .order_by(ImportPart.number)
        .limit(1)
    )
    return session.execute(query).scalar_one_or_none()


def part_done(session: Session, part: ImportPart) -> None:
    """Let a part's content go: what it held now waits in a table, or was set aside."""
    done = (ImportPart.source_id == part.source_id, ImportPart.number == part.number)
    session.execute(update(ImportPart).where(*done).values(content=None))


def stage_companies(session: Session, source_id: UUID, rows: Iterable[tuple[int, Row]]) -> None:
    """Write rows of a registry beside it; a row-by-row insert is several times slower."""
    _copy(session, f"incoming_companies (source_id, row, {COLUMNS}, switchboard, masked)", (
        (
            source_id, number, item.uscc, item.name, item.region_code, item.industry_code, item.founded_on,
            item.capital_fen, item.expansions, item.scope, "active" if item.active else "inactive", item.as_of,
            item.switchboard, masked(item.switchboard),
        )
        for number, item in rows
    ))  # fmt: skip


def stage_expansions(session: Session, source_id: UUID, rows: Iterable[tuple[int, Expansion]]) -> None:
    """Write expansions beside those that count."""
    _copy(
        session,
        f"incoming_expansions (source_id, row, {MOVES})",
        ((source_id, number, each.uscc, each.name, each.region_code, each.on) for number, each in rows),
    )


def set_aside(session: Session, source_id: UUID, rows: Iterable[tuple[int, str, Mapping[str, str]]]) -> None:
    """Keep refused rows: number, reason and cells."""
    _copy(
        session,
        "company_quarantine (source_id, row, reason, cells)",
        ((source_id, number, reason, json.dumps(cells, ensure_ascii=False)) for number, reason, cells in rows),
    )


def merge(session: Session, kind: ImportKind, source_id: UUID, now: datetime) -> Merged:
    """Bring what waits into the registry. One merge at a time: two would lock each other's rows."""
    lock_registry(session)
    given = {"source": source_id}
    by_name = 0
    if kind is ImportKind.COMPANIES:
        by_name = int(session.execute(text("SELECT match_uncoded_companies(:source)"), given).scalar_one())
    distinct = session.execute(text(_DISTINCT[kind]), given).scalar_one()
    keep_what_loses(session, kind, source_id, now)
    statement = _MERGE_COMPANIES if kind is ImportKind.COMPANIES else _MERGE_EXPANSIONS
    written: Any = session.execute(text(statement), given)
    if kind is ImportKind.COMPANIES:
        session.execute(text(_MERGE_CONTACTS), given)
    return Merged(distinct, written.rowcount, by_name)


def namesakes(session: Session, source_id: UUID) -> tuple[int, list[dict[str, Any]]]:
    """Return how many names stand for several codes in one region, one of them of this source; and the first of them."""
    rows = session.execute(text(_NAMESAKES), {"source": source_id, "most": MOST_SHOWN}).mappings().all()
    shown = [{"name": row["name"], "region_code": row["region_code"], "codes": row["codes"]} for row in rows]
    return (rows[0]["groups"] if rows else 0), shown


def clear(session: Session, source_id: UUID) -> None:
    """Forget the parts and waiting rows of an import that has ended."""
    session.execute(text("SELECT clear_company_import(:source)"), {"source": source_id})


def _copy(session: Session, target: str, rows: Iterable[Sequence[object]]) -> None:
    driver: Any = session.connection().connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
