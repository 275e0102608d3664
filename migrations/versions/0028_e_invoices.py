"""E-invoices: layouts of issuing requests, what was asked for, and what the tax bureau issued.

Follows 0027. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "e_invoice_layouts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("layout", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_e_invoice_layouts")),
    )
    op.execute("GRANT SELECT, INSERT ON e_invoice_layouts TO marketplace_staff")
    op.create_table(
        "e_invoice_requests",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoices.tenant_id", "invoices.id"],
            name=op.f("fk_e_invoice_requests_tenant_id_invoice_id_invoices"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "invoice_id", name=op.f("pk_e_invoice_requests")),
    )
    op.create_table(
        "e_invoices",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("document_no", sa.String(length=64), nullable=False),
        sa.Column("blue_number", sa.String(length=20), nullable=True),
        sa.Column("credit_note_id", sa.Uuid(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("gross_fen", sa.BigInteger(), nullable=False),
        sa.Column("vat_fen", sa.BigInteger(), nullable=False),
        sa.Column("evidence_id", sa.Uuid(), nullable=False),
        sa.Column("imported_by", sa.Uuid(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number ~ '^[0-9]{20}$'", name=op.f("ck_e_invoices_number")),
        sa.CheckConstraint("(gross_fen < 0) = (blue_number IS NOT NULL)", name=op.f("ck_e_invoices_red")),
        sa.CheckConstraint("(blue_number IS NULL) = (credit_note_id IS NULL)", name=op.f("ck_e_invoices_credit_note")),
        sa.CheckConstraint("gross_fen <> 0", name=op.f("ck_e_invoices_amount")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoices.tenant_id", "invoices.id"],
            name=op.f("fk_e_invoices_tenant_id_invoice_id_invoices"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "evidence_id"],
            ["evidence_files.tenant_id", "evidence_files.id"],
            name=op.f("fk_e_invoices_tenant_id_evidence_id_evidence_files"),
        ),
        sa.ForeignKeyConstraint(
            ["blue_number"], ["e_invoices.number"], name=op.f("fk_e_invoices_blue_number_e_invoices")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "credit_note_id", "invoice_id"],
            ["credit_notes.tenant_id", "credit_notes.id", "credit_notes.invoice_id"],
            name=op.f("fk_e_invoices_tenant_id_credit_note_id_invoice_id_credit_notes"),
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_e_invoices")),
        sa.UniqueConstraint("document_no", name=op.f("uq_e_invoices_document_no")),
    )
    op.create_index(op.f("ix_e_invoices_tenant_id_invoice_id"), "e_invoices", ["tenant_id", "invoice_id"])
    op.execute("ALTER TABLE e_invoice_requests FORCE ROW LEVEL SECURITY")
    for table in ("e_invoice_requests", "e_invoices"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT ON {table} TO marketplace_tenant")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO marketplace_staff")
