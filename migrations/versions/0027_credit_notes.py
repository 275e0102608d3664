"""Credit notes: what of an invoice is taken back, numbered within their own series; each names the return it documents.

Follows 0026. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

# What was returned before there were credit notes gets its own: one for each return of a line on an invoice.
_BACKFILL = """
WITH made AS (
    SELECT r.*, l.invoice_id AS of_invoice, l.line, i.legal_entity,
           extract(year FROM r.returned_at AT TIME ZONE 'Asia/Shanghai')::integer AS year,
           row_number() OVER (PARTITION BY i.legal_entity, extract(year FROM r.returned_at AT TIME ZONE 'Asia/Shanghai')
                              ORDER BY r.returned_at, r.id) AS serial
    FROM line_returns r
    JOIN invoice_lines l ON l.tenant_id = r.tenant_id AND l.rated_usage_id = r.rated_usage_id AND NOT l.voided
    JOIN invoices i ON i.tenant_id = l.tenant_id AND i.id = l.invoice_id
), noted AS (
    INSERT INTO credit_notes (tenant_id, id, legal_entity, invoice_id, status, number, amount_fen, park_fen, public_fen,
                              vat_fen, by_two, cause, reason, agreement, asked_by, asked_at, decided_by, decided_at)
    SELECT tenant_id, id, legal_entity, of_invoice, 'issued',
           legal_entity || '-CN-' || year || '-' || lpad(serial::text, 6, '0'), amount_fen, park_fen, public_fen,
           vat_fen, false, cause, reason, agreement, returned_by, returned_at, returned_by, returned_at
    FROM made RETURNING id
), lines AS (
    INSERT INTO credit_note_lines (tenant_id, credit_note_id, invoice_line, invoice_id, amount_fen, return_id)
    SELECT tenant_id, id, line, of_invoice, amount_fen, id FROM made WHERE id IN (SELECT id FROM noted) RETURNING 1
)
INSERT INTO credit_note_counters SELECT legal_entity, year, count(*) FROM made GROUP BY legal_entity, year
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "credit_note_counters",
        sa.Column("legal_entity", sa.String(length=64), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("legal_entity", "year", name=op.f("pk_credit_note_counters")),
    )
    op.create_table(
        "credit_notes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("legal_entity", sa.String(length=64), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("park_fen", sa.BigInteger(), nullable=False),
        sa.Column("public_fen", sa.BigInteger(), nullable=False),
        sa.Column("vat_fen", sa.BigInteger(), nullable=False),
        sa.Column("by_two", sa.Boolean(), nullable=False),
        sa.Column("cause", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("agreement", sa.String(length=200), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('asked', 'issued', 'refused')", name=op.f("ck_credit_notes_status")),
        sa.CheckConstraint("cause IN ('returned', 'undelivered', 'wrong')", name=op.f("ck_credit_notes_cause")),
        sa.CheckConstraint("(status = 'issued') = (number IS NOT NULL)", name=op.f("ck_credit_notes_numbered")),
        sa.CheckConstraint("(status = 'asked') = (decided_at IS NULL)", name=op.f("ck_credit_notes_decided")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_credit_notes_positive")),
        sa.CheckConstraint(
            "status <> 'issued' OR amount_fen = park_fen + public_fen", name=op.f("ck_credit_notes_two_payers")
        ),
        sa.CheckConstraint(
            "least(park_fen, public_fen, vat_fen) >= 0 AND vat_fen <= amount_fen",
            name=op.f("ck_credit_notes_not_negative"),
        ),
        sa.CheckConstraint(
            "NOT by_two OR status <> 'issued' OR decided_by <> asked_by", name=op.f("ck_credit_notes_four_eyes")
        ),
        sa.ForeignKeyConstraint(
            ["legal_entity"], ["legal_entities.slug"], name=op.f("fk_credit_notes_legal_entity_legal_entities")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoices.tenant_id", "invoices.id"],
            name=op.f("fk_credit_notes_tenant_id_invoice_id_invoices"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_credit_notes")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_credit_notes_tenant_id_number")),
        sa.UniqueConstraint("tenant_id", "id", "invoice_id", name=op.f("uq_credit_notes_tenant_id_id_invoice_id")),
    )
    op.create_index(op.f("ix_credit_notes_tenant_id_invoice_id"), "credit_notes", ["tenant_id", "invoice_id"])
    op.create_index(op.f("ix_credit_notes_asked_at"), "credit_notes", ["asked_at"])
    op.create_table(
        "credit_note_lines",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("credit_note_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_line", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("return_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_credit_note_lines_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "credit_note_id", "invoice_id"],
            ["credit_notes.tenant_id", "credit_notes.id", "credit_notes.invoice_id"],
            name="fk_credit_note_lines_note",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id", "invoice_line"],
            ["invoice_lines.tenant_id", "invoice_lines.invoice_id", "invoice_lines.line"],
            name="fk_credit_note_lines_invoice_line",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "return_id"],
            ["line_returns.tenant_id", "line_returns.id"],
            name=op.f("fk_credit_note_lines_tenant_id_return_id_line_returns"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "credit_note_id", "invoice_line", name=op.f("pk_credit_note_lines")),
        sa.UniqueConstraint("tenant_id", "return_id", name=op.f("uq_credit_note_lines_tenant_id_return_id")),
    )
    own = "tenant_id = current_tenant()"
    for table in ("credit_notes", "credit_note_lines"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({own}) WITH CHECK ({own})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        # A park reads its own; staff alone issue them.
        op.execute(f"GRANT SELECT ON {table} TO marketplace_tenant")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO marketplace_staff")
    op.execute(
        "GRANT UPDATE (status, number, amount_fen, park_fen, public_fen, vat_fen, decided_by, decided_at) "
        "ON credit_notes TO marketplace_staff"
    )
    op.execute("GRANT UPDATE (amount_fen, return_id) ON credit_note_lines TO marketplace_staff")
    op.execute("GRANT SELECT, INSERT, UPDATE ON credit_note_counters TO marketplace_staff")
    # Row security shows the owner nothing, and an owner that is no superuser may not take the staff's part.
    under_security = ("line_returns", "invoice_lines", "invoices", "credit_notes", "credit_note_lines")
    for table in under_security:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(_BACKFILL)
    for table in under_security:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
