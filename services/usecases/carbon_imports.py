"""Activities from a file: all rows or none, or the good ones, with every fault at its row."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from services.gateways.carbon_files import ActivityRow, read_activities
from services.rules.carbon.factors import FactorTable
from services.rules.catalogue import Delivery
from services.store.carbon import CarbonImport
from services.store.entering import enter_file
from services.usecases import site_months
from services.usecases.artefacts import check_size
from services.usecases.carbon_factors import factor_table
from services.usecases.carbon_records import RecordWish, checked_row, write_record
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit

MOST_SHOWN = 100


@dataclass(frozen=True)
class ImportView:
    """What an import took: the file kept as evidence of every record, rows kept and refused, the first hundred faults."""

    id: UUID
    artefact_id: UUID
    sha256: str
    rows_kept: int
    rows_refused: int
    errors: tuple[FieldError, ...]


def import_records(
    work: Work, *, site_id: UUID, name: str, media_type: str, content: bytes, keep: Literal["all", "good"] = "all"
) -> ImportView:
    """Take activities from a CSV or XLSX file; the file itself is their evidence.

    With ``keep="all"`` one faulty row refuses the whole file; with ``"good"`` the others are kept. Raises Invalid
    ``carbon.import`` with faults at ``file[row].column``, Conflict ``carbon.known_file`` for a file taken before.
    """
    work.actor.require(Permission.RECORD_CARBON)
    tenant_id = work.actor.require_tenant()
    site_months.require_running(work, site_id=site_id, delivery=Delivery.CARBON)
    check_size(content)
    table = factor_table(work)
    read = read_activities(content)
    digest, errors = hashlib.sha256(content).hexdigest(), list(read.errors)
    wishes: list[RecordWish] = []
    for each in read.rows:
        wish = _wish(each)
        faults = _faults(work, wish, table, each.number)
        errors += faults
        if not faults:
            wishes.append(wish)
    refused = len({error.field.partition("]")[0] for error in errors})
    if errors and (keep == "all" or not wishes):
        text = msg("文件有 {count} 行有误，未导入任何行。请按所列行修改后重新上传。", count=refused)
        raise Invalid("carbon.import", text, errors=errors[:MOST_SHOWN])
    file = enter_file(
        work.session,
        tenant_id,
        kind="input",
        source_id=None,
        name=name,
        media_type=media_type,
        content=content,
        created_by=work.actor.user_id,
        created_at=work.now,
    )
    import_id = new_id()
    row = {
        "tenant_id": tenant_id,
        "id": import_id,
        "site_id": site_id,
        "artefact_id": file["id"],
        "sha256": digest,
        "rows_kept": len(wishes),
        "rows_refused": refused,
        "created_by": work.actor.user_id,
        "created_at": work.now,
    }
    if not rows_written(work.session, insert(CarbonImport).values(row).on_conflict_do_nothing()):
        raise Conflict("carbon.known_file", msg("这个文件已经为该站点导入过。更正请逐条进行。"))
    for wish in wishes:
        evident = replace(wish, evidence_id=file["id"])
        write_record(work, site_id, evident, table, source="import", import_id=import_id)
    site_months.note_activity(work, site_id=site_id, delivery=Delivery.CARBON, count=len(wishes))
    audit.record(work, "carbon.import", "carbon_import", import_id, sha256=digest, kept=len(wishes))
    return ImportView(import_id, file["id"], digest, len(wishes), refused, tuple(errors[:MOST_SHOWN]))


def _faults(work: Work, wish: RecordWish, table: FactorTable, number: int) -> list[FieldError]:
    try:
        checked_row(work, wish, table)
    except Invalid as problem:
        return [FieldError(f"file[{number}].{each.field}", each.code, each.message) for each in problem.errors]
    return []


def _wish(row: ActivityRow) -> RecordWish:
    return RecordWish(
        category=row.category,
        item=row.item,
        start=row.start,
        end=row.end,
        quantity=row.quantity,
        unit=row.unit,
        region=row.region,
        edition=row.edition,
        density_kg_per_l=row.density_kg_per_l,
        note=row.note,
    )
