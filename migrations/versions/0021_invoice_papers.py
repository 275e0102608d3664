"""Who issues invoices, the accounts that parks pay into, and batches of invoices.

Follows 0020. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

OWN_BATCH = "park_id = current_tenant()"
OWN_PART = (
    "tenant_id = current_tenant() "
    "AND EXISTS (SELECT FROM invoice_batches WHERE id = batch_id AND park_id = current_tenant())"
)


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _issuers()
    _batches()


def _issuers() -> None:
    op.create_table(
        "invoice_issuers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("legal_entity", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("phone", sa.String(length=64), nullable=False),
        sa.Column("bank", sa.String(length=200), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by", sa.Uuid(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(confirmed_by IS NULL) = (confirmed_at IS NULL)", name=op.f("ck_invoice_issuers_confirmed")
        ),
        sa.CheckConstraint("confirmed_by <> proposed_by", name=op.f("ck_invoice_issuers_two_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_issuers")),
    )
    op.create_index(
        op.f("ix_invoice_issuers_legal_entity_confirmed_at"), "invoice_issuers", ["legal_entity", "confirmed_at"]
    )
    op.execute("GRANT SELECT ON invoice_issuers TO marketplace_tenant, marketplace_staff")
    op.execute("GRANT INSERT, UPDATE (confirmed_by, confirmed_at) ON invoice_issuers TO marketplace_staff")
    op.create_table(
        "virtual_accounts",
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("assigned_by", sa.Uuid(), nullable=False),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("account ~ '^[0-9]{8,40}$'", name=op.f("ck_virtual_accounts_digits")),
        sa.CheckConstraint("(ended_by IS NULL) = (ended_at IS NULL)", name=op.f("ck_virtual_accounts_ended")),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_virtual_accounts")),
    )
    op.create_index(
        "uq_virtual_accounts_of_park",
        "virtual_accounts",
        ["tenant_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    _policies("virtual_accounts", "tenant_id = current_tenant()")
    op.execute("GRANT SELECT ON virtual_accounts TO marketplace_tenant")
    op.execute("GRANT SELECT, INSERT, UPDATE (ended_by, ended_at) ON virtual_accounts TO marketplace_staff")


def _batches() -> None:
    op.create_table(
        "invoice_batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("park_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("first_period", sa.String(length=7), nullable=False),
        sa.Column("last_period", sa.String(length=7), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("kind IN ('pdf', 'xlsx')", name=op.f("ck_invoice_batches_kind")),
        sa.CheckConstraint("status IN ('queued', 'done', 'cancelled')", name=op.f("ck_invoice_batches_status")),
        sa.CheckConstraint("first_period <= last_period", name=op.f("ck_invoice_batches_periods")),
        sa.CheckConstraint("total > 0", name=op.f("ck_invoice_batches_total")),
        sa.CheckConstraint("(status = 'done') = (content IS NOT NULL)", name=op.f("ck_invoice_batches_content")),
        sa.CheckConstraint(
            "num_nonnulls(content, sha256, size_bytes) IN (0, 3)", name=op.f("ck_invoice_batches_hashed")
        ),
        sa.CheckConstraint("(status = 'queued') = (finished_at IS NULL)", name=op.f("ck_invoice_batches_finished")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_batches")),
    )
    op.create_index(op.f("ix_invoice_batches_park_id_requested_at"), "invoice_batches", ["park_id", "requested_at"])
    op.create_table(
        "invoice_batch_parts",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("content IS NULL OR sha256 IS NOT NULL", name=op.f("ck_invoice_batch_parts_hashed")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["invoice_batches.id"], name=op.f("fk_invoice_batch_parts_batch_id_invoice_batches")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoices.tenant_id", "invoices.id"],
            name=op.f("fk_invoice_batch_parts_tenant_id_invoice_id_invoices"),
        ),
        sa.PrimaryKeyConstraint("batch_id", "position", name=op.f("pk_invoice_batch_parts")),
    )
    _policies("invoice_batches", OWN_BATCH)
    _policies("invoice_batch_parts", OWN_PART)
    ends = "status, finished_at, sha256, size_bytes, content"
    both = "marketplace_tenant, marketplace_staff"
    op.execute(f"GRANT SELECT, INSERT, UPDATE ({ends}) ON invoice_batches TO {both}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE (sha256, content) ON invoice_batch_parts TO {both}")


def _policies(table: str, own: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({own}) WITH CHECK ({own})")
    op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
