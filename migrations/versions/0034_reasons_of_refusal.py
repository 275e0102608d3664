"""Why an event was refused, kept as a sentence with its values apart, so that every reader is told in their language.

Follows 0033. What was refused before keeps the sentence it was told. A step freezes its own values: it imports nothing from
the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("rejected_events", sa.Column("reason_values", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
