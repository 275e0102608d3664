"""Bookings that move to another slot or are handed over to a colleague, and the history of both.

Follows 0064. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
OWN = "tenant_id = current_tenant()"
RESPONSIBLE = """
ALTER TABLE bookings NO FORCE ROW LEVEL SECURITY;
UPDATE bookings SET responsible_id = booked_by;
ALTER TABLE bookings FORCE ROW LEVEL SECURITY;
"""
# A park's transaction reads no table of people; it learns the names of its own who may be given something.
COLLEAGUES = """
CREATE FUNCTION active_colleagues(wanted text[], moment timestamptz) RETURNS TABLE (id uuid, name varchar)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    BEGIN ATOMIC
        SELECT DISTINCT u.id, u.name FROM users u JOIN memberships m ON m.user_id = u.id
         WHERE m.organisation_id = current_tenant() AND u.active AND m.role = ANY (wanted)
           AND (m.expires_at IS NULL OR m.expires_at > moment);
    END;
REVOKE ALL ON FUNCTION active_colleagues(text[], timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION active_colleagues(text[], timestamptz) TO marketplace_tenant;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("bookings", sa.Column("revision", sa.SmallInteger(), nullable=False, server_default="0"))
    op.add_column("bookings", sa.Column("changed_at", MOMENT, nullable=True))
    op.add_column("bookings", sa.Column("responsible_id", sa.Uuid(), nullable=True))
    op.execute(RESPONSIBLE)
    op.execute(COLLEAGUES)
    op.create_table(
        "booking_changes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("old_starts_at", MOMENT, nullable=True),
        sa.Column("old_ends_at", MOMENT, nullable=True),
        sa.Column("new_starts_at", MOMENT, nullable=True),
        sa.Column("new_ends_at", MOMENT, nullable=True),
        sa.Column("old_person", sa.Uuid(), nullable=True),
        sa.Column("new_person", sa.Uuid(), nullable=True),
        sa.Column("changed_by", sa.Uuid(), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.CheckConstraint("kind IN ('moved', 'handed_over')", name=op.f("ck_booking_changes_kind")),
        sa.CheckConstraint(
            "num_nonnulls(old_starts_at, old_ends_at, new_starts_at, new_ends_at) = CASE kind WHEN 'moved' THEN 4 ELSE 0 END",
            name=op.f("ck_booking_changes_moved"),
        ),
        sa.CheckConstraint(
            "(kind = 'handed_over') = (new_person IS NOT NULL)", name=op.f("ck_booking_changes_handed_over")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "booking_id"],
            ["bookings.tenant_id", "bookings.id"],
            name=op.f("fk_booking_changes_tenant_id_booking_id_bookings"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_booking_changes")),
        sa.UniqueConstraint(
            "tenant_id", "booking_id", "revision", name=op.f("uq_booking_changes_tenant_id_booking_id_revision")
        ),
    )
    op.execute("ALTER TABLE booking_changes ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE booking_changes FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON booking_changes TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
    op.execute("CREATE POLICY staff ON booking_changes TO marketplace_staff USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT ON booking_changes TO marketplace_tenant, marketplace_staff")
