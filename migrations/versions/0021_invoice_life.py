"""The life of an invoice, held by the database: on its way, by two people when it is void, run as a job.

Follows 0020. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_LIFE = """
CREATE FUNCTION guard_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'an invoice is voided, never removed' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT (
        (OLD.status = 'draft' AND NEW.status IN ('finalized', 'paid', 'void'))
        OR (OLD.status = 'finalized' AND NEW.status IN ('paid', 'void')))
    THEN
        RAISE EXCEPTION 'an invoice goes draft -> finalized -> paid | void, not % -> %', OLD.status, NEW.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status = 'void' OR (OLD.status <> 'draft' AND (
        NEW.tenant_id, NEW.id, NEW.legal_entity, NEW.period, NEW.number, NEW.gross_fen, NEW.subsidy_fen,
        NEW.payable_fen, NEW.vat_fen, NEW.due_on, NEW.created_at, NEW.finalized_at, NEW.finalized_by)
        IS DISTINCT FROM (
        OLD.tenant_id, OLD.id, OLD.legal_entity, OLD.period, OLD.number, OLD.gross_fen, OLD.subsidy_fen,
        OLD.payable_fen, OLD.vat_fen, OLD.due_on, OLD.created_at, OLD.finalized_at, OLD.finalized_by))
    THEN
        RAISE EXCEPTION 'a finalised invoice is corrected by a credit note, never edited'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.paid_fen < OLD.paid_fen THEN
        RAISE EXCEPTION 'what was paid stays paid' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER life BEFORE UPDATE OR DELETE ON invoices FOR EACH ROW EXECUTE FUNCTION guard_invoice();
CREATE FUNCTION guard_invoice_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.voided AND NOT OLD.voided
        AND to_jsonb(NEW) - 'voided' = to_jsonb(OLD) - 'voided'
        AND EXISTS (SELECT FROM invoices
                    WHERE tenant_id = NEW.tenant_id AND id = NEW.invoice_id AND status = 'void')
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a line changes only when its invoice is void' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER life BEFORE UPDATE OR DELETE ON invoice_lines FOR EACH ROW EXECUTE FUNCTION guard_invoice_line();
"""


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
    op.execute(_LIFE)
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
