"""Policy versions tried on past orders.

Follows 0017. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "simulations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("period_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_to", sa.DateTime(timezone=True), nullable=False),
        sa.Column("with_funds", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("orders_total", sa.Integer(), nullable=False),
        sa.Column("orders_done", sa.Integer(), nullable=False),
        sa.Column("result", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('queued', 'done')", name=op.f("ck_simulations_status")),
        sa.CheckConstraint("period_to > period_from", name=op.f("ck_simulations_period")),
        sa.CheckConstraint("orders_done BETWEEN 0 AND orders_total", name=op.f("ck_simulations_progress")),
        sa.CheckConstraint("(status = 'done') = (result IS NOT NULL)", name=op.f("ck_simulations_result")),
        sa.ForeignKeyConstraint(
            ["programme_id", "version"],
            ["policy_versions.programme_id", "policy_versions.version"],
            name=op.f("fk_simulations_programme_id_version_policy_versions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_simulations")),
    )
    op.create_index(
        op.f("ix_simulations_programme_id_version_requested_at"),
        "simulations",
        ["programme_id", "version", "requested_at"],
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON simulations TO marketplace_staff")
    op.create_index(op.f("ix_orders_placed_at"), "orders", ["placed_at"])
