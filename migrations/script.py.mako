"""${message}.

Follows ${down_revision | comma,n}. Made ${create_date}.
A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    ${upgrades if upgrades else "pass"}
