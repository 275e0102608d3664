"""A monthly minimum of plans, and what parks' months fell short of it.

Follows 0042. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
TABLE = "minimum_charges"


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("plans", sa.Column("monthly_minimum_fen", sa.BigInteger(), server_default="0", nullable=False))
    op.create_check_constraint(op.f("ck_plans_minimum"), "plans", "monthly_minimum_fen >= 0")
    op.create_table(
        TABLE,
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("minimum_fen", sa.BigInteger(), nullable=False),
        sa.Column("charges_fen", sa.BigInteger(), nullable=False),
        sa.Column("charged_fen", sa.BigInteger(), nullable=False),
        sa.Column("vat_bp", sa.Integer(), nullable=False),
        sa.Column("charged_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("minimum_fen > 0 AND charges_fen >= 0", name=op.f("ck_minimum_charges_not_negative")),
        sa.CheckConstraint(
            "charged_fen = greatest(0, minimum_fen - charges_fen)", name=op.f("ck_minimum_charges_difference")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "period", name=op.f("pk_minimum_charges")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_minimum_charges_tenant_id_id")),
    )
    op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON {TABLE} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
    op.execute(f"CREATE POLICY staff ON {TABLE} TO marketplace_staff USING (true) WITH CHECK (true)")
    # A park reads its own; they are settled with its invoices, by staff alone.
    op.execute(f"GRANT SELECT ON {TABLE} TO marketplace_tenant")
    op.execute(f"GRANT SELECT, INSERT ON {TABLE} TO marketplace_staff")
