"""Input–output tables and tables of industries' needs, which positionings stand on.

Follows 0052. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "reference_tables",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("licence", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("imported_by", sa.Uuid(), nullable=False),
        sa.Column("imported_at", MOMENT, nullable=False),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=True),
        sa.Column("withdrawn_at", MOMENT, nullable=True),
        sa.CheckConstraint("kind IN ('input_output', 'industry_demands')", name=op.f("ck_reference_tables_kind")),
        sa.CheckConstraint("year BETWEEN 1980 AND 2100", name=op.f("ck_reference_tables_year")),
        sa.CheckConstraint(
            "(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name=op.f("ck_reference_tables_withdrawn")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference_tables")),
    )
    op.create_index(
        "uq_reference_tables_kind_sha256",
        "reference_tables",
        ["kind", "sha256"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.execute("GRANT SELECT ON reference_tables TO marketplace_tenant")
    op.execute("GRANT SELECT, INSERT, UPDATE (withdrawn_by, withdrawn_at) ON reference_tables TO marketplace_staff")
