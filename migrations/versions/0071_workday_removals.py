"""A recorded working day can be taken back: who did so, when and why stays with it.

Follows 0070. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("workdays", sa.Column("removed_by", sa.Uuid(), nullable=True))
    op.add_column("workdays", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("workdays", sa.Column("removed_why", sa.String(length=200), nullable=True))
    op.create_check_constraint(
        op.f("ck_workdays_removed"),
        "workdays",
        "(removed_at IS NULL) = (removed_why IS NULL) AND (removed_by IS NULL OR removed_at IS NOT NULL)",
    )
