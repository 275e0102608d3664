"""How far a meter's roll-ups were found to be what the events add up to.

Follows 0046. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


class TransactionId(sa.types.UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    def get_col_spec(self, **_: object) -> str:
        """Return the column type's name."""
        return "xid8"


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column(
        "meter_progress", sa.Column("checked_upto", TransactionId(), server_default=sa.text("'0'"), nullable=False)
    )
