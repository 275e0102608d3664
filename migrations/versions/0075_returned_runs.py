"""A run whose price was given back answers no further order for nothing.

Follows 0067. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0075"
down_revision = "0074"
branch_labels = None
depends_on = None

# What was wholly returned before: the last return of a line tells what came back in all.
RETURNED = """
UPDATE runs SET returned_at = back.at FROM (
    SELECT tenant_id, order_line_id, max(returned_at) AS at FROM line_returns
    WHERE before_fen + amount_fen >= gross_fen GROUP BY tenant_id, order_line_id) back
WHERE runs.tenant_id = back.tenant_id AND runs.order_line_id = back.order_line_id
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("runs", sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(RETURNED)
