"""Parks that did not come too often are kept out of a provider's new bookings: rules, suspensions, lifts, a policy.

Follows 0066. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
MOMENT = sa.DateTime(timezone=True)
USUAL = {"suspend_after": 3, "suspend_window_days": 90, "suspend_days": 30}
"""What holds for bookings that are made from now on; those that are made agreed to no suspension, and cause none."""

# Shared by every booking of a park at a provider, alone for the suspension that is being noted: of both at once, the
# booking is there before the suspension begins, or it sees it. Each statement of the function sees what has committed.
KEEP_OUT = """
CREATE FUNCTION keeps_its_bookings(park uuid, provider uuid, at timestamptz) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    standing record;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('suspension:' || park::text || ':' || provider::text, 0));
    SELECT s.provider_name, s.no_shows, s.window_days, least(s.ends_at, l.lifted_at) AS until INTO standing
        FROM booking_suspensions s
        LEFT JOIN suspension_lifts l ON l.tenant_id = s.tenant_id AND l.suspension_id = s.id
        WHERE s.tenant_id = park AND s.provider_id = provider
        ORDER BY least(s.ends_at, l.lifted_at) DESC LIMIT 1;
    IF standing.until > at THEN
        RAISE EXCEPTION 'the park is suspended at this provider' USING ERRCODE = 'MK011',
            DETAIL = json_build_object('provider_name', standing.provider_name, 'no_shows', standing.no_shows,
                                       'window_days', standing.window_days, 'until', standing.until)::text;
    END IF;
    RETURN true;
END $$;
CREATE POLICY not_suspended ON bookings AS RESTRICTIVE FOR INSERT TO marketplace_tenant
    WITH CHECK (keeps_its_bookings(tenant_id, provider_id, created_at));
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    for name, usual in USUAL.items():
        op.add_column("attendance_rules", sa.Column(name, sa.Integer(), nullable=False, server_default=str(usual)))
        op.alter_column("attendance_rules", name, server_default=None)
    op.create_check_constraint(
        op.f("ck_attendance_rules_suspension"),
        "attendance_rules",
        "suspend_after >= 0 AND suspend_window_days >= 1 AND suspend_days >= 1",
    )
    op.create_index(
        "ix_bookings_missed",
        "bookings",
        ["tenant_id", "provider_id", "starts_at"],
        postgresql_where=sa.text("status = 'no_show'"),
    )
    _suspensions()
    _lifts()
    for table in ("booking_suspensions", "suspension_lifts"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT ON booking_suspensions TO marketplace_tenant")
    op.execute("GRANT SELECT ON booking_suspensions TO marketplace_staff")
    op.execute("GRANT SELECT ON suspension_lifts TO marketplace_tenant")
    op.execute("GRANT SELECT, INSERT ON suspension_lifts TO marketplace_staff")
    op.execute(KEEP_OUT)


def _suspensions() -> None:
    op.create_table(
        "booking_suspensions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("provider_name", sa.String(length=200), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("booking_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("no_shows", sa.Integer(), nullable=False),
        sa.Column("window_days", sa.Integer(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.CheckConstraint("ends_at > began_at AND window_days >= 1", name=op.f("ck_booking_suspensions_span")),
        sa.CheckConstraint(
            "no_shows >= 1 AND no_shows = cardinality(booking_ids)", name=op.f("ck_booking_suspensions_counted")
        ),
        sa.CheckConstraint("booking_id = ANY (booking_ids)", name=op.f("ck_booking_suspensions_latest")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "booking_id"],
            ["bookings.tenant_id", "bookings.id"],
            name=op.f("fk_booking_suspensions_tenant_id_booking_id_bookings"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_booking_suspensions")),
        sa.UniqueConstraint("tenant_id", "booking_id", name=op.f("uq_booking_suspensions_tenant_id_booking_id")),
    )
    op.create_index(
        op.f("ix_booking_suspensions_tenant_id_provider_id"), "booking_suspensions", ["tenant_id", "provider_id"]
    )
    op.create_index(
        op.f("ix_booking_suspensions_provider_id_began_at"), "booking_suspensions", ["provider_id", "began_at"]
    )


def _lifts() -> None:
    op.create_table(
        "suspension_lifts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("suspension_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.String(length=64), nullable=False),
        sa.Column("lifted_by", sa.Uuid(), nullable=False),
        sa.Column("lifted_at", MOMENT, nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.CheckConstraint("side IN ('provider', 'operator')", name=op.f("ck_suspension_lifts_side")),
        sa.CheckConstraint("length(reason) >= 1", name=op.f("ck_suspension_lifts_reason")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "suspension_id"],
            ["booking_suspensions.tenant_id", "booking_suspensions.id"],
            name=op.f("fk_suspension_lifts_tenant_id_suspension_id_booking_suspensions"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "suspension_id", name=op.f("pk_suspension_lifts")),
    )
