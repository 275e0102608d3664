"""Instruments with units, buffers, notice and private ones; maintenance in the exclusion; recorded working days.

Follows 0057. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
TERMS = {
    "units": 1,
    "min_slots": 1,
    "max_slots": 8,
    "before_minutes": 0,
    "after_minutes": 0,
    "min_notice_minutes": 0,
    "max_notice_days": 180,
}
"""What held of every instrument before."""

# A park books what it may see, and never writes maintenance. The function reads under the park's own row security.
SECURITY = """
CREATE FUNCTION may_book(provider uuid, wanted uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM instruments i WHERE i.provider_id = provider AND i.id = wanted)
$$;
ALTER TABLE instruments ENABLE ROW LEVEL SECURITY;
ALTER TABLE instruments FORCE ROW LEVEL SECURITY;
CREATE POLICY named ON instruments FOR SELECT TO marketplace_tenant
    USING (parks IS NULL OR current_tenant() = ANY (parks));
CREATE POLICY staff ON instruments TO marketplace_staff USING (true) WITH CHECK (true);
ALTER TABLE reservations ENABLE ROW LEVEL SECURITY;
ALTER TABLE reservations FORCE ROW LEVEL SECURITY;
CREATE POLICY busy ON reservations FOR SELECT TO marketplace_tenant USING (true);
CREATE POLICY books ON reservations FOR INSERT TO marketplace_tenant
    WITH CHECK (maintenance IS NULL AND may_book(provider_id, instrument_id));
CREATE POLICY frees ON reservations FOR UPDATE TO marketplace_tenant
    USING (maintenance IS NULL) WITH CHECK (maintenance IS NULL AND NOT active);
CREATE POLICY staff ON reservations TO marketplace_staff USING (true) WITH CHECK (true);
"""

NAMES = """
ALTER TABLE bookings NO FORCE ROW LEVEL SECURITY;
UPDATE bookings b SET instrument_name = i.name, region_code = i.region_code
    FROM instruments i WHERE i.provider_id = b.provider_id AND i.id = b.instrument_id;
ALTER TABLE bookings FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _bookings()
    _instruments()
    _reservations()
    _workdays()
    op.execute(SECURITY)


def _bookings() -> None:
    """Keep the instrument's name with the booking: a park may be taken off a private instrument's list."""
    op.add_column("bookings", sa.Column("instrument_name", sa.String(length=200), nullable=True))
    op.add_column("bookings", sa.Column("region_code", sa.String(length=6), nullable=True))
    op.execute(NAMES)
    op.alter_column("bookings", "instrument_name", nullable=False)
    op.alter_column("bookings", "region_code", nullable=False)


def _instruments() -> None:
    for name, usual in TERMS.items():
        kind = sa.Integer() if name == "min_notice_minutes" else sa.SmallInteger()
        op.add_column("instruments", sa.Column(name, kind, nullable=False, server_default=str(usual)))
        op.alter_column("instruments", name, server_default=None)
    op.add_column("instruments", sa.Column("parks", sa.ARRAY(sa.Uuid()), nullable=True))
    op.create_check_constraint(
        op.f("ck_instruments_terms"),
        "instruments",
        "units BETWEEN 1 AND 50 AND min_slots >= 1 AND min_slots <= max_slots AND before_minutes >= 0"
        " AND after_minutes >= 0 AND min_notice_minutes >= 0 AND max_notice_days >= 1",
    )


def _reservations() -> None:
    op.add_column("reservations", sa.Column("unit", sa.SmallInteger(), nullable=False, server_default="1"))
    op.alter_column("reservations", "unit", server_default=None)
    op.add_column("reservations", sa.Column("maintenance", sa.String(length=200), nullable=True))
    op.create_check_constraint(op.f("ck_reservations_unit"), "reservations", "unit >= 1 AND NOT isempty(during)")
    op.drop_constraint("ex_reservations_no_overlap", "reservations")
    op.create_exclude_constraint(
        "ex_reservations_no_overlap",
        "reservations",
        ("provider_id", "="),
        ("instrument_id", "="),
        ("unit", "="),
        ("during", "&&"),
        where=sa.text("active"),
        using="gist",
    )


def _workdays() -> None:
    op.create_table(
        "workdays",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("worked", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_workdays")),
    )
    op.create_table(
        "workday_years",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(length=500), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_workday_years")),
    )
    for table in ("workdays", "workday_years"):
        op.execute(f"GRANT SELECT ON {table} TO marketplace_tenant")
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO marketplace_staff")
