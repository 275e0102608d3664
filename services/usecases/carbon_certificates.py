"""Green certificates of a site: registered once in the whole province, retired or sold once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.rules.carbon.certificates import (
    MOST_MWH,
    Certificate,
    End,
    Origin,
    check_month,
    check_number,
    check_retirement,
)
from services.rules.catalogue import Delivery
from services.store.carbon import CertificateEnd, CertificateNumber, GreenCertificate
from services.store.runs import Artefact
from services.usecases import site_months, sites
from tenants.kernel.errors import Conflict, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.days import local_day
from tenants.rules.faults import Faults
from tenants.usecases import audit


@dataclass(frozen=True)
class CertificateWish:
    """A certificate as it is written: ``month`` is the first day of the month of its power."""

    number: str
    origin: Origin
    mwh: int
    month: date
    project: str
    evidence_id: UUID | None = None


@dataclass(frozen=True)
class CertificateView:
    """A certificate, and what became of it (None: it is held)."""

    id: UUID
    site_id: UUID
    number: str
    origin: Origin
    mwh: int
    month: date
    project: str
    evidence_id: UUID | None
    evidence_sha256: str | None
    created_at: datetime
    end: End | None
    year: int | None
    end_note: str | None
    ended_at: datetime | None

    @property
    def certificate(self) -> Certificate:
        """Return it as the rules know it."""
        return Certificate(self.number, self.origin, self.mwh, self.month, self.end, self.year)


def register_certificate(work: Work, *, site_id: UUID, wish: CertificateWish) -> CertificateView:
    """Register a certificate. Raises Invalid with its fields, Conflict ``certificate.known`` for a number in use."""
    work.actor.require(Permission.RECORD_CARBON)
    tenant_id = work.actor.require_tenant()
    site_months.require_running(work, site_id=site_id, delivery=Delivery.CARBON)
    with Faults() as faults:
        number = faults.take("number", check_number, wish.number)
        faults.take("month", check_month, wish.month, local_day(work.now))
        sha256 = faults.take("evidence_id", _evidence, work, wish.evidence_id)
        if not 1 <= wish.mwh <= MOST_MWH:
            faults.add("mwh", "certificate.mwh", msg("电量须为 1 至 {most} MWh 的整数。", most=MOST_MWH))
        if not 1 <= len(wish.project.strip()) <= 200:
            faults.add("project", "certificate.project", msg("须为 1 至 {limit} 个字符。", limit=200))
    certificate_id = new_id()
    claimed = insert(CertificateNumber).values(number=number, tenant_id=tenant_id, registered_at=work.now)
    if not rows_written(work.session, claimed.on_conflict_do_nothing()):
        raise Conflict("certificate.known", msg("编号为 {number} 的绿证已登记，同一绿证只能登记一次。", number=number))
    row = {
        "tenant_id": tenant_id,
        "id": certificate_id,
        "site_id": site_id,
        "number": number,
        "origin": wish.origin,
        "mwh": wish.mwh,
        "month": wish.month,
        "project": wish.project.strip(),
        "evidence_id": wish.evidence_id,
        "evidence_sha256": sha256,
        "created_by": work.actor.user_id,
        "created_at": work.now,
    }
    work.session.execute(insert(GreenCertificate).values(row))
    _noted(work, site_id, "certificate.register", certificate_id, number)
    return read_certificate(work, certificate_id=certificate_id)


def end_certificate(
    work: Work, *, certificate_id: UUID, end: End, year: int | None = None, note: str = ""
) -> CertificateView:
    """Retire a certificate for a year's power, or note that it was sold. Whichever comes first stands.

    Raises NotFound, Invalid at ``year`` or ``note``, Conflict ``certificate.ended`` when it was retired or sold before.
    """
    work.actor.require(Permission.RECORD_CARBON)
    found = read_certificate(work, certificate_id=certificate_id)
    site_months.require_running(work, site_id=found.site_id, delivery=Delivery.CARBON)
    with Faults() as faults:
        if end is End.RETIRED:
            faults.take("year", check_retirement, found.month, year or 0, local_day(work.now))
        elif found.origin is Origin.PURCHASED:
            faults.add("end", "certificate.sold", msg("购入的绿证不在此登记出售；只登记本站点自发电量绿证的出售。"))
        if len(note) > 500:
            faults.add("note", "certificate.note", msg("备注须在 {most} 个字以内。", most=500))
    row = {
        "tenant_id": work.actor.require_tenant(),
        "certificate_id": certificate_id,
        "kind": end,
        "year": year if end is End.RETIRED else None,
        "note": note.strip(),
        "ended_by": work.actor.user_id,
        "ended_at": work.now,
    }
    if not rows_written(work.session, insert(CertificateEnd).values(row).on_conflict_do_nothing()):
        raise Conflict("certificate.ended", msg("该绿证已经注销或出售，不能再次使用。"))
    _noted(work, found.site_id, f"certificate.{end}", certificate_id, found.number)
    return read_certificate(work, certificate_id=certificate_id)


def read_certificate(work: Work, *, certificate_id: UUID) -> CertificateView:
    """Return a certificate of the acting park; NotFound for another park's."""
    work.actor.require(Permission.READ_CARBON)
    row = work.session.execute(_certificates(work).where(GreenCertificate.id == certificate_id)).one_or_none()
    if row is None:
        raise NotFound("certificate.not_found", msg("没有找到该绿证。请从列表中打开。"))
    return _view(*row)


def list_certificates(work: Work, *, site_id: UUID) -> tuple[CertificateView, ...]:
    """Return a site's certificates by month and number."""
    work.actor.require(Permission.READ_CARBON)
    sites.read_site(work, site_id=site_id)
    return site_certificates(work, site_id)


def site_certificates(work: Work, site_id: UUID) -> tuple[CertificateView, ...]:
    """Return a site's certificates for the use cases of the ledger, which have asked who acts."""
    query = _certificates(work).where(GreenCertificate.site_id == site_id)
    rows = work.session.execute(query.order_by(GreenCertificate.month.desc(), GreenCertificate.number))
    return tuple(_view(*row) for row in rows)


def _evidence(work: Work, evidence_id: UUID | None) -> str | None:
    if evidence_id is None:
        return None
    own = (Artefact.tenant_id == work.actor.require_tenant(), Artefact.id == evidence_id)
    found = work.session.execute(select(Artefact.sha256).where(*own)).scalar_one_or_none()
    if found is None:
        raise Invalid("carbon.evidence", msg("没有找到该证据文件。请先上传。"))
    return str(found)


def _noted(work: Work, site_id: UUID, action: str, certificate_id: UUID, number: str) -> None:
    site_months.note_activity(work, site_id=site_id, delivery=Delivery.CARBON)
    audit.record(work, action, "green_certificate", certificate_id, site_id=site_id, number=number)


def _certificates(work: Work) -> Any:
    joined = (CertificateEnd.tenant_id == GreenCertificate.tenant_id) & (
        CertificateEnd.certificate_id == GreenCertificate.id
    )
    return (
        select(GreenCertificate, CertificateEnd)
        .outerjoin(CertificateEnd, joined)
        .where(GreenCertificate.tenant_id == work.actor.require_tenant())
    )


def _view(row: GreenCertificate, end: CertificateEnd | None) -> CertificateView:
    return CertificateView(
        id=row.id,
        site_id=row.site_id,
        number=row.number,
        origin=Origin(row.origin),
        mwh=row.mwh,
        month=row.month,
        project=row.project,
        evidence_id=row.evidence_id,
        evidence_sha256=row.evidence_sha256,
        created_at=row.created_at,
        end=None if end is None else End(end.kind),
        year=None if end is None else end.year,
        end_note=None if end is None else end.note,
        ended_at=None if end is None else end.ended_at,
    )
