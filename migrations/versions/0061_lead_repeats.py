"""What a run, an order line and its rated usage repeat for nothing: the delivery that answered the same question.

Follows 0060. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    for table in ("runs", "order_lines", "rated_usage"):
        op.add_column(table, sa.Column("repeats", sa.Uuid(), nullable=True))
    for table in ("runs", "order_lines"):
        op.create_foreign_key(
            op.f(f"fk_{table}_tenant_id_repeats_runs"), table, "runs", ["tenant_id", "repeats"], ["tenant_id", "id"]
        )
    for table in ("order_lines", "rated_usage"):
        op.create_check_constraint(
            op.f(f"ck_{table}_repeats"), table, "repeats IS NULL OR (gross_fen = 0 AND included = quantity)"
        )
