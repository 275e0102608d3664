"""Disputes of fees of bookings, what was decided on them, and no-shows that do not count any more.

Follows 0067. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0073"
down_revision = "0072"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
MOMENT = sa.DateTime(timezone=True)
PLACES = "number BETWEEN 1 AND 3 AND CASE number WHEN 2 THEN step = 'insisted' ELSE step IN ('accepted', 'refused') END"
# A park's transaction writes the park's own step alone; who decides reaches over all.
GRANTS = """
CREATE POLICY tenant ON attendance_disputes TO marketplace_tenant USING ({own}) WITH CHECK ({own});
CREATE POLICY tenant_reads ON attendance_dispute_steps FOR SELECT TO marketplace_tenant USING ({own});
CREATE POLICY tenant_insists ON attendance_dispute_steps FOR INSERT TO marketplace_tenant WITH CHECK ({own} AND number = 2);
CREATE POLICY tenant ON attendance_excuses FOR SELECT TO marketplace_tenant USING ({own});
GRANT SELECT, INSERT ON attendance_disputes, attendance_dispute_steps TO marketplace_tenant;
GRANT SELECT ON attendance_excuses TO marketplace_tenant;
GRANT SELECT ON attendance_disputes TO marketplace_staff;
GRANT SELECT, INSERT ON attendance_dispute_steps, attendance_excuses TO marketplace_staff;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _disputes()
    _steps()
    op.create_table(
        "attendance_excuses",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("excused_by", sa.Uuid(), nullable=False),
        sa.Column("excused_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "booking_id"],
            ["bookings.tenant_id", "bookings.id"],
            name=op.f("fk_attendance_excuses_tenant_id_booking_id_bookings"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "booking_id", name=op.f("pk_attendance_excuses")),
    )
    op.add_column("suspension_lifts", sa.Column("unfounded", sa.Boolean(), nullable=False, server_default=sa.false()))
    for table in ("attendance_disputes", "attendance_dispute_steps", "attendance_excuses"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
    op.execute(GRANTS.format(own=OWN))


def _disputes() -> None:
    op.create_table(
        "attendance_disputes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fee_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.CheckConstraint("length(reason) >= 1", name=op.f("ck_attendance_disputes_reason")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "fee_id"],
            ["attendance_fees.tenant_id", "attendance_fees.id"],
            name=op.f("fk_attendance_disputes_tenant_id_fee_id_attendance_fees"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_attendance_disputes")),
        sa.UniqueConstraint("tenant_id", "fee_id", name=op.f("uq_attendance_disputes_tenant_id_fee_id")),
    )
    op.create_index(
        op.f("ix_attendance_disputes_provider_id_asked_at"), "attendance_disputes", ["provider_id", "asked_at"]
    )


def _steps() -> None:
    op.create_table(
        "attendance_dispute_steps",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("dispute_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("step", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("taken_by", sa.Uuid(), nullable=False),
        sa.Column("noted_by", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("taken_at", MOMENT, nullable=False),
        sa.Column("return_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(PLACES, name=op.f("ck_attendance_dispute_steps_places")),
        sa.CheckConstraint(
            "step IN ('accepted', 'refused', 'insisted')", name=op.f("ck_attendance_dispute_steps_step")
        ),
        sa.CheckConstraint("taken_by <> ALL (noted_by)", name=op.f("ck_attendance_dispute_steps_four_eyes")),
        sa.CheckConstraint(
            "(step = 'accepted') = (return_id IS NOT NULL)", name=op.f("ck_attendance_dispute_steps_given_back")
        ),
        sa.CheckConstraint("length(reason) >= 1", name=op.f("ck_attendance_dispute_steps_reason")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "dispute_id"],
            ["attendance_disputes.tenant_id", "attendance_disputes.id"],
            name=op.f("fk_attendance_dispute_steps_tenant_id_dispute_id_attendance_disputes"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "return_id"],
            ["line_returns.tenant_id", "line_returns.id"],
            name=op.f("fk_attendance_dispute_steps_tenant_id_return_id_line_returns"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "dispute_id", "number", name=op.f("pk_attendance_dispute_steps")),
    )
