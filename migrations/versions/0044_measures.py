"""Policies, funds and laboratories that enterprises are matched with.

Follows 0043. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "measure_groups",
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("mode", sa.String(length=64), nullable=False),
        sa.Column("cap_fen", sa.BigInteger(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("mode IN ('SUM', 'MAX', 'EXCLUSIVE')", name=op.f("ck_measure_groups_mode")),
        sa.CheckConstraint("cap_fen > 0", name=op.f("ck_measure_groups_cap")),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_measure_groups")),
    )
    op.create_table(
        "measures",
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("region_code", sa.String(length=6), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("group_slug", sa.String(length=64), nullable=True),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("kind IN ('policy', 'fund', 'laboratory')", name=op.f("ck_measures_kind")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_measures_version")),
        sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_measures_order")),
        sa.ForeignKeyConstraint(
            ["group_slug"], ["measure_groups.slug"], name=op.f("fk_measures_group_slug_measure_groups")
        ),
        sa.PrimaryKeyConstraint("slug", "version", name=op.f("pk_measures")),
    )
    op.create_index(op.f("ix_measures_group_slug"), "measures", ["group_slug"])
    op.execute(
        "ALTER TABLE measures ADD CONSTRAINT ex_measures_one_at_a_time"
        " EXCLUDE USING gist (slug WITH =, daterange(valid_from, valid_to) WITH &&)"
    )
    op.execute("GRANT SELECT ON measures, measure_groups TO marketplace_tenant")
    op.execute("GRANT SELECT, INSERT ON measures, measure_groups TO marketplace_staff")
    op.execute("GRANT UPDATE (valid_to, ended_by) ON measures TO marketplace_staff")
