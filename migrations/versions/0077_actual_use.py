"""Bookings charged by actual use: a third way of metering, and what was booked, not used and given back.

Follows 0076. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0077"
down_revision = "0076"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
FEN = ("gross_fen", "subsidy_fen", "payable_fen", "discount_fen", "agreed_discount_fen")
BOTH = "marketplace_tenant, marketplace_staff"


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.drop_constraint(op.f("ck_attendance_rules_metering"), "attendance_rules")
    op.create_check_constraint(
        op.f("ck_attendance_rules_metering"), "attendance_rules", "metering IN ('booked', 'larger', 'actual')"
    )
    op.create_table(
        "unused_parts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("booked_units", sa.Integer(), nullable=False),
        sa.Column("used_units", sa.Integer(), nullable=False),
        sa.Column("included", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in FEN),
        sa.Column("given_back_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("used_units >= 1 AND used_units < booked_units", name=op.f("ck_unused_parts_units")),
        sa.CheckConstraint("gross_fen = subsidy_fen + payable_fen", name=op.f("ck_unused_parts_two_payers")),
        sa.CheckConstraint(
            "least(gross_fen, subsidy_fen, payable_fen, included, discount_fen, agreed_discount_fen) >= 0",
            name=op.f("ck_unused_parts_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_line_id"],
            ["rated_usage.tenant_id", "rated_usage.order_line_id"],
            name=op.f("fk_unused_parts_tenant_id_order_line_id_rated_usage"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "order_line_id", name=op.f("pk_unused_parts")),
    )
    op.execute("ALTER TABLE unused_parts ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE unused_parts FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON unused_parts TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
    op.execute("CREATE POLICY staff ON unused_parts TO marketplace_staff USING (true) WITH CHECK (true)")
    op.execute(f"GRANT SELECT, INSERT ON unused_parts TO {BOTH}")
    op.execute(f"GRANT UPDATE (amount) ON budget_uses TO {BOTH}")
    op.execute(f"GRANT UPDATE (units, included) ON plan_uses TO {BOTH}")
