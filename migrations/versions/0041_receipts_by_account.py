"""The virtual account that a receipt arrived on, beside the reference in its text.

Follows 0040. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("bank_lines", sa.Column("arrived_on", sa.String(length=64), server_default="", nullable=False))
