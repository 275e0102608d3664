"""Use charged in arrears by meter: what was charged from which snapshot, credits of it, and where late use has come.

Follows 0048. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
# A park reads its own; staff alone charge. Where to look for late use is noted by who rolls up.
RIGHTS = {
    "metered_usage": "SELECT, INSERT",
    "metered_credits": "SELECT, INSERT",
    "late_usage": "SELECT, INSERT, UPDATE (noted, seen)",
}


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "metered_usage",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.String(length=64), nullable=False),
        sa.Column("price_id", sa.Uuid(), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("span_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("span_to", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("quantity", sa.Numeric(24, 6), nullable=False),
        sa.Column("already_units", sa.Numeric(24, 6), nullable=False),
        sa.Column("already_fen", sa.BigInteger(), nullable=False),
        sa.Column("charged_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("span_from < span_to", name=op.f("ck_metered_usage_span")),
        sa.CheckConstraint("number >= 0", name=op.f("ck_metered_usage_number")),
        sa.CheckConstraint("already_fen + charged_fen >= 0", name=op.f("ck_metered_usage_whole")),
        sa.CheckConstraint(
            "number > 0 OR (already_units = 0 AND already_fen = 0)", name=op.f("ck_metered_usage_first")
        ),
        sa.ForeignKeyConstraint(["meter"], ["meters.slug"], name=op.f("fk_metered_usage_meter_meters")),
        sa.ForeignKeyConstraint(["price_id"], ["prices.id"], name=op.f("fk_metered_usage_price_id_prices")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_metered_usage")),
        sa.UniqueConstraint(
            "tenant_id", "meter", "price_id", "span_from", "number",
            name=op.f("uq_metered_usage_tenant_id_meter_price_id_span_from_number"),
        ),
    )  # fmt: skip
    op.create_index(op.f("ix_metered_usage_tenant_id_period"), "metered_usage", ["tenant_id", "period"])
    op.create_table(
        "metered_credits",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("metered_id", sa.Uuid(), nullable=False),
        sa.Column("credit_note_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_metered_credits_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "metered_id"], ["metered_usage.tenant_id", "metered_usage.id"],
            name=op.f("fk_metered_credits_tenant_id_metered_id_metered_usage"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "credit_note_id"], ["credit_notes.tenant_id", "credit_notes.id"],
            name=op.f("fk_metered_credits_tenant_id_credit_note_id_credit_notes"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "metered_id", "credit_note_id", name=op.f("pk_metered_credits")),
        sa.UniqueConstraint(
            "tenant_id", "credit_note_id", name=op.f("uq_metered_credits_tenant_id_credit_note_id")
        ),
    )  # fmt: skip
    op.create_table(
        "metered_months",
        sa.Column("meter", sa.String(length=64), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["meter"], ["meters.slug"], name=op.f("fk_metered_months_meter_meters")),
        sa.PrimaryKeyConstraint("meter", "period", name=op.f("pk_metered_months")),
    )
    op.create_table(
        "late_usage",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.String(length=64), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("noted", sa.Integer(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.CheckConstraint("seen BETWEEN 0 AND noted", name=op.f("ck_late_usage_seen")),
        sa.ForeignKeyConstraint(["meter"], ["meters.slug"], name=op.f("fk_late_usage_meter_meters")),
        sa.PrimaryKeyConstraint("tenant_id", "meter", "period", name=op.f("pk_late_usage")),
    )
    op.create_index(
        op.f("ix_late_usage_tenant_id"), "late_usage", ["tenant_id"], postgresql_where=sa.text("seen < noted")
    )
    for table, rights in RIGHTS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT ON {table} TO marketplace_tenant")
        op.execute(f"GRANT {rights} ON {table} TO marketplace_staff")
    op.execute("GRANT SELECT ON metered_months TO marketplace_tenant")
    op.execute("GRANT SELECT, INSERT ON metered_months TO marketplace_staff")
