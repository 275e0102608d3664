"""Series of bookings: the rule of repetition, and which occurrence of it a booking is.

Follows 0067. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0069"
down_revision = "0068"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
MOMENT = sa.DateTime(timezone=True)
SECURITY = f"""
ALTER TABLE booking_series ENABLE ROW LEVEL SECURITY;
ALTER TABLE booking_series FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON booking_series TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN});
CREATE POLICY staff ON booking_series TO marketplace_staff USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON booking_series TO marketplace_tenant;
GRANT SELECT ON booking_series TO marketplace_staff;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "booking_series",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_name", sa.String(length=200), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("slots", sa.SmallInteger(), nullable=False),
        sa.Column("every", sa.SmallInteger(), nullable=False),
        sa.Column("unit", sa.String(length=64), nullable=False),
        sa.Column("count", sa.SmallInteger(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("choice", sa.String(length=64), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.CheckConstraint("unit IN ('day', 'week')", name=op.f("ck_booking_series_unit")),
        sa.CheckConstraint("choice IN ('all', 'free')", name=op.f("ck_booking_series_choice")),
        sa.CheckConstraint(
            "slots >= 1 AND every >= 1 AND num_nonnulls(count, until) = 1", name=op.f("ck_booking_series_rule")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_booking_series")),
    )
    op.execute(SECURITY)
    op.add_column("bookings", sa.Column("series_id", sa.Uuid(), nullable=True))
    op.add_column("bookings", sa.Column("series_number", sa.SmallInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_bookings_tenant_id_series_id_booking_series"),
        "bookings",
        "booking_series",
        ["tenant_id", "series_id"],
        ["tenant_id", "id"],
    )
    op.create_check_constraint(
        op.f("ck_bookings_series"), "bookings", "(series_id IS NULL) = (series_number IS NULL) AND series_number >= 1"
    )
    op.create_index(
        "uq_bookings_occurrence",
        "bookings",
        ["tenant_id", "series_id", "series_number"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('cancelled', 'failed')"),
    )
