"""Editions of the ranking model of leads, one in force at a time, and what happened to each.

Follows 0062. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
STATUSES = "'fitting', 'in_force', 'superseded', 'refused', 'rolled_back', 'failed'"
REFUSALS = "'too_few', 'not_better_than_heuristic', 'worse_than_in_force', 'overtaken'"
STEPS = "'put_in_force', 'superseded', 'refused', 'measured', 'rolled_back', 'put_back', 'failed'"
CHANGED = "status, attempts, stage, progress, finished_at, card, model, sha256, refusal, follows_id"


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "lead_editions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("progress", sa.SmallInteger(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("card", JSONB(), nullable=True),
        sa.Column("model", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("refusal", sa.String(length=64), nullable=True),
        sa.Column("follows_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(f"status IN ({STATUSES})", name=op.f("ck_lead_editions_status")),
        sa.CheckConstraint(f"refusal IN ({REFUSALS})", name=op.f("ck_lead_editions_refusal")),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name=op.f("ck_lead_editions_progress")),
        sa.CheckConstraint("(finished_at IS NULL) = (status = 'fitting')", name=op.f("ck_lead_editions_finished")),
        sa.CheckConstraint("(refusal IS NOT NULL) = (status = 'refused')", name=op.f("ck_lead_editions_refused")),
        sa.CheckConstraint(
            "(model IS NULL) = (sha256 IS NULL) AND (model IS NULL OR card IS NOT NULL)",
            name=op.f("ck_lead_editions_model"),
        ),
        sa.CheckConstraint(
            "model IS NOT NULL OR status IN ('fitting', 'refused', 'failed')", name=op.f("ck_lead_editions_ranks")
        ),
        sa.ForeignKeyConstraint(
            ["follows_id"], ["lead_editions.id"], name=op.f("fk_lead_editions_follows_id_lead_editions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lead_editions")),
        sa.UniqueConstraint("number", name=op.f("uq_lead_editions_number")),
    )
    for status in ("fitting", "in_force"):
        op.create_index(
            f"uq_lead_editions_{status}",
            "lead_editions",
            ["status"],
            unique=True,
            postgresql_where=sa.text(f"status = '{status}'"),
        )
    op.create_table(
        "lead_edition_steps",
        sa.Column("edition_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("step", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("scores", JSONB(), nullable=True),
        sa.CheckConstraint(f"step IN ({STEPS})", name=op.f("ck_lead_edition_steps_step")),
        sa.CheckConstraint(
            "step <> 'put_back' OR (by IS NOT NULL AND reason <> '')", name=op.f("ck_lead_edition_steps_by_hand")
        ),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["lead_editions.id"], name=op.f("fk_lead_edition_steps_edition_id_lead_editions")
        ),
        sa.PrimaryKeyConstraint("edition_id", "number", name=op.f("pk_lead_edition_steps")),
    )
    op.execute("GRANT SELECT ON lead_editions TO marketplace_tenant")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ({CHANGED}) ON lead_editions TO marketplace_staff")
    op.execute("GRANT SELECT, INSERT ON lead_edition_steps TO marketplace_staff")
