"""Instruments tell their facility, place, standards and kinds of samples, and every version of them is kept.

Follows 0071. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0072"
down_revision = "0071"
branch_labels = None
depends_on = None

NUMBERS = (
    "slot_minutes", "min_slots", "max_slots", "before_minutes", "after_minutes", "min_notice_minutes", "max_notice_days",
    "units",
)  # fmt: skip
KEPT = ("name", "facility", "location", "region_code", "methods", "standards", "sample_kinds", *NUMBERS)
FIRST_VERSIONS = f"""
ALTER TABLE instruments NO FORCE ROW LEVEL SECURITY;
INSERT INTO instrument_versions
    SELECT provider_id, id, 1,
           jsonb_build_object({", ".join(f"'{name}', {name}" for name in KEPT)},
                              'opens', opens_hour, 'closes', closes_hour, 'parks', to_jsonb(parks)),
           NULL, '', now() FROM instruments;
ALTER TABLE instruments FORCE ROW LEVEL SECURITY;
"""
SECURITY = """
ALTER TABLE instrument_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE instrument_versions FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON instrument_versions FOR SELECT TO marketplace_tenant USING (false);
CREATE POLICY staff ON instrument_versions TO marketplace_staff USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON instrument_versions TO marketplace_staff;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    for name in ("facility", "location"):
        op.add_column("instruments", sa.Column(name, sa.String(length=200), nullable=False, server_default=""))
    for name in ("standards", "sample_kinds"):
        op.add_column("instruments", sa.Column(name, JSONB(), nullable=False, server_default="[]"))
    op.create_table(
        "instrument_versions",
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", JSONB(), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("changed_by_name", sa.String(length=200), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_instrument_versions_counted")),
        sa.ForeignKeyConstraint(
            ["provider_id", "instrument_id"],
            ["instruments.provider_id", "instruments.id"],
            name=op.f("fk_instrument_versions_provider_id_instrument_id_instruments"),
        ),
        sa.PrimaryKeyConstraint("provider_id", "instrument_id", "version", name=op.f("pk_instrument_versions")),
    )
    op.execute(FIRST_VERSIONS)
    op.execute(SECURITY)
