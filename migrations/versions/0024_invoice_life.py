"""The life of an invoice, held by the database: on its way, by two people when it is void, run as a job.

Follows 0023. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "legal_entities",
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("grace_days", sa.SmallInteger(), nullable=False),
        sa.Column("alone_up_to_fen", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("grace_days BETWEEN 0 AND 27", name=op.f("ck_legal_entities_grace")),
        sa.CheckConstraint("alone_up_to_fen >= 0", name=op.f("ck_legal_entities_alone")),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_legal_entities")),
    )
    op.execute("INSERT INTO legal_entities VALUES ('PTM', '园区技术服务平台', 3, 5000000, NULL, NULL)")
    op.execute("GRANT SELECT ON legal_entities TO marketplace_tenant")
    op.execute("GRANT SELECT, UPDATE ON legal_entities TO marketplace_staff")
    op.create_foreign_key(
        op.f("fk_invoices_legal_entity_legal_entities"), "invoices", "legal_entities", ["legal_entity"], ["slug"]
    )
    op.add_column("invoices", sa.Column("void_reason", sa.String(length=500), nullable=True))
    op.add_column("invoices", sa.Column("void_asked_by", sa.Uuid(), nullable=True))
    op.add_column("invoices", sa.Column("void_asked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("invoices", sa.Column("voided_by", sa.Uuid(), nullable=True))
    op.add_column("invoices", sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True))
    for name, check in (
        ("paid_is_paid", "status IN ('draft', 'void') OR (status = 'paid') = (paid_fen = payable_fen)"),
        ("void_unpaid", "status <> 'void' OR paid_fen = 0"),
        ("void", "(status = 'void') = (voided_by IS NOT NULL)"),
        ("void_by_two", "voided_by IS NULL OR (void_asked_by IS NOT NULL AND void_asked_by <> voided_by)"),
        ("void_asked", "num_nonnulls(void_asked_by, void_asked_at, void_reason) IN (0, 3)"),
    ):
        op.create_check_constraint(op.f(f"ck_invoices_{name}"), "invoices", check)
    op.add_column("invoice_lines", sa.Column("voided", sa.Boolean(), server_default="false", nullable=False))
    op.drop_constraint(op.f("uq_invoice_lines_tenant_id_rated_usage_id"), "invoice_lines", type_="unique")
    op.create_index(
        "uq_invoice_lines_one_a_delivery",
        "invoice_lines",
        ["tenant_id", "rated_usage_id"],
        unique=True,
        postgresql_where=sa.text("NOT voided"),
    )
    # Whether an invoice is void is part of what its lines point to, so they follow it, and free their deliveries.
    op.add_column(
        "invoices", sa.Column("is_void", sa.Boolean(), sa.Computed("status = 'void'", persisted=True), nullable=False)
    )
    op.create_unique_constraint(op.f("uq_invoices_tenant_id_id_is_void"), "invoices", ["tenant_id", "id", "is_void"])
    op.drop_constraint(op.f("fk_invoice_lines_tenant_id_invoice_id_invoices"), "invoice_lines", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_invoice_lines_tenant_id_invoice_id_voided_invoices"),
        "invoice_lines",
        "invoices",
        ["tenant_id", "invoice_id", "voided"],
        ["tenant_id", "id", "is_void"],
        onupdate="CASCADE",
    )
    # Nothing on a finalised invoice or its lines can be changed: there is no right to.
    op.execute("REVOKE UPDATE ON invoices, invoice_lines FROM marketplace_staff")
    op.execute("REVOKE INSERT, UPDATE ON invoices, invoice_lines FROM marketplace_tenant")
    op.execute(
        "GRANT UPDATE (status, paid_fen, void_reason, void_asked_by, void_asked_at, voided_by, voided_at) "
        "ON invoices TO marketplace_staff"
    )
    op.execute("GRANT UPDATE (status, paid_fen) ON invoices TO marketplace_tenant")
    op.create_table(
        "invoice_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("legal_entity", sa.String(length=64), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("parks_total", sa.Integer(), nullable=False),
        sa.Column("parks_done", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('queued', 'done')", name=op.f("ck_invoice_runs_status")),
        sa.CheckConstraint("parks_done BETWEEN 0 AND parks_total", name=op.f("ck_invoice_runs_progress")),
        sa.CheckConstraint("(status = 'done') = (finished_at IS NOT NULL)", name=op.f("ck_invoice_runs_done")),
        sa.ForeignKeyConstraint(
            ["legal_entity"], ["legal_entities.slug"], name=op.f("fk_invoice_runs_legal_entity_legal_entities")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_runs")),
    )
    op.create_index(
        "uq_invoice_runs_one_at_a_time",
        "invoice_runs",
        ["legal_entity", "period"],
        unique=True,
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON invoice_runs TO marketplace_staff")
