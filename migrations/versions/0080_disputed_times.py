"""Disputes of the times of a booking, what they put right, and the days for a dispute among the rules of attendance.

Follows 0079. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0080"
down_revision = "0079"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
MOMENT = sa.DateTime(timezone=True)
USUAL_DAYS = "15"
"""What held for every fee before this step."""
CLAIMED = (
    ("booking_id", sa.Uuid()),
    ("order_line_id", sa.Uuid()),
    ("came_at", MOMENT),
    ("left_at", MOMENT),
    ("noted_came_at", MOMENT),
    ("noted_left_at", MOMENT),
    ("used_units", sa.Integer()),
    ("overrun_units", sa.Integer()),
    ("claimed_fen", sa.BigInteger()),
)
ABOUT = (
    "(fee_id IS NULL) = (booking_id IS NOT NULL)"
    " AND num_nulls(booking_id, order_line_id, came_at, left_at, overrun_units, claimed_fen) IN (0, 6)"
    " AND (booking_id IS NOT NULL OR num_nonnulls(used_units, noted_came_at, noted_left_at) = 0)"
)
SECURITY = f"""
ALTER TABLE attendance_corrections ENABLE ROW LEVEL SECURITY;
ALTER TABLE attendance_corrections FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON attendance_corrections FOR SELECT TO marketplace_tenant USING ({OWN});
CREATE POLICY staff ON attendance_corrections TO marketplace_staff USING (true) WITH CHECK (true);
GRANT SELECT ON attendance_corrections TO marketplace_tenant;
GRANT SELECT, INSERT ON attendance_corrections TO marketplace_staff;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _days("attendance_rules", "dispute_days", "dispute", "dispute_days BETWEEN 5 AND 180")
    _days("attendance_fees", "dispute_days", "dispute", "dispute_days >= 1")
    _days("attendance_disputes", "within_days", "within", "within_days >= 1")
    _claims()
    _steps()
    op.create_table(
        "attendance_corrections",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("came_at", MOMENT, nullable=False),
        sa.Column("left_at", MOMENT, nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("corrected_by", sa.Uuid(), nullable=False),
        sa.Column("corrected_at", MOMENT, nullable=False),
        sa.CheckConstraint("left_at > came_at", name=op.f("ck_attendance_corrections_order")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "booking_id"],
            ["bookings.tenant_id", "bookings.id"],
            name=op.f("fk_attendance_corrections_tenant_id_booking_id_bookings"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "booking_id", name=op.f("pk_attendance_corrections")),
    )
    op.execute(SECURITY)


def _days(table: str, column: str, check: str, rule: str) -> None:
    op.add_column(table, sa.Column(column, sa.Integer(), nullable=False, server_default=USUAL_DAYS))
    op.alter_column(table, column, server_default=None)
    op.create_check_constraint(op.f(f"ck_{table}_{check}"), table, rule)


def _claims() -> None:
    for name, kind in CLAIMED:
        op.add_column("attendance_disputes", sa.Column(name, kind, nullable=True))
    op.alter_column("attendance_disputes", "fee_id", nullable=True)
    op.create_check_constraint(op.f("ck_attendance_disputes_about"), "attendance_disputes", ABOUT)
    op.create_check_constraint(
        op.f("ck_attendance_disputes_claim"),
        "attendance_disputes",
        "left_at > came_at AND claimed_fen >= 0 AND overrun_units >= 0 AND used_units >= 1",
    )
    op.create_unique_constraint(
        op.f("uq_attendance_disputes_tenant_id_booking_id"), "attendance_disputes", ["tenant_id", "booking_id"]
    )


def _steps() -> None:
    op.add_column(
        "attendance_dispute_steps", sa.Column("corrected", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.alter_column("attendance_dispute_steps", "corrected", server_default=None)
    op.add_column("attendance_dispute_steps", sa.Column("use_return_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_attendance_dispute_steps_tenant_id_use_return_id_line_returns"),
        "attendance_dispute_steps",
        "line_returns",
        ["tenant_id", "use_return_id"],
        ["tenant_id", "id"],
    )
    op.drop_constraint(op.f("ck_attendance_dispute_steps_given_back"), "attendance_dispute_steps")
    op.create_check_constraint(
        op.f("ck_attendance_dispute_steps_given_back"),
        "attendance_dispute_steps",
        "(step = 'accepted') = (return_id IS NOT NULL OR corrected) AND (use_return_id IS NULL OR corrected)",
    )
