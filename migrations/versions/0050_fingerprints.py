"""The hash of all that a run's answer depends on, so that the same question finds the answer it had.

Follows 0049. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("runs", sa.Column("fingerprint", sa.String(length=64), nullable=True))
    op.create_index(op.f("ix_runs_tenant_id_fingerprint"), "runs", ["tenant_id", "fingerprint"])
