"""The operator's company registry: imported from files, handed to the leads engine."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from services.gateways.company_files import CompanyFile, Refused, open_company_file
from services.gateways.lead_index import FORMAT, META, build_index
from services.rules.companies import Company as Row
from services.store.companies import Company, CompanySource, RegistryVersion
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid, Unavailable
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

_COLUMNS = (
    "uscc, source_id, name, region_code, industry_code, founded_on, capital_fen, expansions, scope, status, as_of"
)
_STAGE = """
CREATE TEMPORARY TABLE incoming_companies (
    uscc text, source_id uuid, name text, region_code text, industry_code text, founded_on date, capital_fen bigint,
    expansions integer, scope text, status text, as_of date
) ON COMMIT DROP
"""
# Of a code that comes twice, the newest row counts, and of equally new ones always the same, whatever their order; what
# the registry already has stays when it is newer.
_MERGE = f"""
INSERT INTO companies ({_COLUMNS})
SELECT DISTINCT ON (uscc) {_COLUMNS} FROM incoming_companies
ORDER BY uscc, as_of DESC, name, region_code, industry_code, status, expansions DESC, scope
ON CONFLICT (uscc) DO UPDATE SET
    (source_id, name, region_code, industry_code, founded_on, capital_fen, expansions, scope, status, as_of)
    = (EXCLUDED.source_id, EXCLUDED.name, EXCLUDED.region_code, EXCLUDED.industry_code, EXCLUDED.founded_on,
       EXCLUDED.capital_fen, EXCLUDED.expansions, EXCLUDED.scope, EXCLUDED.status, EXCLUDED.as_of)
WHERE companies.as_of <= EXCLUDED.as_of
"""  # noqa: S608 - our own column names


@dataclass(frozen=True)
class ImportReport:
    """What an import took and left: ``reasons`` counts refused rows by reason, ``refused`` shows the first hundred."""

    source_id: UUID
    rows_accepted: int
    rows_refused: int
    reasons: dict[str, int]
    refused: tuple[Refused, ...]
    dropped_columns: tuple[str, ...]
    warnings: tuple[str, ...]


def import_companies(work: Work, *, name: str, licence: str, as_of: date, content: bytes) -> ImportReport:
    """Import a registry's export (CSV or XLSX); companies it already has are brought up to date by their code.

    Raises Invalid for a file that is none or a date in the future, Conflict when the same file was imported before.
    """
    work.actor.require(Permission.IMPORT_COMPANIES)
    _check(work, name, licence, as_of)
    source_id = new_id()
    digest = hashlib.sha256(content).hexdigest()
    registry = open_company_file(content, default_as_of=as_of)
    source = {
        "id": source_id,
        "name": name.strip(),
        "licence": licence.strip(),
        "as_of": as_of,
        "sha256": digest,
        "rows_accepted": 0,
        "rows_refused": 0,
        "imported_by": work.actor.user_id,
        "imported_at": work.now,
    }
    statement = insert(CompanySource).values(source).on_conflict_do_nothing().returning(CompanySource.id)
    if work.session.execute(statement).scalar_one_or_none() is None:
        raise Conflict("companies.known_file", msg("这份名录已经导入过。请导入更新的文件。"))
    _copy(work, source_id, registry)
    counted = {"rows_accepted": registry.accepted, "rows_refused": registry.reasons.total()}
    work.session.execute(
        CompanySource.__table__.update().where(CompanySource.id == source_id).values(counted)  # type: ignore[attr-defined]
    )
    audit.record(work, "companies.import", "company_source", source_id, sha256=digest, counted=counted)
    return ImportReport(
        source_id=source_id,
        rows_accepted=registry.accepted,
        rows_refused=registry.reasons.total(),
        reasons=dict(registry.reasons),
        refused=tuple(registry.refused),
        dropped_columns=registry.dropped,
        warnings=tuple(registry.warnings),
    )


def index_registry(work: Work, cache: Path) -> Path:
    """Return the folder with the index of the active companies as they are now: kept under ``cache``, built if it is new.

    An engine has no access to the database. A folder is named for the registry's version and never changed;
    all but the two newest are removed. Whoever builds the same one at the same time loses nothing but the work.
    """
    work.actor.require(Permission.EXECUTE_RUN)
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    if cache.stat().st_uid != os.getuid():  # in a shared folder somebody else may have been there first
        raise Unavailable("companies.cache", msg("名录索引目录“{path}”属于其他用户。请运维人员检查。", path=str(cache)))
    folder = cache / _version(work)
    if (folder / META).exists():
        folder.touch()
        return folder
    part = Path(tempfile.mkdtemp(dir=cache, prefix="part-"))
    try:
        build_index(_active(work), part)
        if folder.exists() and not (folder / META).exists():
            shutil.rmtree(folder)
        with suppress(OSError):  # another worker was faster
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    kept = sorted((each for each in cache.iterdir() if (each / META).exists()), key=lambda each: each.stat().st_mtime)
    for old in kept[:-2]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def _version(work: Work) -> str:
    """Return what names the registry as it is, and the form of its index."""
    return f"{FORMAT}-{work.session.execute(select(RegistryVersion.version)).scalar_one()}"


def _active(work: Work) -> Iterator[Row]:
    query = select(
        Company.uscc, Company.as_of, Company.name, Company.region_code, Company.industry_code, Company.expansions,
        Company.scope, Company.founded_on, Company.capital_fen,
    ).where(Company.status == "active")  # fmt: skip
    found = work.session.execute(query.execution_options(yield_per=5000))
    return (Row(active=True, **row) for row in found.mappings())


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


def _copy(work: Work, source_id: UUID, registry: CompanyFile) -> None:
    """Bring the rows in by COPY and merge them in one statement: a row-by-row upsert is several times slower."""
    work.session.execute(text(_STAGE))
    driver: Any = work.connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY incoming_companies ({_COLUMNS}) FROM STDIN") as copy:
        for row in _values(source_id, registry):
            copy.write_row(row)
    work.session.execute(text(_MERGE))


def _values(source_id: UUID, registry: CompanyFile) -> Iterator[tuple[object, ...]]:
    for item in registry.rows():
        status = "active" if item.active else "inactive"
        yield (
            item.uscc, source_id, item.name, item.region_code, item.industry_code, item.founded_on, item.capital_fen,
            item.expansions, item.scope.replace("\0", ""), status, item.as_of,
        )  # fmt: skip
