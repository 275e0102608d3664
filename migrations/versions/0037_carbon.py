"""The carbon ledger: records, imports, certificates and their ends, reports, plans, and imported editions of factors.

Follows 0035. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
OWNED = (
    "carbon_imports",
    "carbon_records",
    "green_certificates",
    "certificate_ends",
    "certificate_numbers",
    "carbon_reports",
    "carbon_plans",
)
"""Nothing in them is ever changed, so nobody is granted to."""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _shared()
    _papers()
    _records()
    _certificates()
    for table in OWNED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        if table != "certificate_numbers":
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO marketplace_tenant, marketplace_staff")
    op.execute("GRANT SELECT ON factor_editions TO marketplace_tenant")
    op.execute("GRANT SELECT, INSERT, UPDATE (status, decided_by, decided_at) ON factor_editions TO marketplace_staff")


def _shared() -> None:
    op.create_table(
        "certificate_numbers",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_certificate_numbers")),
    )
    op.create_table(
        "factor_editions",
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("factors", JSONB(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("imported_by", sa.Uuid(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'draft') = (decided_at IS NULL)", name=op.f("ck_factor_editions_decided")),
        sa.CheckConstraint(
            "status = 'draft' OR (decided_by IS NOT NULL AND decided_by <> imported_by)",
            name=op.f("ck_factor_editions_two_people"),
        ),
        sa.CheckConstraint("status IN ('draft', 'published', 'refused')", name=op.f("ck_factor_editions_status")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_factor_editions")),
    )


def _papers() -> None:
    op.create_table(
        "carbon_imports",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("artefact_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("rows_kept", sa.Integer(), nullable=False),
        sa.Column("rows_refused", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "artefact_id"],
            ["artefacts.tenant_id", "artefacts.id"],
            name=op.f("fk_carbon_imports_tenant_id_artefact_id_artefacts"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["sites.tenant_id", "sites.id"],
            name=op.f("fk_carbon_imports_tenant_id_site_id_sites"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_carbon_imports")),
        sa.UniqueConstraint("tenant_id", "site_id", "sha256", name=op.f("uq_carbon_imports_tenant_id_site_id_sha256")),
    )
    op.create_table(
        "carbon_plans",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("base_year", sa.SmallInteger(), nullable=False),
        sa.Column("target_year", sa.SmallInteger(), nullable=False),
        sa.Column("request", JSONB(), nullable=False),
        sa.Column("result", JSONB(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["sites.tenant_id", "sites.id"],
            name=op.f("fk_carbon_plans_tenant_id_site_id_sites"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_carbon_plans")),
    )
    op.create_index(op.f("ix_carbon_plans_tenant_id_site_id"), "carbon_plans", ["tenant_id", "site_id"], unique=False)
    op.create_table(
        "carbon_reports",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("location_grams", sa.BigInteger(), nullable=False),
        sa.Column("market_grams", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["sites.tenant_id", "sites.id"],
            name=op.f("fk_carbon_reports_tenant_id_site_id_sites"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_carbon_reports")),
    )
    op.create_index(
        op.f("ix_carbon_reports_tenant_id_site_id_year"),
        "carbon_reports",
        ["tenant_id", "site_id", "year"],
        unique=False,
    )


def _records() -> None:
    op.create_table(
        "carbon_records",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=64), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("unit", sa.String(length=64), nullable=False),
        sa.Column("density_kg_per_l", sa.Numeric(precision=6, scale=4), nullable=True),
        sa.Column("base_quantity", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("base_unit", sa.String(length=64), nullable=False),
        sa.Column("edition", sa.String(length=64), nullable=False),
        sa.Column("factor_kg", sa.Numeric(precision=20, scale=9), nullable=False),
        sa.Column("factor_year", sa.SmallInteger(), nullable=False),
        sa.Column("factor_source", sa.String(length=500), nullable=False),
        sa.Column("residual_edition", sa.String(length=64), nullable=True),
        sa.Column("residual_kg", sa.Numeric(precision=20, scale=9), nullable=True),
        sa.Column("grams", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=True),
        sa.Column("meter_id", sa.Uuid(), nullable=True),
        sa.Column("evidence_id", sa.Uuid(), nullable=True),
        sa.Column("evidence_sha256", sa.String(length=64), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(source = 'meter') = (meter_id IS NOT NULL)", name=op.f("ck_carbon_records_meter")),
        sa.CheckConstraint(
            "category IN ('fuel', 'vehicle', 'process', 'refrigerant', 'electricity', 'own_green', 'heat', 'sold_electricity', 'sold_heat')",
            name=op.f("ck_carbon_records_category"),
        ),
        sa.CheckConstraint("source IN ('manual', 'import', 'meter')", name=op.f("ck_carbon_records_source")),
        sa.CheckConstraint(
            "(evidence_id IS NULL) = (evidence_sha256 IS NULL)", name=op.f("ck_carbon_records_evidence")
        ),
        sa.CheckConstraint(
            "(residual_kg IS NULL) = (residual_edition IS NULL)", name=op.f("ck_carbon_records_residual")
        ),
        sa.CheckConstraint("grams = round(base_quantity * factor_kg * 1000)", name=op.f("ck_carbon_records_grams")),
        sa.CheckConstraint(
            "quantity >= 0 AND base_quantity >= 0 AND factor_kg >= 0", name=op.f("ck_carbon_records_quantity")
        ),
        sa.CheckConstraint("replaces_id <> id", name=op.f("ck_carbon_records_replaces")),
        sa.CheckConstraint("starts_on < ends_on AND ends_on - starts_on <= 366", name=op.f("ck_carbon_records_span")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "evidence_id"],
            ["artefacts.tenant_id", "artefacts.id"],
            name=op.f("fk_carbon_records_tenant_id_evidence_id_artefacts"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "import_id"],
            ["carbon_imports.tenant_id", "carbon_imports.id"],
            name=op.f("fk_carbon_records_tenant_id_import_id_carbon_imports"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id", "replaces_id"],
            ["carbon_records.tenant_id", "carbon_records.site_id", "carbon_records.id"],
            name="fk_carbon_records_replaces",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["sites.tenant_id", "sites.id"],
            name=op.f("fk_carbon_records_tenant_id_site_id_sites"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_carbon_records")),
        sa.UniqueConstraint("tenant_id", "replaces_id", name=op.f("uq_carbon_records_tenant_id_replaces_id")),
        sa.UniqueConstraint("tenant_id", "site_id", "id", name=op.f("uq_carbon_records_tenant_id_site_id_id")),
    )
    op.create_index(
        op.f("ix_carbon_records_tenant_id_site_id_starts_on"),
        "carbon_records",
        ["tenant_id", "site_id", "starts_on"],
        unique=False,
    )
    op.create_index(
        "uq_carbon_records_metered",
        "carbon_records",
        ["tenant_id", "meter_id", "starts_on"],
        unique=True,
        postgresql_where=sa.text("source = 'meter' AND replaces_id IS NULL"),
    )


def _certificates() -> None:
    op.create_table(
        "green_certificates",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("mwh", sa.Integer(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("project", sa.String(length=200), nullable=False),
        sa.Column("evidence_id", sa.Uuid(), nullable=True),
        sa.Column("evidence_sha256", sa.String(length=64), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "origin IN ('purchased', 'own_used', 'own_fed_in')", name=op.f("ck_green_certificates_origin")
        ),
        sa.CheckConstraint(
            "(evidence_id IS NULL) = (evidence_sha256 IS NULL)", name=op.f("ck_green_certificates_evidence")
        ),
        sa.CheckConstraint("extract(day FROM month) = 1", name=op.f("ck_green_certificates_month")),
        sa.CheckConstraint("mwh BETWEEN 1 AND 1000000", name=op.f("ck_green_certificates_mwh")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "evidence_id"],
            ["artefacts.tenant_id", "artefacts.id"],
            name=op.f("fk_green_certificates_tenant_id_evidence_id_artefacts"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["sites.tenant_id", "sites.id"],
            name=op.f("fk_green_certificates_tenant_id_site_id_sites"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_green_certificates")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_green_certificates_tenant_id_number")),
    )
    op.create_index(
        op.f("ix_green_certificates_tenant_id_site_id"), "green_certificates", ["tenant_id", "site_id"], unique=False
    )
    op.create_table(
        "certificate_ends",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("certificate_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(kind = 'retired') = (year IS NOT NULL)", name=op.f("ck_certificate_ends_year")),
        sa.CheckConstraint("kind IN ('retired', 'sold')", name=op.f("ck_certificate_ends_kind")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "certificate_id"],
            ["green_certificates.tenant_id", "green_certificates.id"],
            name=op.f("fk_certificate_ends_tenant_id_certificate_id_green_certificates"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "certificate_id", name=op.f("pk_certificate_ends")),
    )
