"""Captured money that comes back: what was withdrawn before it was paid out, and what was returned afterwards.

Follows 0004. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    for name in ("recalled_fen", "withdrawn_fen", "disbursed_fen", "returned_fen"):
        op.add_column("holds", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
        op.alter_column("holds", name, server_default=None)
    for name, condition in {
        "not_negative": "least(withdrawn_fen, disbursed_fen, returned_fen) >= 0",
        "recalled": "recalled_fen BETWEEN withdrawn_fen + returned_fen AND withdrawn_fen + disbursed_fen",
        "at_most_captured": "withdrawn_fen + disbursed_fen <= captured_fen",
    }.items():
        op.create_check_constraint(op.f(f"ck_holds_{name}"), "holds", condition)
    op.create_table(
        "hold_returns",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.String(length=64), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_hold_returns_positive")),
        sa.CheckConstraint("source IN ('captured', 'disbursed')", name=op.f("ck_hold_returns_source")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "hold_id"],
            ["holds.tenant_id", "holds.id"],
            name=op.f("fk_hold_returns_tenant_id_hold_id_holds"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_hold_returns")),
        sa.UniqueConstraint(
            "tenant_id",
            "hold_id",
            "cause",
            "cause_id",
            "source",
            name=op.f("uq_hold_returns_tenant_id_hold_id_cause_cause_id_source"),
        ),
    )
    own = "tenant_id = current_tenant()"
    op.execute("ALTER TABLE hold_returns ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE hold_returns FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON hold_returns TO marketplace_tenant USING ({own}) WITH CHECK ({own})")
    op.execute("CREATE POLICY staff ON hold_returns TO marketplace_staff USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT ON hold_returns TO marketplace_tenant, marketplace_staff")
