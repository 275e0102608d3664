"""Schedules of processes and batteries: a way of delivery of its own, carried out as runs of an engine.

Follows 0041. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.drop_constraint(op.f("ck_offerings_delivery"), "offerings")
    op.create_check_constraint(
        op.f("ck_offerings_delivery"),
        "offerings",
        "delivery IN ('twin', 'schedule', 'leads', 'inspection', 'monitoring', 'alarms', 'carbon')",
    )
