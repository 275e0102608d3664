"""What a provider owes from clawbacks is set off against its payouts: how much of each payout, for which cases.

Follows 0034. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("payouts", sa.Column("set_off_fen", sa.BigInteger(), server_default="0", nullable=False))
    op.create_check_constraint(op.f("ck_payouts_set_off"), "payouts", "set_off_fen BETWEEN 0 AND amount_fen")
    op.drop_constraint(op.f("ck_clawback_repayments_method"), "clawback_repayments")
    op.create_check_constraint(
        op.f("ck_clawback_repayments_method"), "clawback_repayments", "method IN ('treasury', 'wallet', 'set_off')"
    )
    op.create_table(
        "payout_set_offs",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("payout_id", sa.Uuid(), nullable=False),
        sa.Column("clawback_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("repayment_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_payout_set_offs_positive")),
        sa.ForeignKeyConstraint(["payout_id"], ["payouts.id"], name=op.f("fk_payout_set_offs_payout_id_payouts")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "clawback_id"],
            ["clawbacks.tenant_id", "clawbacks.id"],
            name=op.f("fk_payout_set_offs_tenant_id_clawback_id_clawbacks"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "repayment_id"],
            ["clawback_repayments.tenant_id", "clawback_repayments.id"],
            name=op.f("fk_payout_set_offs_tenant_id_repayment_id_clawback_repayments"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "payout_id", "clawback_id", name=op.f("pk_payout_set_offs")),
        sa.UniqueConstraint("tenant_id", "repayment_id", name=op.f("uq_payout_set_offs_tenant_id_repayment_id")),
    )
    op.create_index(op.f("ix_payout_set_offs_payout_id"), "payout_set_offs", ["payout_id"])
    op.create_index(op.f("ix_payout_set_offs_tenant_id_clawback_id"), "payout_set_offs", ["tenant_id", "clawback_id"])
    op.execute("ALTER TABLE payout_set_offs ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE payout_set_offs FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON payout_set_offs TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
    op.execute("CREATE POLICY staff ON payout_set_offs TO marketplace_staff USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT ON payout_set_offs TO marketplace_tenant")
    op.execute("GRANT SELECT, INSERT, UPDATE (repayment_id) ON payout_set_offs TO marketplace_staff")
