"""The operator's files of companies and of their expansions: brought in as jobs, watched, cancelled, reported.

The door reads a file once, without natural persons' data, and keeps it in parts. A worker takes the parts one by one,
each in a transaction of its own, so the next one goes on where it was killed; good rows wait beside the registry, and one
statement merges them at the end. Until then nothing of a file counts, and a cancelled one has left nothing.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as insert_once

from services.gateways.company_files import RawRow, open_company_path, read_company, read_uncoded
from services.gateways.expansion_files import read_expansion, stripped_expansion_rows
from services.gateways.import_parts import pack_parts, unpack_part
from services.rules.company_imports import MOST_ATTEMPTS, MOST_SHOWN, WAITING, ImportKind, ImportStatus
from services.store import company_import_queries as store
from services.store.companies import CompanySource
from services.store.company_imports import ImportPart, QuarantinedRow
from services.usecases.company_withdrawals import WithdrawalView, withdrawal_of
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Actor
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound, Unavailable
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.outbox import Event
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission, Priority
from tenants.kernel.work import Work, WorkShop
from tenants.kernel.writing import rows_written
from tenants.rules.files import safe_name
from tenants.usecases import audit


@dataclass(frozen=True)
class Namesakes:
    """A name that several codes have in one region; of the codes the first five."""

    name: str
    region_code: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class RefusedRow:
    """A row set aside: its number in the file (from 1), why, as a stable code, and its cells by field."""

    row: int
    reason: str
    cells: dict[str, str]


@dataclass(frozen=True)
class ImportView:
    """An import, or the source that it has become.

    ``reasons`` counts refused rows, ``warned`` taken ones, by code; ``warnings`` are about the whole file;
    ``dropped_columns`` were about people. ``namesakes`` counts names that stand for several codes in one region.
    """

    id: UUID
    kind: ImportKind
    name: str
    licence: str
    as_of: date
    file_name: str
    sha256: str
    size_bytes: int
    status: ImportStatus
    rows_total: int
    rows_done: int
    rows_accepted: int
    rows_refused: int
    reasons: dict[str, int]
    warned: dict[str, int]
    warnings: tuple[str, ...]
    dropped_columns: tuple[str, ...]
    namesakes: int
    failure_code: str | None
    imported_by: UUID | None
    imported_at: datetime
    finished_at: datetime | None

    @property
    def percent(self) -> int:
        """Return how much of the file is read; the merge that follows tells no share of its own."""
        return 100 * self.rows_done // max(1, self.rows_total)

    @property
    def rows_merged(self) -> int:
        """Return how many companies or expansions were written; of a withdrawn import, how many had been."""
        if self.status not in {ImportStatus.DONE, ImportStatus.WITHDRAWN}:
            return 0
        return self.rows_accepted - self.warned.get("repeated", 0) - self.warned.get("older", 0)


@dataclass(frozen=True)
class ImportReport:
    """An import with the first of what it set aside and of the names that several codes have; and its withdrawal."""

    source: ImportView
    refused: tuple[RefusedRow, ...]
    namesakes: tuple[Namesakes, ...]
    withdrawal: WithdrawalView | None = None


def start_import(
    work: Work, *, kind: ImportKind, name: str, licence: str, as_of: date, file_name: str, path: Path
) -> ImportView:
    """Take the file at ``path`` (CSV or XLSX) in, and let a worker import it.

    ``as_of`` is the day of rows that give none. Raises Invalid for a file that is none, an empty one, or a day in the
    future; Conflict when the same file was imported before or is being so.
    """
    work.actor.require(Permission.IMPORT_COMPANIES)
    source_id = _enter(work, kind=kind, name=name, licence=licence, as_of=as_of, file_name=file_name, path=path)
    work.emit(Event("company_import.queued", None, {"source_id": str(source_id)}, Priority.BACKGROUND))
    return read_import(work, source_id=source_id).source


def import_at_once(work: Work, *, kind: ImportKind, name: str, licence: str, as_of: date, content: bytes) -> ImportView:
    """Import a small file in this one transaction; raises as ``start_import`` does."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        source_id = _enter(work, kind=kind, name=name, licence=licence, as_of=as_of, file_name="", path=Path(file.name))
    _begin(work, source_id)
    while _take_part(work, source_id) is ImportStatus.RUNNING:
        pass
    _merge(work, source_id)
    return read_import(work, source_id=source_id).source


def carry_out_import(
    workshop: WorkShop, actor: Actor, *, source_id: UUID, stopping: Callable[[], bool] = lambda: False
) -> None:
    """Import what is left of a file. Done once: a repeat finds it done; what a killed worker began is begun again.

    Raises Unavailable ``worker.stopping`` between two parts when this worker is told to go.
    """
    actor.require(Permission.IMPORT_COMPANIES)
    with workshop.work(actor) as work:
        status = _begin(work, source_id)
    while status is ImportStatus.RUNNING:
        if stopping():
            raise Unavailable("worker.stopping", msg("工作进程正在停止，导入将由下一个工作进程继续。"))
        with workshop.work(actor) as work:
            status = _take_part(work, source_id)
    if status is ImportStatus.MERGING:
        with workshop.work(actor) as work:
            _merge(work, source_id)


def cancel_import(work: Work, *, source_id: UUID) -> ImportView:
    """Stop an import: nothing of it is kept but its report. Raises NotFound, Conflict when it is merged or has ended."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    _row(work, source_id)
    ended = (
        update(CompanySource)
        .where(CompanySource.id == source_id, CompanySource.status.in_(WAITING))
        .values(status=ImportStatus.CANCELLED, finished_at=work.now)
    )
    if not rows_written(work.session, ended):
        raise Conflict("companies.import_ended", msg("该次导入正在并入名录或已结束，无法取消。"))
    store.clear(work.session, source_id)
    audit.record(work, "companies.cancel", "company_source", source_id)
    return read_import(work, source_id=source_id).source


def read_import(work: Work, *, source_id: UUID) -> ImportReport:
    """Return an import as far as it is. Raises NotFound."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    row = _row(work, source_id)
    query = (
        select(QuarantinedRow.row, QuarantinedRow.reason, QuarantinedRow.cells)
        .where(QuarantinedRow.source_id == source_id)
        .order_by(QuarantinedRow.row)
        .limit(MOST_SHOWN)
    )
    refused = tuple(RefusedRow(*each) for each in work.session.execute(query))
    shown = tuple(
        Namesakes(each["name"], each["region_code"], tuple(each["codes"])) for each in row.report.get("namesakes", ())
    )
    return ImportReport(_view(row), refused, shown, withdrawal_of(work, source_id=source_id))


def list_imports(
    work: Work, *, kind: ImportKind | None = None, limit: int = 50, cursor: str | None = None
) -> Page[ImportView]:
    """Return imports, the newest first: those done are the sources of the registry, in their versions."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    after = decode_cursor(cursor)
    query = select(CompanySource).order_by(CompanySource.imported_at.desc(), CompanySource.id.desc())
    if kind is not None:
        query = query.where(CompanySource.kind == kind)
    if after is not None:
        query = query.where(tuple_(CompanySource.imported_at, CompanySource.id) < after)
    rows = work.session.execute(query.limit(check_limit(limit) + 1)).scalars().all()
    return page_of(rows, limit, _view, lambda row: (row.imported_at, row.id))


def refused_rows(work: Work, *, source_id: UUID) -> Iterator[RefusedRow]:
    """Yield every row that an import has set aside, in the order of its file. Raises NotFound."""
    work.actor.require(Permission.IMPORT_COMPANIES)
    _row(work, source_id)
    columns = (QuarantinedRow.row, QuarantinedRow.reason, QuarantinedRow.cells)
    query = select(*columns).where(QuarantinedRow.source_id == source_id).order_by(QuarantinedRow.row)
    found = work.session.execute(query.execution_options(yield_per=1000))
    return (RefusedRow(*each) for each in found)


def _enter(
    work: Work, *, kind: ImportKind, name: str, licence: str, as_of: date, file_name: str, path: Path
) -> UUID:  # fmt: skip
    """Keep a file's rows in parts. Reading it takes seconds, in which this transaction stays open: imports are rare."""
    _check(work, name, licence, as_of)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    source_id = new_id()
    values = {
        "id": source_id, "kind": kind, "name": name.strip(), "licence": licence.strip(), "as_of": as_of,
        "file_name": safe_name(file_name), "sha256": digest, "size_bytes": path.stat().st_size,
        "status": ImportStatus.QUEUED, "attempts": 0, "rows_total": 0, "rows_done": 0, "rows_accepted": 0,
        "rows_refused": 0, "report": {}, "imported_by": work.actor.user_id, "imported_at": work.now,
    }  # fmt: skip
    if not rows_written(work.session, insert_once(CompanySource).values(values).on_conflict_do_nothing()):
        raise Conflict("companies.known_file", msg("这份文件已经导入过或正在导入。请导入更新的文件。"))
    rows, told = _opened(kind, path, as_of)
    total = 0
    for number, (count, content) in enumerate(pack_parts(rows)):
        part = {"source_id": source_id, "number": number, "content": content}
        work.session.execute(insert(ImportPart).values(part))
        total += count
    if not total:
        raise Invalid("companies.empty", msg("文件没有数据行。请检查后重新导入。"))
    _write(work, source_id, rows_total=total, report=told())
    audit.record(work, "companies.import", "company_source", source_id, sha256=digest, rows=total, kind=kind)
    return source_id


def _opened(kind: ImportKind, path: Path, as_of: date) -> tuple[Iterator[RawRow], Callable[[], dict[str, Any]]]:
    """Return a file's rows, and what tells, after the last, what is to be said of the file as a whole."""
    if kind is ImportKind.EXPANSIONS:
        return stripped_expansion_rows(path), dict
    file = open_company_path(path, default_as_of=as_of)
    return file.stripped_rows(), lambda: {"dropped_columns": list(file.dropped), "warnings": file.warnings}


def _begin(work: Work, source_id: UUID) -> ImportStatus:
    """Begin an import, or begin it again; return where it stands. One that takes worker after worker with it is given up."""
    row = _locked(work, source_id)
    status = ImportStatus(row.status)
    if status not in {*WAITING, ImportStatus.MERGING}:
        return status
    if row.attempts >= MOST_ATTEMPTS:
        ended = {"status": ImportStatus.FAILED, "failure_code": "companies.gave_up", "finished_at": work.now}
        _write(work, source_id, **ended)
        store.clear(work.session, source_id)
        return ImportStatus.FAILED
    status = ImportStatus.MERGING if status is ImportStatus.MERGING else ImportStatus.RUNNING
    _write(work, source_id, status=status, attempts=row.attempts + 1)
    return status


def _take_part(work: Work, source_id: UUID) -> ImportStatus:
    """Bring the next part in, and return where the import stands. Its row is locked, so no two workers take one part."""
    row = _locked(work, source_id)
    if row.status != ImportStatus.RUNNING:
        return ImportStatus(row.status)
    part = store.next_part(work.session, source_id)
    if part is None or part.content is None:
        _write(work, source_id, status=ImportStatus.MERGING, attempts=0)
        return ImportStatus.MERGING
    taken = _Taken(ImportKind(row.kind), row.as_of)
    stage = store.stage_companies if taken.kind is ImportKind.COMPANIES else store.stage_expansions
    stage(work.session, source_id, taken.rows(unpack_part(part.content)))
    store.set_aside(work.session, source_id, taken.refused)
    store.part_done(work.session, part)
    reasons = Counter(reason for _, reason, _ in taken.refused)
    _write(
        work,
        source_id,
        attempts=0,
        rows_done=row.rows_done + taken.accepted + len(taken.refused),
        rows_accepted=row.rows_accepted + taken.accepted,
        rows_refused=row.rows_refused + len(taken.refused),
        report=row.report | {"reasons": _sum(row, "reasons", reasons), "warned": _sum(row, "warned", taken.warned)},
    )
    return ImportStatus.RUNNING


class _Taken:
    """The good rows of a part as they are read, and what was odd about the others."""

    def __init__(self, kind: ImportKind, as_of: date) -> None:
        self.kind, self.accepted = kind, 0
        self._as_of = as_of
        self.refused: list[tuple[int, str, dict[str, str]]] = []
        self.warned: Counter[str] = Counter()

    def rows(self, raws: Iterator[RawRow]) -> Iterator[tuple[int, Any]]:
        for raw in raws:
            try:
                item = self._read(raw)
            except ValueError as error:
                self.refused.append((raw.number, str(error), dict(raw.values)))
                uncoded = None if self.kind is ImportKind.EXPANSIONS else read_uncoded(raw, self._as_of)
                if uncoded is not None:  # waits with the others: the merge may know whose it is
                    yield raw.number, uncoded
                continue
            self.accepted += 1
            yield raw.number, item

    def _read(self, raw: RawRow) -> Any:
        if self.kind is ImportKind.EXPANSIONS:
            return read_expansion(raw)
        company, warnings = read_company(raw, self._as_of)
        self.warned.update(warnings)
        return company


def _merge(work: Work, source_id: UUID) -> None:
    """Let an import that is read count, all at once."""
    row = _locked(work, source_id)
    if row.status != ImportStatus.MERGING:
        return
    kind = ImportKind(row.kind)
    merged = store.merge(work.session, kind, source_id, work.now)
    accepted = row.rows_accepted + merged.by_name
    found = Counter(by_name=merged.by_name, repeated=accepted - merged.distinct, older=merged.distinct - merged.written)
    groups, shown = store.namesakes(work.session, source_id) if kind is ImportKind.COMPANIES else (0, [])
    report = row.report | {
        "reasons": _less(row, "no_code", merged.by_name),
        "warned": _sum(row, "warned", +found),
        "namesakes_count": groups,
        "namesakes": shown,
    }
    counted = {"rows_accepted": accepted, "rows_refused": row.rows_refused - merged.by_name}
    _write(work, source_id, status=ImportStatus.DONE, report=report, finished_at=work.now, **counted)
    store.clear(work.session, source_id)
    counted["written"] = merged.written
    audit.record(work, "companies.imported", "company_source", source_id, sha256=row.sha256, counted=counted)


def _sum(row: CompanySource, name: str, more: Counter[str]) -> dict[str, int]:
    return dict(Counter(row.report.get(name, {})) + more)


def _less(row: CompanySource, reason: str, taken: int) -> dict[str, int]:
    return dict(+(Counter(row.report.get("reasons", {})) - Counter({reason: taken})))


def _check(work: Work, name: str, licence: str, as_of: date) -> None:
    wrong: dict[str, Message] = {}
    for field, given in (("name", name), ("licence", licence)):
        if not given.strip() or len(given) > 200:
            wrong[field] = msg("须为 1 至 {limit} 个字符。", limit=200)
    if as_of > work.now.astimezone(CHINA).date():
        wrong["as_of"] = msg("数据日期不能晚于今天。")
    if wrong:
        errors = [FieldError(field, "companies.field", message) for field, message in wrong.items()]
        raise Invalid("companies.invalid", msg("导入信息有 {count} 处需要修改。", count=len(wrong)), errors=errors)


def _write(work: Work, source_id: UUID, **values: Any) -> None:
    work.session.execute(update(CompanySource).where(CompanySource.id == source_id).values(**values))


def _locked(work: Work, source_id: UUID) -> CompanySource:
    row = store.locked_source(work.session, source_id)
    if row is None:
        raise _missing()
    return row


def _row(work: Work, source_id: UUID) -> CompanySource:
    row = work.session.get(CompanySource, source_id, populate_existing=True)
    if row is None:
        raise _missing()
    return row


def _missing() -> NotFound:
    return NotFound("companies.import_not_found", msg("没有找到该次导入。请从列表中重新打开。"))


def _view(row: CompanySource) -> ImportView:
    own = (name for name in ImportView.__dataclass_fields__ if name not in _REPORTED)
    report = row.report
    return ImportView(
        **{name: getattr(row, name) for name in own}
        | {"kind": ImportKind(row.kind), "status": ImportStatus(row.status)},
        reasons=dict(report.get("reasons", {})),
        warned=dict(report.get("warned", {})),
        warnings=tuple(report.get("warnings", ())),
        dropped_columns=tuple(report.get("dropped_columns", ())),
        namesakes=report.get("namesakes_count", 0),
    )


_REPORTED = frozenset(("reasons", "warned", "warnings", "dropped_columns", "namesakes"))
