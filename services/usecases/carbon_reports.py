"""Yearly reports of a site: the inventory as it stands, set by the headings of GB/T 32150, kept with its hashes."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from services.gateways.carbon_documents import RECORD_COLUMNS, ReportContent, render_report
from services.gateways.emission_factors import built_in_sha256
from services.rules.catalogue import Delivery
from services.store.carbon import CarbonReport, FactorEdition
from services.store.entering import enter_file
from services.store.runs import Artefact
from services.usecases import site_months, sites
from services.usecases.carbon_inventory import InventoryView, read_inventory
from services.usecases.carbon_records import RecordView
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.days import local_day
from tenants.usecases import audit, onboarding

MEDIA_TYPES = {
    "report.pdf": "application/pdf",
    "report.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "records.csv": "text/csv",
    "evidence.csv": "text/csv",
    "manifest.json": "application/json",
}


@dataclass(frozen=True)
class ReportFile:
    """A file of a report."""

    id: UUID
    name: str
    media_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class ReportView:
    """A report as it was made; totals in grams of CO2 equivalent."""

    id: UUID
    site_id: UUID
    year: int
    location_grams: int
    market_grams: int
    records: int
    manifest_sha256: str
    created_at: datetime
    files: tuple[ReportFile, ...]


def make_report(work: Work, *, site_id: UUID, year: int) -> ReportView:
    """Make a year's report and keep its files. Raises Conflict ``carbon.empty`` for a year without records."""
    work.actor.require(Permission.RECORD_CARBON)
    tenant_id = work.actor.require_tenant()
    site_months.require_running(work, site_id=site_id, delivery=Delivery.CARBON)
    view = read_inventory(work, site_id=site_id, year=year)
    if not view.standing:
        raise Conflict("carbon.empty", msg("{year} 年没有活动记录，不能出报告。请先登记。", year=year))
    files = render_report(_content(work, view))
    report_id = new_id()
    for name, content in files.items():
        enter_file(
            work.session,
            tenant_id,
            kind="output",
            source_id=report_id,
            name=name,
            media_type=MEDIA_TYPES[name],
            content=content,
            created_by=work.actor.user_id,
            created_at=work.now,
        )
    inventory = view.inventory
    row = {
        "tenant_id": tenant_id,
        "id": report_id,
        "site_id": site_id,
        "year": year,
        "location_grams": inventory.total_location,
        "market_grams": inventory.total_market,
        "records": len(view.standing),
        "manifest_sha256": hashlib.sha256(files["manifest.json"]).hexdigest(),
        "created_by": work.actor.user_id,
        "created_at": work.now,
    }
    work.session.execute(insert(CarbonReport).values(row))
    site_months.note_activity(work, site_id=site_id, delivery=Delivery.CARBON)
    audit.record(work, "carbon.report", "carbon_report", report_id, site_id=site_id, year=year)
    return read_report(work, report_id=report_id)


def read_report(work: Work, *, report_id: UUID) -> ReportView:
    """Return a report of the acting park; NotFound for another park's."""
    work.actor.require(Permission.READ_CARBON)
    own = (CarbonReport.tenant_id == work.actor.require_tenant(), CarbonReport.id == report_id)
    row = work.session.execute(select(CarbonReport).where(*own)).scalar_one_or_none()
    if row is None:
        raise NotFound("carbon.report_not_found", msg("没有找到该排放报告。请从列表中打开。"))
    return _view(row, _files(work, [row.id]))


def list_reports(work: Work, *, site_id: UUID) -> tuple[ReportView, ...]:
    """Return a site's reports, the latest first."""
    work.actor.require(Permission.READ_CARBON)
    sites.read_site(work, site_id=site_id)
    query = (
        select(CarbonReport)
        .where(CarbonReport.tenant_id == work.actor.require_tenant(), CarbonReport.site_id == site_id)
        .order_by(CarbonReport.created_at.desc(), CarbonReport.id)
    )
    rows = work.session.execute(query).scalars().all()
    files = _files(work, [row.id for row in rows])
    return tuple(_view(row, files) for row in rows)


def _content(work: Work, view: InventoryView) -> ReportContent:
    park = onboarding.read_park(work, park_id=work.actor.require_tenant())
    return ReportContent(
        park=park.name,
        uscc=park.uscc,
        site=view.site.name,
        address=view.site.address,
        made_on=local_day(work.now),
        inventory=view.inventory,
        records=[_row(record) for record in view.records],
        certificates=[each.certificate for each in view.certificates],
        evidence=_evidence(work, view),
        missing=view.missing,
        factor_files=_factor_files(work, view),
    )


def _row(record: RecordView) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in RECORD_COLUMNS}
    return {name: "" if value is None else str(value) for name, value in row.items()}


def _evidence(work: Work, view: InventoryView) -> list[dict[str, Any]]:
    proved = Counter(record.evidence_id for record in view.standing if record.evidence_id is not None)
    certificates = [each.evidence_id for each in view.certificates if each.evidence_id is not None]
    query = (
        select(Artefact.id, Artefact.sha256, Artefact.name, Artefact.size_bytes)
        .where(Artefact.tenant_id == work.actor.require_tenant(), Artefact.id.in_([*proved, *certificates]))
        .order_by(Artefact.name, Artefact.sha256, Artefact.id)
    )
    return [
        {"sha256": row.sha256, "name": row.name, "size_bytes": row.size_bytes, "records": proved[row.id]}
        for row in work.session.execute(query)
    ]


def _factor_files(work: Work, view: InventoryView) -> dict[str, str]:
    used = {line.factor.edition for line in view.inventory.lines}
    query = select(FactorEdition.code, FactorEdition.sha256).where(FactorEdition.code.in_(used))
    imported = {row.code: row.sha256 for row in work.session.execute(query)}
    return {"built_in": built_in_sha256(), **imported}


def _files(work: Work, report_ids: list[UUID]) -> dict[UUID, list[ReportFile]]:
    query = (
        select(
            Artefact.source_id, Artefact.id, Artefact.name, Artefact.media_type, Artefact.size_bytes, Artefact.sha256
        )
        .where(Artefact.tenant_id == work.actor.require_tenant(), Artefact.source_id.in_(report_ids))
        .order_by(Artefact.id)
    )
    found: dict[UUID, list[ReportFile]] = {}
    for row in work.session.execute(query):
        file = ReportFile(row.id, row.name, row.media_type, row.size_bytes, row.sha256)
        found.setdefault(row.source_id, []).append(file)
    return found


def _view(row: CarbonReport, files: dict[UUID, list[ReportFile]]) -> ReportView:
    return ReportView(
        id=row.id,
        site_id=row.site_id,
        year=row.year,
        location_grams=row.location_grams,
        market_grams=row.market_grams,
        records=row.records,
        manifest_sha256=row.manifest_sha256,
        created_at=row.created_at,
        files=tuple(files.get(row.id, [])),
    )
