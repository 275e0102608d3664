"""Quotas of instruments for each park, by version, and the row at which a park's bookings of an instrument take turns.

Follows 0066. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0068"
down_revision = "0067"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
MOMENT = sa.DateTime(timezone=True)
LIMITS = ("week_hours", "week_bookings", "month_hours", "month_bookings")
NUMBERS = (
    "coalesce(week_hours, 1) BETWEEN 1 AND 10000 AND coalesce(month_hours, 1) BETWEEN 1 AND 10000"
    " AND coalesce(week_bookings, 1) BETWEEN 1 AND 1000 AND coalesce(month_bookings, 1) BETWEEN 1 AND 1000"
)
RULES_SECURITY = """
ALTER TABLE quota_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE quota_rules FORCE ROW LEVEL SECURITY;
CREATE POLICY bookable ON quota_rules FOR SELECT TO marketplace_tenant USING (may_book(provider_id, instrument_id));
CREATE POLICY staff ON quota_rules TO marketplace_staff USING (true) WITH CHECK (true);
GRANT SELECT ON quota_rules TO marketplace_tenant;
GRANT SELECT, INSERT ON quota_rules TO marketplace_staff;
"""
TURNS_SECURITY = f"""
ALTER TABLE quota_turns ENABLE ROW LEVEL SECURITY;
ALTER TABLE quota_turns FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON quota_turns TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN});
CREATE POLICY staff ON quota_turns TO marketplace_staff USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON quota_turns TO marketplace_tenant;
GRANT UPDATE (taken_at) ON quota_turns TO marketplace_tenant;
GRANT SELECT ON quota_turns TO marketplace_staff;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "quota_rules",
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from", MOMENT, nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in LIMITS),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", MOMENT, nullable=False),
        sa.CheckConstraint("version >= 1 AND valid_from >= set_at", name=op.f("ck_quota_rules_not_backwards")),
        sa.CheckConstraint(NUMBERS, name=op.f("ck_quota_rules_numbers")),
        sa.ForeignKeyConstraint(
            ["provider_id", "instrument_id"],
            ["instruments.provider_id", "instruments.id"],
            name=op.f("fk_quota_rules_provider_id_instrument_id_instruments"),
        ),
        sa.PrimaryKeyConstraint("provider_id", "instrument_id", "version", name=op.f("pk_quota_rules")),
    )
    op.create_table(
        "quota_turns",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("taken_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "instrument_id", name=op.f("pk_quota_turns")),
    )
    op.create_index(
        op.f("ix_bookings_tenant_id_instrument_id_starts_at"), "bookings", ["tenant_id", "instrument_id", "starts_at"]
    )
    op.execute(RULES_SECURITY)
    op.execute(TURNS_SECURITY)
