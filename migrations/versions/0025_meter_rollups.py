"""Roll-ups of meters and how far they go, and the index that finds the events after their end.

Follows 0024. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


class TransactionId(sa.types.UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    def get_col_spec(self, **_: object) -> str:
        """Return the column type's name."""
        return "xid8"


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_index(
        op.f("ix_usage_events_type_written_in_tenant_id"), "usage_events", ["type", "written_in", "tenant_id"]
    )
    op.create_table(
        "meter_progress",
        sa.Column("meter", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("upto", TransactionId(), nullable=False),
        sa.Column("rolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["meter"], ["meters.slug"], name=op.f("fk_meter_progress_meter_meters")),
        sa.PrimaryKeyConstraint("meter", name=op.f("pk_meter_progress")),
    )
    op.create_table(
        "meter_rollups",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("grain", sa.SmallInteger(), nullable=False),
        sa.Column("bucket", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("groups", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("total", sa.Numeric(), nullable=True),
        sa.Column("least", sa.Numeric(), nullable=True),
        sa.Column("greatest", sa.Numeric(), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("latest", sa.Numeric(), nullable=True),
        sa.Column("latest_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("latest_received", sa.DateTime(timezone=True), nullable=True),
        sa.Column("latest_source", sa.String(length=200), nullable=True),
        sa.Column("latest_event", sa.String(length=200), nullable=True),
        sa.CheckConstraint("grain IN (15, 1440)", name=op.f("ck_meter_rollups_grain")),
        sa.CheckConstraint("events >= 0", name=op.f("ck_meter_rollups_events")),
        sa.ForeignKeyConstraint(["meter"], ["meters.slug"], name=op.f("fk_meter_rollups_meter_meters")),
        sa.PrimaryKeyConstraint("tenant_id", "meter", "epoch", "grain", "bucket", "key", name=op.f("pk_meter_rollups")),
    )
    op.create_index(
        op.f("ix_meter_rollups_meter_epoch_grain_bucket"), "meter_rollups", ["meter", "epoch", "grain", "bucket"]
    )
    op.execute("ALTER TABLE meter_rollups ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE meter_rollups FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant ON meter_rollups FOR SELECT TO marketplace_tenant USING (tenant_id = current_tenant())"
    )
    op.execute("CREATE POLICY staff ON meter_rollups TO marketplace_staff USING (true) WITH CHECK (true)")
    for table in ("meter_progress", "meter_rollups"):
        op.execute(f"GRANT SELECT ON {table} TO marketplace_tenant")
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO marketplace_staff")
