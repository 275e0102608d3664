"""Statistics read a period's holds and deliveries of all parks: each by its moment.

Follows 0010. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_index(op.f("ix_holds_created_at"), "holds", ["created_at"])
    op.create_index(op.f("ix_rated_usage_rated_at"), "rated_usage", ["rated_at"])
