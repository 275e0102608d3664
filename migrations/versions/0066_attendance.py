"""Attendance: rules of instruments by version, notes of who came, bookings that keep their terms, and fees of their own.

Follows 0065. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
MOMENT = sa.DateTime(timezone=True)
NUMBERS = (
    "check_in_before_minutes",
    "grace_minutes",
    "free_cancel_minutes",
    "late_cancel_bp",
    "no_show_bp",
    "overrun_unit_minutes",
)
AMOUNT = "amount_fen = CASE kind WHEN 'overrun' THEN units * unit_fen ELSE base_fen * rate_bp / 10000 END"
RULES_SECURITY = """
ALTER TABLE attendance_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE attendance_rules FORCE ROW LEVEL SECURITY;
CREATE POLICY bookable ON attendance_rules FOR SELECT TO marketplace_tenant
    USING (may_book(provider_id, instrument_id));
CREATE POLICY staff ON attendance_rules TO marketplace_staff USING (true) WITH CHECK (true);
GRANT SELECT ON attendance_rules TO marketplace_tenant;
GRANT SELECT, INSERT ON attendance_rules TO marketplace_staff;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _rules()
    _bookings()
    _notes()
    _fees()
    op.execute(RULES_SECURITY)
    for table in ("attendance_notes", "attendance_fees"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO marketplace_tenant, marketplace_staff")


def _rules() -> None:
    op.create_table(
        "attendance_rules",
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from", MOMENT, nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in NUMBERS),
        sa.Column("overrun_fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("metering", sa.String(length=64), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", MOMENT, nullable=False),
        sa.CheckConstraint("metering IN ('booked', 'larger')", name=op.f("ck_attendance_rules_metering")),
        sa.CheckConstraint("version >= 1 AND valid_from >= set_at", name=op.f("ck_attendance_rules_not_backwards")),
        sa.CheckConstraint(
            "least(check_in_before_minutes, grace_minutes, free_cancel_minutes, overrun_fee_fen) >= 0"
            " AND overrun_unit_minutes >= 1 AND late_cancel_bp BETWEEN 0 AND 10000 AND no_show_bp BETWEEN 0 AND 10000",
            name=op.f("ck_attendance_rules_numbers"),
        ),
        sa.ForeignKeyConstraint(
            ["provider_id", "instrument_id"],
            ["instruments.provider_id", "instruments.id"],
            name=op.f("fk_attendance_rules_provider_id_instrument_id_instruments"),
        ),
        sa.PrimaryKeyConstraint("provider_id", "instrument_id", "version", name=op.f("pk_attendance_rules")),
    )


def _bookings() -> None:
    op.add_column("bookings", sa.Column("attendance", postgresql.JSONB(none_as_null=True), nullable=True))
    op.drop_constraint(op.f("ck_bookings_status"), "bookings")
    op.create_check_constraint(
        op.f("ck_bookings_status"), "bookings", "status IN ('booked', 'reported', 'cancelled', 'failed', 'no_show')"
    )
    op.create_index(
        "ix_bookings_awaited",
        "bookings",
        ["starts_at"],
        postgresql_where=sa.text("status = 'booked' AND attendance IS NOT NULL"),
    )


def _notes() -> None:
    op.create_table(
        "attendance_notes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("side", sa.String(length=64), nullable=False),
        sa.Column("noted_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("step IN ('checked_in', 'checked_out', 'no_show')", name=op.f("ck_attendance_notes_step")),
        sa.CheckConstraint("side IN ('park', 'provider', 'platform')", name=op.f("ck_attendance_notes_side")),
        sa.CheckConstraint("(side = 'platform') = (step = 'no_show')", name=op.f("ck_attendance_notes_by_whom")),
        sa.CheckConstraint("side = 'platform' OR noted_by IS NOT NULL", name=op.f("ck_attendance_notes_named")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "booking_id"],
            ["bookings.tenant_id", "bookings.id"],
            name=op.f("fk_attendance_notes_tenant_id_booking_id_bookings"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_attendance_notes")),
    )
    op.create_index("uq_attendance_notes_step", "attendance_notes", ["tenant_id", "booking_id", "step"], unique=True)
    op.create_index(
        "uq_attendance_notes_came",
        "attendance_notes",
        ["tenant_id", "booking_id"],
        unique=True,
        postgresql_where=sa.text("step IN ('checked_in', 'no_show')"),
    )


def _fees() -> None:
    op.create_table(
        "attendance_fees",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("base_fen", sa.BigInteger(), nullable=False),
        sa.Column("rate_bp", sa.Integer(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("unit_fen", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("vat_bp", sa.Integer(), nullable=False),
        sa.Column("charged_at", MOMENT, nullable=False),
        sa.CheckConstraint("kind IN ('late_cancel', 'no_show', 'overrun')", name=op.f("ck_attendance_fees_kind")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_attendance_fees_positive")),
        sa.CheckConstraint(AMOUNT, name=op.f("ck_attendance_fees_by_rule")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_attendance_fees")),
        sa.UniqueConstraint(
            "tenant_id", "booking_id", "kind", name=op.f("uq_attendance_fees_tenant_id_booking_id_kind")
        ),
    )
