"""Places of companies on parks' lists, claims with a lease, and companies that asked not to be contacted.

Follows 0059. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
STAGES = "'claimed', 'contacted', 'visited', 'signed', 'lost', 'released', 'suppressed'"
OWN = {"lead_places": "park_id", "lead_claims": "park_id", "listed_leads": "tenant_id"}
GRANTS = {
    "lead_places": ("SELECT", "SELECT, INSERT"),
    "listed_leads": ("SELECT", "SELECT, INSERT"),
    "lead_claims": (
        "SELECT, INSERT, UPDATE (stage, ends_at, changed_by, changed_at)",
        "SELECT, INSERT, UPDATE (stage, ends_at, changed_by, changed_at)",
    ),
    "lead_suppressions": ("SELECT", "SELECT, INSERT, UPDATE (lifted_by, lifted_at)"),
}


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _places()
    _claims()
    _suppressions()
    for table, column in OWN.items():
        own = f"{column} = current_tenant()"
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({own}) WITH CHECK ({own})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
    for table, (tenant, staff) in GRANTS.items():
        op.execute(f"GRANT {tenant} ON {table} TO marketplace_tenant")
        op.execute(f"GRANT {staff} ON {table} TO marketplace_staff")


def _places() -> None:
    op.create_table(
        "lead_places",
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("place", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("park_id", sa.Uuid(), nullable=False),
        sa.Column("listed_at", MOMENT, nullable=False),
        sa.CheckConstraint("place BETWEEN 1 AND 5", name=op.f("ck_lead_places_place")),
        sa.PrimaryKeyConstraint("uscc", "place", name=op.f("pk_lead_places")),
        sa.UniqueConstraint("uscc", "park_id", name=op.f("uq_lead_places_uscc_park_id")),
    )
    op.create_index(op.f("ix_lead_places_park_id_listed_at"), "lead_places", ["park_id", "listed_at"])
    op.create_table(
        "listed_leads",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("explored", sa.Boolean(), nullable=False),
        sa.CheckConstraint("position >= 1", name=op.f("ck_listed_leads_position")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"], ["runs.tenant_id", "runs.id"], name=op.f("fk_listed_leads_tenant_id_run_id_runs")
        ),
        sa.ForeignKeyConstraint(
            ["uscc", "tenant_id"],
            ["lead_places.uscc", "lead_places.park_id"],
            name=op.f("fk_listed_leads_uscc_tenant_id_lead_places"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "uscc", name=op.f("pk_listed_leads")),
        sa.UniqueConstraint("tenant_id", "run_id", "position", name=op.f("uq_listed_leads_tenant_id_run_id_position")),
    )


def _claims() -> None:
    op.create_table(
        "lead_claims",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("park_id", sa.Uuid(), nullable=False),
        sa.Column("claimed_by", sa.Uuid(), nullable=True),
        sa.Column("claimed_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.CheckConstraint(f"stage IN ({STAGES})", name=op.f("ck_lead_claims_stage")),
        sa.CheckConstraint(
            "claimed_at <= ends_at AND ends_at <= claimed_at + interval '720 hours'", name=op.f("ck_lead_claims_lease")
        ),
        sa.ForeignKeyConstraint(
            ["uscc", "park_id"],
            ["lead_places.uscc", "lead_places.park_id"],
            name=op.f("fk_lead_claims_uscc_park_id_lead_places"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lead_claims")),
        sa.UniqueConstraint("id", "park_id", name=op.f("uq_lead_claims_id_park_id")),
    )
    op.execute(
        "ALTER TABLE lead_claims ADD CONSTRAINT ex_lead_claims_one"
        " EXCLUDE USING gist (uscc WITH =, tstzrange(claimed_at, ends_at) WITH &&)"
    )
    op.create_index(op.f("ix_lead_claims_park_id_uscc"), "lead_claims", ["park_id", "uscc"])


def _suppressions() -> None:
    op.create_table(
        "lead_suppressions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("lifted_by", sa.Uuid(), nullable=True),
        sa.Column("lifted_at", MOMENT, nullable=True),
        sa.CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name=op.f("ck_lead_suppressions_lifted")),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_lead_suppressions_reason")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lead_suppressions")),
    )
    op.create_index(
        "uq_lead_suppressions_uscc",
        "lead_suppressions",
        ["uscc"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
