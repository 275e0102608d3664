"""Events that correct others, refused events, and meters that are made and laid down by the operator.

Follows 0022. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
TABLES = ("event_corrections", "rejected_events")


class TransactionId(sa.types.UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    def get_col_spec(self, **_: object) -> str:
        """Return the column type's name."""
        return "xid8"


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("meters", sa.Column("allow_negative", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column(
        "meters", sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())
    )
    op.add_column("meters", sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "event_corrections",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("corrected_source", sa.String(length=200), nullable=False),
        sa.Column("corrected_id", sa.String(length=200), nullable=False),
        sa.Column("void", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("written_in", TransactionId(), nullable=False, server_default=sa.text("pg_current_xact_id()")),
        sa.CheckConstraint(
            "(source, event_id) <> (corrected_source, corrected_id)", name=op.f("ck_event_corrections_not_itself")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "source", "event_id"],
            ["usage_events.tenant_id", "usage_events.source", "usage_events.event_id"],
            name=op.f("fk_event_corrections_tenant_id_source_event_id_usage_events"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "corrected_source", "corrected_id"],
            ["usage_events.tenant_id", "usage_events.source", "usage_events.event_id"],
            name="fk_event_corrections_corrected",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "source", "event_id", name=op.f("pk_event_corrections")),
        sa.UniqueConstraint(
            "tenant_id",
            "corrected_source",
            "corrected_id",
            name=op.f("uq_event_corrections_tenant_id_corrected_source_corrected_id"),
        ),
    )
    op.create_index(op.f("ix_event_corrections_written_in"), "event_corrections", ["written_in"])
    op.create_table(
        "rejected_events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("field", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_rejected_events")),
    )
    op.create_index(op.f("ix_rejected_events_tenant_id_received_at"), "rejected_events", ["tenant_id", "received_at"])
    op.create_index(op.f("ix_rejected_events_received_at"), "rejected_events", ["received_at"])
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO marketplace_tenant, marketplace_staff")
