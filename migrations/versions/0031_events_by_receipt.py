"""An index that lists a park's events as they came in, the last first.

Follows 0030. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_index(op.f("ix_usage_events_tenant_id_received_at"), "usage_events", ["tenant_id", "received_at"])
