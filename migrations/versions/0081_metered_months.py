"""A month's metered use is charged when its grace is over: from then on only what came late is looked at.

Follows 0079. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0081"
down_revision = "0080"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("metered_months", sa.Column("charged_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(op.f("ck_metered_months_charged"), "metered_months", "charged_at >= begun_at")
    op.execute("GRANT UPDATE (charged_at) ON metered_months TO marketplace_staff")
