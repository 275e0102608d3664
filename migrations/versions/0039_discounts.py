"""Discounts of parks and tiers, what of them came off orders and invoices, and what one person may grant.

Follows 0033. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _discounts()
    for table in ("order_lines", "rated_usage"):
        op.add_column(table, sa.Column("agreed_discount_fen", sa.BigInteger(), server_default="0", nullable=False))
        op.add_column(table, sa.Column("agreed_discount_id", sa.Uuid(), nullable=True))
        op.create_check_constraint(
            op.f(f"ck_{table}_agreed_discount"),
            table,
            "agreed_discount_fen >= 0 AND (agreed_discount_fen > 0) = (agreed_discount_id IS NOT NULL)",
        )
        op.create_foreign_key(
            op.f(f"fk_{table}_agreed_discount_id_discounts"), table, "discounts", ["agreed_discount_id"], ["id"]
        )
    op.add_column("invoices", sa.Column("discount_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_invoices_discount_id_discounts"), "invoices", "discounts", ["discount_id"], ["id"])
    for table in ("invoices", "invoice_lines"):
        op.add_column(table, sa.Column("discount_fen", sa.BigInteger(), server_default="0", nullable=False))
        op.drop_constraint(op.f(f"ck_{table}_two_payers"), table, type_="check")
        op.create_check_constraint(
            op.f(f"ck_{table}_two_payers"), table, "gross_fen = subsidy_fen + discount_fen + payable_fen"
        )
        op.create_check_constraint(
            op.f(f"ck_{table}_discount"), table, "discount_fen >= 0 AND payable_fen >= 0 AND subsidy_fen >= 0"
        )
    op.create_check_constraint(
        op.f("ck_invoices_discounted"), "invoices", "(discount_fen > 0) = (discount_id IS NOT NULL)"
    )
    op.add_column("legal_entities", sa.Column("discount_alone_bp", sa.Integer(), server_default="1000", nullable=False))
    op.create_check_constraint(
        op.f("ck_legal_entities_discount_alone"), "legal_entities", "discount_alone_bp BETWEEN 0 AND 10000"
    )


def _discounts() -> None:
    op.create_table(
        "discounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("park_id", sa.Uuid(), nullable=True),
        sa.Column("tier", sa.String(length=64), nullable=True),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("rate_bp", sa.Integer(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("valid_from", MOMENT, nullable=False),
        sa.Column("valid_to", MOMENT, nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("by_two", sa.Boolean(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint("num_nonnulls(park_id, tier) = 1", name=op.f("ck_discounts_whose")),
        sa.CheckConstraint("num_nonnulls(rate_bp, amount_fen) = 1", name=op.f("ck_discounts_how_much")),
        sa.CheckConstraint("rate_bp BETWEEN 1 AND 10000", name=op.f("ck_discounts_rate")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_discounts_amount")),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_discounts_window")),
        sa.CheckConstraint("tier IN ('basic', 'enhanced', 'leading')", name=op.f("ck_discounts_tier")),
        sa.CheckConstraint("status IN ('asked', 'in_force', 'refused')", name=op.f("ck_discounts_status")),
        sa.CheckConstraint("(status = 'asked') = (decided_at IS NULL)", name=op.f("ck_discounts_decided")),
        sa.CheckConstraint(
            "NOT by_two OR status <> 'in_force' OR decided_by <> asked_by", name=op.f("ck_discounts_four_eyes")
        ),
        sa.CheckConstraint("(ended_by IS NULL) = (ended_at IS NULL)", name=op.f("ck_discounts_ended")),
        sa.CheckConstraint("ended_at IS NULL OR status = 'in_force'", name=op.f("ck_discounts_ended_in_force")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discounts")),
    )
    op.create_index(op.f("ix_discounts_park_id"), "discounts", ["park_id"])
    op.create_index(op.f("ix_discounts_asked_at"), "discounts", ["asked_at"])
    seen = "tier IS NOT NULL OR park_id = current_tenant()"
    op.execute("ALTER TABLE discounts ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON discounts TO marketplace_tenant USING ({seen})")
    op.execute("CREATE POLICY staff ON discounts TO marketplace_staff USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT ON discounts TO marketplace_tenant")
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (status, decided_by, decided_at, ended_by, ended_at) ON discounts "
        "TO marketplace_staff"
    )
