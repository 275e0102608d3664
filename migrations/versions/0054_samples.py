"""Submitted samples: test requests, samples, and chains of custody that are only added to.

Follows 0053. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
MOMENT = sa.DateTime(timezone=True)
CHANGES = {
    "sample_batches": ", UPDATE (status, due_at, received_at, begun_at, closed_by, closed_at, passed, report_sha256,"
    " failure_reason)",
    "samples": "",
    "sample_custody": "",
}
STEPS = "'registered', 'sent', 'received', 'testing', 'reported', 'moved', 'stored', 'returned', 'disposed'"


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _batches()
    _samples()
    _lines()
    for table, changes in CHANGES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT, INSERT{changes} ON {table} TO marketplace_tenant, marketplace_staff")


def _batches() -> None:
    op.create_table(
        "sample_batches",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("tests", postgresql.JSONB(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("round", sa.SmallInteger(), nullable=False),
        sa.Column("retest_of", sa.Uuid(), nullable=True),
        sa.Column("retest_cause", sa.String(length=64), nullable=True),
        sa.Column("retest_reason", sa.String(length=500), nullable=True),
        sa.Column("order_line_id", sa.Uuid(), nullable=True),
        sa.Column("arrive_by", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("ordered_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("received_at", MOMENT, nullable=True),
        sa.Column("begun_at", MOMENT, nullable=True),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("report_sha256", sa.String(length=64), nullable=True),
        sa.Column("failure_reason", sa.String(length=500), nullable=True),
        sa.CheckConstraint(
            "status IN ('registered', 'received', 'testing', 'reported', 'cancelled', 'failed')",
            name=op.f("ck_sample_batches_status"),
        ),
        sa.CheckConstraint("retest_cause IN ('lab_error', 'park_wish')", name=op.f("ck_sample_batches_retest_cause")),
        sa.CheckConstraint(
            "round >= 1 AND (round = 1) = (retest_of IS NULL) AND (retest_of IS NULL) = (retest_cause IS NULL)",
            name=op.f("ck_sample_batches_round"),
        ),
        sa.CheckConstraint(
            "(order_line_id IS NULL) = coalesce(retest_cause = 'lab_error', false)",
            name=op.f("ck_sample_batches_who_pays"),
        ),
        sa.CheckConstraint("(received_at IS NULL) = (due_at IS NULL)", name=op.f("ck_sample_batches_due")),
        sa.CheckConstraint("begun_at IS NULL OR received_at <= begun_at", name=op.f("ck_sample_batches_order")),
        sa.CheckConstraint(
            "CASE status WHEN 'registered' THEN received_at IS NULL WHEN 'received' THEN received_at IS NOT NULL AND"
            " begun_at IS NULL WHEN 'testing' THEN begun_at IS NOT NULL WHEN 'reported' THEN begun_at IS NOT NULL"
            " ELSE true END",
            name=op.f("ck_sample_batches_steps"),
        ),
        sa.CheckConstraint(
            "(status IN ('reported', 'cancelled', 'failed')) = (closed_at IS NOT NULL)",
            name=op.f("ck_sample_batches_closed"),
        ),
        sa.CheckConstraint(
            "(status = 'reported') = (report_sha256 IS NOT NULL)", name=op.f("ck_sample_batches_report")
        ),
        sa.CheckConstraint(
            "(status = 'failed') = (failure_reason IS NOT NULL)", name=op.f("ck_sample_batches_failure")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "retest_of"],
            ["sample_batches.tenant_id", "sample_batches.id"],
            name=op.f("fk_sample_batches_tenant_id_retest_of_sample_batches"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sample_batches")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_sample_batches_tenant_id_number")),
    )
    op.create_index(op.f("ix_sample_batches_provider_id_created_at"), "sample_batches", ["provider_id", "created_at"])
    op.create_index(
        "uq_sample_batches_retest",
        "sample_batches",
        ["tenant_id", "retest_of"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('cancelled', 'failed')"),
    )


def _samples() -> None:
    op.create_table(
        "samples",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("material", sa.String(length=100), nullable=False),
        sa.CheckConstraint("position >= 1", name=op.f("ck_samples_position")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "batch_id"],
            ["sample_batches.tenant_id", "sample_batches.id"],
            name=op.f("fk_samples_tenant_id_batch_id_sample_batches"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_samples")),
        sa.UniqueConstraint("tenant_id", "batch_id", "position", name=op.f("uq_samples_tenant_id_batch_id_position")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_samples_tenant_id_number")),
    )
    op.create_table(
        "sample_custody",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sample_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("condition", sa.String(length=200), nullable=False),
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("noted_by", sa.Uuid(), nullable=True),
        sa.Column("noted_at", MOMENT, nullable=False),
        sa.CheckConstraint(f"step IN ({STEPS})", name=op.f("ck_sample_custody_step")),
        sa.CheckConstraint("person <> '' AND at <= noted_at", name=op.f("ck_sample_custody_named")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "sample_id"],
            ["samples.tenant_id", "samples.id"],
            name=op.f("fk_sample_custody_tenant_id_sample_id_samples"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sample_custody")),
    )
    op.create_index(op.f("ix_sample_custody_tenant_id_sample_id"), "sample_custody", ["tenant_id", "sample_id"])
    op.create_index(
        "uq_sample_custody_step",
        "sample_custody",
        ["tenant_id", "sample_id", "step"],
        unique=True,
        postgresql_where=sa.text("step IN ('registered', 'received', 'testing', 'reported')"),
    )


def _lines() -> None:
    """Let a line be delivered by a test request, and such tests be listed."""
    op.add_column("order_lines", sa.Column("sample_batch_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_order_lines_tenant_id_sample_batch_id_sample_batches"),
        "order_lines",
        "sample_batches",
        ["tenant_id", "sample_batch_id"],
        ["tenant_id", "id"],
    )
    op.drop_constraint(op.f("ck_order_lines_one_delivery"), "order_lines")
    op.create_check_constraint(
        op.f("ck_order_lines_one_delivery"),
        "order_lines",
        "num_nonnulls(run_id, booking_id, site_month_id, sample_batch_id) = 1",
    )
    op.drop_constraint(op.f("ck_offerings_delivery"), "offerings")
    op.create_check_constraint(
        op.f("ck_offerings_delivery"),
        "offerings",
        "delivery IN ('twin', 'schedule', 'leads', 'inspection', 'samples', 'monitoring', 'alarms', 'carbon')",
    )
    op.drop_constraint(op.f("ck_offerings_usage_unit"), "offerings")
    op.create_check_constraint(
        op.f("ck_offerings_usage_unit"), "offerings", "usage_unit IN ('run', 'report', 'hour', 'site_month', 'test')"
    )
