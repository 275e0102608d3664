"""Adjustments: what a finalised invoice billed too little for a line, asked for, decided and charged on the next one.

Follows 0031. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
TABLE = "invoice_adjustments"


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        TABLE,
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_line", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("by_two", sa.Boolean(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('asked', 'charged', 'refused')", name=op.f("ck_invoice_adjustments_status")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_invoice_adjustments_positive")),
        sa.CheckConstraint("(status = 'asked') = (decided_at IS NULL)", name=op.f("ck_invoice_adjustments_decided")),
        sa.CheckConstraint(
            "NOT by_two OR status <> 'charged' OR decided_by <> asked_by", name=op.f("ck_invoice_adjustments_four_eyes")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id", "invoice_line"],
            ["invoice_lines.tenant_id", "invoice_lines.invoice_id", "invoice_lines.line"],
            name="fk_invoice_adjustments_invoice_line",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_invoice_adjustments")),
    )
    op.create_index(op.f("ix_invoice_adjustments_tenant_id_invoice_id"), TABLE, ["tenant_id", "invoice_id"])
    op.create_index(op.f("ix_invoice_adjustments_asked_at"), TABLE, ["asked_at"])
    op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON {TABLE} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
    op.execute(f"CREATE POLICY staff ON {TABLE} TO marketplace_staff USING (true) WITH CHECK (true)")
    # A park reads its own; staff alone ask for them and decide.
    op.execute(f"GRANT SELECT ON {TABLE} TO marketplace_tenant")
    op.execute(f"GRANT SELECT, INSERT, UPDATE (status, decided_by, decided_at) ON {TABLE} TO marketplace_staff")
