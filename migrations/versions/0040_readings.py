"""Meters of sites, their readings, and the readings that were replaced.

Follows 0035. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
CHANGES = {
    "site_meters": "is_main, last_at, last_value, last_received_at, closed_at",
    "readings": "value, estimated, version, received_at",
    "reading_versions": "",
}
"""What may be changed of each table; of the others nothing."""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "site_meters",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("measures", sa.String(length=64), nullable=False),
        sa.Column("unit", sa.String(length=16), nullable=False),
        sa.Column("readings", sa.String(length=64), nullable=False),
        sa.Column("stamps", sa.String(length=64), nullable=False),
        sa.Column("interval_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("multiplier", sa.Numeric(precision=14, scale=6), nullable=False),
        sa.Column("highest", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("register_limit", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("formula", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("depth", sa.SmallInteger(), nullable=False),
        sa.Column("is_main", sa.Boolean(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_value", sa.Numeric(precision=24, scale=6), nullable=True),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "measures IN ('electricity', 'cooling', 'heat', 'gas', 'water', 'temperature', 'humidity', 'other')",
            name=op.f("ck_site_meters_measures"),
        ),
        sa.CheckConstraint("readings IN ('interval', 'cumulative', 'instant')", name=op.f("ck_site_meters_readings")),
        sa.CheckConstraint("stamps IN ('start', 'end')", name=op.f("ck_site_meters_stamps")),
        sa.CheckConstraint(
            "(formula IS NULL) = (depth = 0) AND depth BETWEEN 0 AND 5", name=op.f("ck_site_meters_depth")
        ),
        sa.CheckConstraint("interval_minutes IN (1, 5, 10, 15, 30, 60)", name=op.f("ck_site_meters_interval")),
        sa.CheckConstraint(
            "multiplier > 0 AND highest > 0 AND register_limit > 0", name=op.f("ck_site_meters_positive")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["sites.tenant_id", "sites.id"],
            name=op.f("fk_site_meters_tenant_id_site_id_sites"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_site_meters")),
        sa.UniqueConstraint("tenant_id", "code", name=op.f("uq_site_meters_tenant_id_code")),
    )
    op.create_index(op.f("ix_site_meters_tenant_id_site_id"), "site_meters", ["tenant_id", "site_id"])

    op.create_table(
        "readings",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("meter_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Numeric(precision=24, scale=6), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_readings_version")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "meter_id"],
            ["site_meters.tenant_id", "site_meters.id"],
            name=op.f("fk_readings_tenant_id_meter_id_site_meters"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "meter_id", "at", name=op.f("pk_readings")),
    )

    op.create_table(
        "reading_versions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("meter_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("value", sa.Numeric(precision=24, scale=6), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_reading_versions_version")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "meter_id", "at"],
            ["readings.tenant_id", "readings.meter_id", "readings.at"],
            name=op.f("fk_reading_versions_tenant_id_meter_id_at_readings"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "meter_id", "at", "version", name=op.f("pk_reading_versions")),
    )
    for table, columns in CHANGES.items():
        change = f", UPDATE ({columns})" if columns else ""
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT, INSERT{change} ON {table} TO marketplace_tenant, marketplace_staff")
