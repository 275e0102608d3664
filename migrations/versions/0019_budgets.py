"""Budgets and quotas of parks.

Follows 0018. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
CHANGES = {"budgets": "ended_by, ended_at", "budget_counters": "used", "budget_uses": "given_back_at"}


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "budgets",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("measure", sa.String(length=64), nullable=False),
        sa.Column("period", sa.String(length=64), nullable=False),
        sa.Column("limit", sa.BigInteger(), nullable=False),
        sa.Column("hard_stop", sa.Boolean(), nullable=False),
        sa.Column("shares_bp", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("imposed", sa.Boolean(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("scope IN ('park', 'offering', 'person')", name=op.f("ck_budgets_scope")),
        sa.CheckConstraint("measure IN ('payable_fen', 'gross_fen', 'quantity')", name=op.f("ck_budgets_measure")),
        sa.CheckConstraint("period IN ('month', 'year')", name=op.f("ck_budgets_period")),
        sa.CheckConstraint('"limit" >= 0', name=op.f("ck_budgets_limit")),
        sa.CheckConstraint("(scope = 'park') = (key = '')", name=op.f("ck_budgets_key")),
        sa.CheckConstraint("(ended_by IS NULL) = (ended_at IS NULL)", name=op.f("ck_budgets_ended")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_budgets")),
    )
    op.create_index(
        "uq_budgets_running",
        "budgets",
        ["tenant_id", "scope", "key", "measure", "period", "imposed"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "budget_counters",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("budget_id", sa.Uuid(), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used >= 0", name=op.f("ck_budget_counters_not_negative")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "budget_id"],
            ["budgets.tenant_id", "budgets.id"],
            name=op.f("fk_budget_counters_tenant_id_budget_id_budgets"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "budget_id", "period", name=op.f("pk_budget_counters")),
    )
    op.create_table(
        "budget_uses",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("budget_id", sa.Uuid(), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("given_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount > 0", name=op.f("ck_budget_uses_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "budget_id"],
            ["budgets.tenant_id", "budgets.id"],
            name=op.f("fk_budget_uses_tenant_id_budget_id_budgets"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "order_line_id", "budget_id", name=op.f("pk_budget_uses")),
    )
    for table, columns in CHANGES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT, INSERT, UPDATE ({columns}) ON {table} TO marketplace_tenant, marketplace_staff")
