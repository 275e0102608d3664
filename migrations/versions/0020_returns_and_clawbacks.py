"""Delivered services that are returned, and public money that is asked back: from whom, why, and what of it came.

Follows 0019. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.drop_constraint(op.f("ck_payments_method"), "payments", type_="check")
    op.create_check_constraint(
        op.f("ck_payments_method"), "payments", "method IN ('bank_transfer', 'wallet', 'return')"
    )
    op.create_table(
        "line_returns",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("rated_usage_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("gross_fen", sa.BigInteger(), nullable=False),
        sa.Column("payable_fen", sa.BigInteger(), nullable=False),
        sa.Column("before_fen", sa.BigInteger(), nullable=False),
        sa.Column("park_before_fen", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("park_fen", sa.BigInteger(), nullable=False),
        sa.Column("public_fen", sa.BigInteger(), nullable=False),
        sa.Column("vat_fen", sa.BigInteger(), nullable=False),
        sa.Column("to_invoice_fen", sa.BigInteger(), nullable=False),
        sa.Column("to_wallet_fen", sa.BigInteger(), nullable=False),
        sa.Column("waiting_fen", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_fen", sa.BigInteger(), nullable=False),
        sa.Column("recalled_fen", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=True),
        sa.Column("cause", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("agreement", sa.String(length=200), nullable=False),
        sa.Column("evidence_id", sa.Uuid(), nullable=True),
        sa.Column("returned_by", sa.Uuid(), nullable=False),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("cause IN ('returned', 'undelivered', 'wrong')", name=op.f("ck_line_returns_cause")),
        sa.CheckConstraint("(to_invoice_fen > 0) <= (invoice_id IS NOT NULL)", name=op.f("ck_line_returns_invoice")),
        sa.CheckConstraint(
            "amount_fen > 0 AND amount_fen = park_fen + public_fen", name=op.f("ck_line_returns_two_payers")
        ),
        sa.CheckConstraint(
            "before_fen >= 0 AND before_fen + amount_fen <= gross_fen", name=op.f("ck_line_returns_at_most_the_price")
        ),
        sa.CheckConstraint(
            "least(park_fen, public_fen, to_invoice_fen, to_wallet_fen, waiting_fen, withdrawn_fen, recalled_fen) >= 0",
            name=op.f("ck_line_returns_not_negative"),
        ),
        sa.CheckConstraint(
            "park_before_fen >= 0 AND park_before_fen + park_fen <= payable_fen",
            name=op.f("ck_line_returns_at_most_the_parks_part"),
        ),
        sa.CheckConstraint(
            "park_fen = to_invoice_fen + to_wallet_fen + waiting_fen", name=op.f("ck_line_returns_park_part")
        ),
        sa.CheckConstraint("public_fen = withdrawn_fen + recalled_fen", name=op.f("ck_line_returns_public_part")),
        sa.CheckConstraint("vat_fen BETWEEN 0 AND amount_fen", name=op.f("ck_line_returns_vat")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "evidence_id"],
            ["evidence_files.tenant_id", "evidence_files.id"],
            name=op.f("fk_line_returns_tenant_id_evidence_id_evidence_files"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoices.tenant_id", "invoices.id"],
            name=op.f("fk_line_returns_tenant_id_invoice_id_invoices"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "rated_usage_id"],
            ["rated_usage.tenant_id", "rated_usage.id"],
            name=op.f("fk_line_returns_tenant_id_rated_usage_id_rated_usage"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_line_returns")),
        sa.UniqueConstraint(
            "tenant_id", "order_line_id", "number", name=op.f("uq_line_returns_tenant_id_order_line_id_number")
        ),
    )
    op.create_table(
        "clawbacks",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("return_id", sa.Uuid(), nullable=True),
        sa.Column("cause", sa.String(length=64), nullable=False),
        sa.Column("bearer", sa.String(length=64), nullable=False),
        sa.Column("bearer_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("evidence_id", sa.Uuid(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_note", sa.String(length=500), nullable=False),
        sa.Column("withdrawn_fen", sa.BigInteger(), nullable=False),
        sa.Column("to_fund_fen", sa.BigInteger(), nullable=False),
        sa.Column("to_seller_fen", sa.BigInteger(), nullable=False),
        sa.Column("sale_back_fen", sa.BigInteger(), nullable=False),
        sa.Column("vat_fen", sa.BigInteger(), nullable=False),
        sa.Column("repaid_fund_fen", sa.BigInteger(), nullable=False),
        sa.Column("repaid_seller_fen", sa.BigInteger(), nullable=False),
        sa.Column("written_off_fen", sa.BigInteger(), nullable=False),
        sa.Column("write_off_reason", sa.String(length=500), nullable=True),
        sa.Column("write_off_by", sa.Uuid(), nullable=True),
        sa.Column("write_off_approved_by", sa.Uuid(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'opened') = (decided_by IS NULL)", name=op.f("ck_clawbacks_decision")),
        sa.CheckConstraint(
            "(status = 'written_off') = (write_off_approved_by IS NOT NULL)", name=op.f("ck_clawbacks_write_off")
        ),
        sa.CheckConstraint(
            "bearer = 'provider' OR bearer_id = tenant_id", name=op.f("ck_clawbacks_bearer_is_the_park")
        ),
        sa.CheckConstraint("bearer IN ('park', 'provider')", name=op.f("ck_clawbacks_bearer")),
        sa.CheckConstraint(
            "cause = 'fraud' OR bearer = CASE cause WHEN 'ineligible' THEN 'park' ELSE 'provider' END",
            name=op.f("ck_clawbacks_bearer_follows_cause"),
        ),
        sa.CheckConstraint(
            "cause IN ('ineligible', 'returned', 'undelivered', 'fraud')", name=op.f("ck_clawbacks_cause")
        ),
        sa.CheckConstraint(
            "status <> 'closed' OR (repaid_fund_fen = to_fund_fen AND repaid_seller_fen = to_seller_fen)",
            name=op.f("ck_clawbacks_closed"),
        ),
        sa.CheckConstraint("status <> 'dismissed' OR return_id IS NULL", name=op.f("ck_clawbacks_a_return_stands")),
        sa.CheckConstraint(
            "status IN ('opened', 'dismissed', 'upheld', 'closed', 'written_off')", name=op.f("ck_clawbacks_status")
        ),
        sa.CheckConstraint(
            "written_off_fen = CASE status WHEN 'written_off' THEN to_fund_fen + to_seller_fen - repaid_fund_fen - repaid_seller_fen ELSE 0 END",
            name=op.f("ck_clawbacks_written_off"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_clawbacks_positive")),
        sa.CheckConstraint("decided_by IS NULL OR decided_by <> opened_by", name=op.f("ck_clawbacks_four_eyes")),
        sa.CheckConstraint(
            "least(withdrawn_fen, to_fund_fen, to_seller_fen, sale_back_fen, vat_fen, repaid_fund_fen, repaid_seller_fen, written_off_fen) >= 0",
            name=op.f("ck_clawbacks_not_negative"),
        ),
        sa.CheckConstraint("num_nonnulls(return_id, evidence_id) > 0", name=op.f("ck_clawbacks_proved")),
        sa.CheckConstraint(
            "repaid_fund_fen <= to_fund_fen AND repaid_seller_fen <= to_seller_fen", name=op.f("ck_clawbacks_repaid")
        ),
        sa.CheckConstraint("to_seller_fen <= withdrawn_fen", name=op.f("ck_clawbacks_seller")),
        sa.CheckConstraint("withdrawn_fen + to_fund_fen <= amount_fen", name=op.f("ck_clawbacks_at_most_the_case")),
        sa.CheckConstraint(
            "write_off_approved_by IS NULL OR (write_off_by IS NOT NULL AND write_off_approved_by <> write_off_by)",
            name=op.f("ck_clawbacks_write_off_by_two"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "evidence_id"],
            ["evidence_files.tenant_id", "evidence_files.id"],
            name=op.f("fk_clawbacks_tenant_id_evidence_id_evidence_files"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "return_id"],
            ["line_returns.tenant_id", "line_returns.id"],
            name=op.f("fk_clawbacks_tenant_id_return_id_line_returns"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_clawbacks")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_clawbacks_tenant_id_number")),
        sa.UniqueConstraint("tenant_id", "return_id", name=op.f("uq_clawbacks_tenant_id_return_id")),
    )
    op.create_index(op.f("ix_clawbacks_opened_at"), "clawbacks", ["opened_at"], unique=False)
    op.create_index(
        op.f("ix_clawbacks_tenant_id_order_line_id"), "clawbacks", ["tenant_id", "order_line_id"], unique=False
    )
    op.create_table(
        "clawback_parts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("clawback_id", sa.Uuid(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_fen", sa.BigInteger(), nullable=False),
        sa.Column("recalled_fen", sa.BigInteger(), nullable=False),
        sa.Column("repaid_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_clawback_parts_positive")),
        sa.CheckConstraint(
            "least(withdrawn_fen, recalled_fen, repaid_fen) >= 0", name=op.f("ck_clawback_parts_not_negative")
        ),
        sa.CheckConstraint(
            "withdrawn_fen + recalled_fen <= amount_fen AND repaid_fen <= recalled_fen",
            name=op.f("ck_clawback_parts_parts"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "clawback_id"],
            ["clawbacks.tenant_id", "clawbacks.id"],
            name=op.f("fk_clawback_parts_tenant_id_clawback_id_clawbacks"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "hold_id"],
            ["holds.tenant_id", "holds.id"],
            name=op.f("fk_clawback_parts_tenant_id_hold_id_holds"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "clawback_id", "hold_id", name=op.f("pk_clawback_parts")),
    )
    op.create_table(
        "clawback_repayments",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clawback_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("method IN ('treasury', 'wallet')", name=op.f("ck_clawback_repayments_method")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_clawback_repayments_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "clawback_id"],
            ["clawbacks.tenant_id", "clawbacks.id"],
            name=op.f("fk_clawback_repayments_tenant_id_clawback_id_clawbacks"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_clawback_repayments")),
        sa.UniqueConstraint(
            "tenant_id", "method", "reference", name=op.f("uq_clawback_repayments_tenant_id_method_reference")
        ),
    )
    own = "tenant_id = current_tenant()"
    for table in ("line_returns", "clawbacks", "clawback_parts", "clawback_repayments"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({own}) WITH CHECK ({own})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        # A park reads its own cases; staff alone make them.
        op.execute(f"GRANT SELECT ON {table} TO marketplace_tenant")
    op.execute("GRANT SELECT, INSERT ON line_returns, clawback_repayments TO marketplace_staff")
    op.execute("GRANT SELECT, INSERT, UPDATE ON clawbacks, clawback_parts TO marketplace_staff")
