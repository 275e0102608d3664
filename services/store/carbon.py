"""A site's carbon: the activity ledger, imported editions of factors, green certificates, reports and plans.

Nothing here is edited. A correction is a further record, a certificate's end a row of its own, an edition is decided
once; the grants let nothing else be changed.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.rules.carbon.certificates import End, Origin
from services.rules.carbon.records import Category
from tenants.kernel.database import Base, Code, Name, TenantOwned, one_of, owned_reference

SOURCES = ("manual", "import", "meter")
DECISIONS = ("draft", "published", "refused")
MULTIPLIED = "grams = round(base_quantity * factor_kg * 1000)"


class FactorEdition(Base):
    """An imported edition of factors. It is used once a second person has published it, and never changed."""

    __tablename__ = "factor_editions"
    __table_args__ = (
        one_of("status", DECISIONS),
        CheckConstraint("(status = 'draft') = (decided_at IS NULL)", name="decided"),
        CheckConstraint(
            "status = 'draft' OR (decided_by IS NOT NULL AND decided_by <> imported_by)", name="two_people"
        ),
        {"info": {"shared": "factors are public and the same for every park"}},
    )

    code: Mapped[Code] = mapped_column(primary_key=True)
    name: Mapped[Name]
    factors: Mapped[list[Any]]
    """Each factor with item, region, kg, base, year and source."""
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[Code]
    imported_by: Mapped[UUID]
    imported_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]


class CarbonImport(TenantOwned, Base):
    """A file of activities that was taken in. The same file is taken once for a site."""

    __tablename__ = "carbon_imports"
    __table_args__ = (
        owned_reference("site_id", "sites"),
        owned_reference("artefact_id", "artefacts"),
        UniqueConstraint("tenant_id", "site_id", "sha256"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[UUID]
    artefact_id: Mapped[UUID]
    sha256: Mapped[str] = mapped_column(String(64))
    rows_kept: Mapped[int] = mapped_column(Integer)
    rows_refused: Mapped[int] = mapped_column(Integer)
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]


class CarbonRecord(TenantOwned, Base):
    """One activity ``[starts_on, ends_on)`` with the factor it was counted with, frozen. Another may replace it once."""

    __tablename__ = "carbon_records"
    __table_args__ = (
        owned_reference("site_id", "sites"),
        owned_reference("evidence_id", "artefacts"),
        owned_reference("import_id", "carbon_imports"),
        owned_reference("meter_id", "site_meters"),
        UniqueConstraint("tenant_id", "site_id", "id"),
        ForeignKeyConstraint(
            ["tenant_id", "site_id", "replaces_id"],
            ["carbon_records.tenant_id", "carbon_records.site_id", "carbon_records.id"],
            name="fk_carbon_records_replaces",
        ),
        UniqueConstraint("tenant_id", "replaces_id"),
        one_of("category", Category),
        one_of("source", SOURCES),
        CheckConstraint("starts_on < ends_on AND ends_on - starts_on <= 366", name="span"),
        CheckConstraint("quantity >= 0 AND base_quantity >= 0 AND factor_kg >= 0", name="quantity"),
        CheckConstraint(MULTIPLIED, name="grams"),
        CheckConstraint("replaces_id <> id", name="replaces"),
        CheckConstraint("(evidence_id IS NULL) = (evidence_sha256 IS NULL)", name="evidence"),
        CheckConstraint("(residual_kg IS NULL) = (residual_edition IS NULL)", name="residual"),
        CheckConstraint("(source = 'meter') = (meter_id IS NOT NULL)", name="meter"),
        Index(None, "tenant_id", "site_id", "starts_on"),
        Index(
            "uq_carbon_records_metered",
            "tenant_id",
            "meter_id",
            "starts_on",
            unique=True,
            postgresql_where="source = 'meter' AND replaces_id IS NULL",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[UUID]
    replaces_id: Mapped[UUID | None]
    category: Mapped[Code]
    item: Mapped[Code]
    region: Mapped[Code]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    quantity: Mapped[Decimal] = mapped_column(Numeric(20, 6))
    """As it stands on the bill, in ``unit``."""
    unit: Mapped[Code]
    density_kg_per_l: Mapped[Decimal | None] = mapped_column(Numeric(6, 4))
    base_quantity: Mapped[Decimal] = mapped_column(Numeric(20, 6))
    base_unit: Mapped[Code]
    edition: Mapped[Code]
    factor_kg: Mapped[Decimal] = mapped_column(Numeric(20, 9))
    factor_year: Mapped[int] = mapped_column(SmallInteger)
    factor_source: Mapped[str] = mapped_column(String(500))
    residual_edition: Mapped[Code | None]
    residual_kg: Mapped[Decimal | None] = mapped_column(Numeric(20, 9))
    grams: Mapped[int] = mapped_column(BigInteger)
    """Location-based, without the heading's sign."""
    source: Mapped[Code]
    import_id: Mapped[UUID | None]
    meter_id: Mapped[UUID | None]
    evidence_id: Mapped[UUID | None]
    evidence_sha256: Mapped[str | None] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(String(500))
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]


class CertificateNumber(Base):
    """That a certificate's number was registered, in the whole province once."""

    __tablename__ = "certificate_numbers"
    __table_args__ = (
        {"info": {"shared": "one certificate counts once in the whole province; a row policy shows a park its own"}},
    )

    number: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant_id: Mapped[UUID]
    registered_at: Mapped[datetime]


class GreenCertificate(TenantOwned, Base):
    """A certificate of ``mwh`` of renewable power made in ``month``."""

    __tablename__ = "green_certificates"
    __table_args__ = (
        owned_reference("site_id", "sites"),
        owned_reference("evidence_id", "artefacts"),
        UniqueConstraint("tenant_id", "number"),
        one_of("origin", Origin),
        CheckConstraint("mwh BETWEEN 1 AND 1000000", name="mwh"),
        CheckConstraint("extract(day FROM month) = 1", name="month"),
        CheckConstraint("(evidence_id IS NULL) = (evidence_sha256 IS NULL)", name="evidence"),
        Index(None, "tenant_id", "site_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[UUID]
    number: Mapped[str] = mapped_column(String(40))
    origin: Mapped[Code]
    mwh: Mapped[int] = mapped_column(Integer)
    month: Mapped[date]
    project: Mapped[Name]
    """The plant that made the power, as the certificate names it."""
    evidence_id: Mapped[UUID | None]
    evidence_sha256: Mapped[str | None] = mapped_column(String(64))
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]


class CertificateEnd(TenantOwned, Base):
    """What became of a certificate: retired for a year, or sold. Its key is the certificate, so that happens once."""

    __tablename__ = "certificate_ends"
    __table_args__ = (
        owned_reference("certificate_id", "green_certificates"),
        one_of("kind", End),
        CheckConstraint("(kind = 'retired') = (year IS NOT NULL)", name="year"),
    )

    certificate_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[Code]
    year: Mapped[int | None] = mapped_column(SmallInteger)
    note: Mapped[str] = mapped_column(String(500))
    ended_by: Mapped[UUID | None]
    ended_at: Mapped[datetime]


class CarbonReport(TenantOwned, Base):
    """A year's report as it stood when it was made; its files are artefacts, its manifest's hash proves them all."""

    __tablename__ = "carbon_reports"
    __table_args__ = (owned_reference("site_id", "sites"), Index(None, "tenant_id", "site_id", "year"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[UUID]
    year: Mapped[int] = mapped_column(SmallInteger)
    location_grams: Mapped[int] = mapped_column(BigInteger)
    market_grams: Mapped[int] = mapped_column(BigInteger)
    records: Mapped[int] = mapped_column(Integer)
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]


class CarbonPlan(TenantOwned, Base):
    """A path to a target: what was asked (goal and measures) and what was found, as it stood in the base year."""

    __tablename__ = "carbon_plans"
    __table_args__ = (owned_reference("site_id", "sites"), Index(None, "tenant_id", "site_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[UUID]
    base_year: Mapped[int] = mapped_column(SmallInteger)
    target_year: Mapped[int] = mapped_column(SmallInteger)
    request: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any]]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]
