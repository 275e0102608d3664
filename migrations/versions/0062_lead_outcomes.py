"""What came of listed companies, recorded by parks; and the score with which a company was listed.

Follows 0060. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
OUTCOMES = "'contacted', 'visited', 'signed', 'lost', 'withdrawn'"
REASONS = "'no_plan', 'price', 'location', 'supply', 'elsewhere', 'unreachable', 'other'"


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("listed_leads", sa.Column("score", sa.Numeric(14, 6), nullable=True))
    op.create_table(
        "lead_outcomes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("position", sa.SmallInteger(), nullable=True),
        sa.Column("explored", sa.Boolean(), nullable=True),
        sa.Column("score", sa.Numeric(14, 6), nullable=True),
        sa.Column("model", JSONB(), nullable=True),
        sa.CheckConstraint(f"outcome IN ({OUTCOMES})", name=op.f("ck_lead_outcomes_outcome")),
        sa.CheckConstraint(f"reason IN ({REASONS})", name=op.f("ck_lead_outcomes_reason")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_lead_outcomes_number")),
        sa.CheckConstraint("reason IS NULL OR outcome = 'lost'", name=op.f("ck_lead_outcomes_lost")),
        sa.CheckConstraint(
            "(run_id IS NULL) = (position IS NULL) AND (run_id IS NULL) = (explored IS NULL)"
            " AND (run_id IS NOT NULL OR (score IS NULL AND model IS NULL))",
            name=op.f("ck_lead_outcomes_evidence"),
        ),
        sa.ForeignKeyConstraint(
            ["uscc", "tenant_id"],
            ["lead_places.uscc", "lead_places.park_id"],
            name=op.f("fk_lead_outcomes_uscc_tenant_id_lead_places"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"], ["runs.tenant_id", "runs.id"], name=op.f("fk_lead_outcomes_tenant_id_run_id_runs")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "uscc", "number", name=op.f("pk_lead_outcomes")),
    )
    op.create_index(op.f("ix_lead_outcomes_recorded_at"), "lead_outcomes", ["recorded_at"])
    op.execute("ALTER TABLE lead_outcomes ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE lead_outcomes FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant ON lead_outcomes TO marketplace_tenant"
        " USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())"
    )
    op.execute("CREATE POLICY staff ON lead_outcomes TO marketplace_staff USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT ON lead_outcomes TO marketplace_tenant")
    op.execute("GRANT SELECT ON lead_outcomes TO marketplace_staff")
