"""Units that plans include or limit: counters by month, what each order line counts, and what they would have cost.

Follows 0029. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
CHANGES = {"plan_counters": "units, included", "plan_uses": "given_back_at"}


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "plan_counters",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("month_from", sa.Date(), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("included", sa.Integer(), nullable=False),
        sa.CheckConstraint("included BETWEEN 0 AND units", name=op.f("ck_plan_counters_included")),
        sa.PrimaryKeyConstraint("tenant_id", "month_from", "offering", name=op.f("pk_plan_counters")),
    )
    op.create_table(
        "plan_uses",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("month_from", sa.Date(), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("included", sa.Integer(), nullable=False),
        sa.Column("given_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("units > 0 AND included BETWEEN 0 AND units", name=op.f("ck_plan_uses_included")),
        sa.PrimaryKeyConstraint("tenant_id", "order_line_id", name=op.f("pk_plan_uses")),
    )
    for table, columns in CHANGES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT, INSERT, UPDATE ({columns}) ON {table} TO marketplace_tenant, marketplace_staff")
    for table in ("order_lines", "rated_usage"):
        op.add_column(table, sa.Column("included", sa.Integer(), server_default="0", nullable=False))
        op.add_column(table, sa.Column("discount_fen", sa.BigInteger(), server_default="0", nullable=False))
        op.create_check_constraint(op.f(f"ck_{table}_included"), table, "included >= 0 AND discount_fen >= 0")
