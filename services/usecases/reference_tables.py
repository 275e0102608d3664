"""Input–output tables and tables of industries' needs: the operator brings them in with name, year and licence, and may withdraw them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert

from services.gateways.reference_tables import MOST_BYTES, ReferenceTables, read_demands, read_input_output
from services.store.reference_tables import KINDS, ReferenceTable
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotAllowed, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit

__all__ = [
    "MOST_BYTES",
    "ReferenceTableView",
    "hashes_in_use",
    "import_reference_table",
    "list_reference_tables",
    "tables_in_use",
    "withdraw_reference_table",
]

TableKind = Literal["input_output", "industry_demands"]
OLDEST_YEAR = 1980


@dataclass(frozen=True)
class ReferenceTableView:
    """A table, without its content. ``used``: positionings made now stand on it, being the newest of its kind."""

    id: UUID
    kind: TableKind
    name: str
    year: int
    licence: str
    sha256: str
    rows: int
    imported_by: UUID
    imported_at: datetime
    withdrawn_at: datetime | None
    used: bool


def import_reference_table(
    work: Work, *, kind: TableKind, name: str, year: int, licence: str, content: bytes
) -> ReferenceTableView:
    """Bring a table in; from now on positionings stand on it, unless there is one of a later year.

    Raises Invalid with rows and columns, Conflict ``table.known`` when the same file is in use already.
    """
    work.actor.require(Permission.IMPORT_COMPANIES)
    user = work.actor.user_id
    if user is None:
        raise NotAllowed("table.person", msg("数据表须由本人导入。"))
    _check(work, name, year, licence)
    rows = _row_count(kind, content)
    table_id = new_id()
    digest = hashlib.sha256(content).hexdigest()
    made = (
        insert(ReferenceTable)
        .values(
            id=table_id, kind=kind, name=name.strip(), year=year, licence=licence.strip(), sha256=digest, content=content,
            rows=rows, imported_by=user, imported_at=work.now,
        )
        .on_conflict_do_nothing()
    )  # fmt: skip
    if not rows_written(work.session, made):
        raise Conflict("table.known", msg("这个文件已经导入过。请导入更新的文件。"))
    audit.record(work, "reference_tables.import", "reference_table", table_id, kind=kind, sha256=digest, rows=rows)
    return _view_of(work, table_id)


def withdraw_reference_table(work: Work, *, table_id: UUID) -> ReferenceTableView:
    """Let a table count no longer; answers already given keep its name and hash. Withdrawn twice is withdrawn."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    if work.actor.user_id is None:
        raise NotAllowed("table.person", msg("数据表须由本人停用。"))
    _view_of(work, table_id)
    ended = (
        update(ReferenceTable)
        .where(ReferenceTable.id == table_id, ReferenceTable.withdrawn_at.is_(None))
        .values(withdrawn_by=work.actor.user_id, withdrawn_at=work.now)
    )
    if rows_written(work.session, ended):
        audit.record(work, "reference_tables.withdraw", "reference_table", table_id)
    return _view_of(work, table_id)


def list_reference_tables(work: Work) -> tuple[ReferenceTableView, ...]:
    """Return every table, withdrawn ones too, the newest import first."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    columns = (
        ReferenceTable.id, ReferenceTable.kind, ReferenceTable.name, ReferenceTable.year, ReferenceTable.licence,
        ReferenceTable.sha256, ReferenceTable.rows, ReferenceTable.imported_by, ReferenceTable.imported_at,
        ReferenceTable.withdrawn_at,
    )  # fmt: skip
    query = select(*columns).order_by(ReferenceTable.imported_at.desc(), ReferenceTable.id.desc())
    found = work.session.execute(query).mappings().all()
    used: dict[str, UUID] = {}
    for row in sorted(found, key=lambda row: (row["year"], row["imported_at"], row["id"])):
        if row["withdrawn_at"] is None:
            used[row["kind"]] = row["id"]
    return tuple(ReferenceTableView(**row, used=used.get(row["kind"]) == row["id"]) for row in found)


def tables_in_use(work: Work) -> ReferenceTables:
    """Return the newest table of each kind, by the year of its figures and then by its import."""
    work.actor.require(Permission.EXECUTE_RUN)
    flows, needs = _newest(work, "input_output"), _newest(work, "industry_demands")
    return ReferenceTables(
        None
        if flows is None
        else read_input_output(flows.content, name=flows.name, year=flows.year, licence=flows.licence),
        None if needs is None else read_demands(needs.content, name=needs.name, year=needs.year, licence=needs.licence),
    )


def hashes_in_use(work: Work) -> tuple[str, ...]:
    """Return the hashes of the tables that count now, without their files: for use cases that asked for their permission."""
    newest = (_newest_first(kind).with_only_columns(ReferenceTable.sha256) for kind in KINDS)
    return tuple(found for query in newest if (found := work.session.execute(query).scalar()) is not None)


def _newest(work: Work, kind: TableKind) -> ReferenceTable | None:
    return work.session.execute(_newest_first(kind)).scalar_one_or_none()


def _newest_first(kind: str) -> Select[ReferenceTable]:
    return (
        select(ReferenceTable)
        .where(ReferenceTable.kind == kind, ReferenceTable.withdrawn_at.is_(None))
        .order_by(ReferenceTable.year.desc(), ReferenceTable.imported_at.desc(), ReferenceTable.id.desc())
        .limit(1)
    )


def _view_of(work: Work, table_id: UUID) -> ReferenceTableView:
    found = next((each for each in list_reference_tables(work) if each.id == table_id), None)
    if found is None:
        raise NotFound("table.not_found", msg("没有找到该数据表。请从列表中选择。"))
    return found


def _row_count(kind: TableKind, content: bytes) -> int:
    if kind == "input_output":
        return len(read_input_output(content, name="").sectors)
    return len(read_demands(content, name="").rows)


def _check(work: Work, name: str, year: int, licence: str) -> None:
    wrong: dict[str, Message] = {}
    for field, given in (("name", name), ("licence", licence)):
        if not given.strip() or len(given) > 200:
            wrong[field] = msg("须为 1 至 {limit} 个字符。", limit=200)
    this_year = work.now.astimezone(CHINA).year
    if not OLDEST_YEAR <= year <= this_year:
        wrong["year"] = msg("年份须为 {first} 至 {last}。", first=OLDEST_YEAR, last=this_year)
    if wrong:
        errors = [FieldError(field, "table.field", message) for field, message in wrong.items()]
        raise Invalid("table.invalid", msg("导入信息有 {count} 处需要修改。", count=len(wrong)), errors=errors)
