"""Awards that come after the delivery: one entitlement per order line and programme.

Follows 0014. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "entitlements",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("programme", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(length=64), nullable=False),
        sa.Column("payee", sa.String(length=64), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("award", JSONB(), nullable=False),
        sa.Column("facts", JSONB(), nullable=False),
        sa.Column("proof", JSONB(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("delivered_at", INSTANT, nullable=False),
        sa.Column("claim_until", INSTANT, nullable=False),
        sa.Column("granted_fen", sa.BigInteger(), nullable=True),
        sa.Column("granted_at", INSTANT, nullable=True),
        sa.Column("weighed", JSONB(), nullable=True),
        sa.Column("evidence", JSONB(), nullable=False),
        sa.Column("claimed_by", sa.Uuid(), nullable=True),
        sa.Column("withdrawn_at", INSTANT, nullable=True),
        *(
            sa.CheckConstraint(condition, name=op.f(f"ck_entitlements_{name}"))
            for name, condition in {
                "mode": "mode IN ('reimburse', 'auto')",
                "payee": "payee IN ('provider', 'tenant')",
                "status": "status IN ('offered', 'claimed', 'withdrawn')",
                "positive": "amount_fen > 0",
                "at_most_awarded": "granted_fen BETWEEN 1 AND amount_fen",
                "granted": "status <> 'claimed' OR granted_fen IS NOT NULL",
                "weighed": (
                    "(granted_fen IS NULL) = (granted_at IS NULL) AND (granted_fen IS NULL) = (weighed IS NULL)"
                ),
                "withdrawn": "(status = 'withdrawn') = (withdrawn_at IS NOT NULL)",
                "in_time": "granted_at IS NULL OR granted_at < claim_until",
            }.items()
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_line_id"],
            ["rated_usage.tenant_id", "rated_usage.order_line_id"],
            name=op.f("fk_entitlements_tenant_id_order_line_id_rated_usage"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "quote_id"],
            ["quotes.tenant_id", "quotes.id"],
            name=op.f("fk_entitlements_tenant_id_quote_id_quotes"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_entitlements")),
        sa.UniqueConstraint(
            "tenant_id",
            "order_line_id",
            "programme",
            name=op.f("uq_entitlements_tenant_id_order_line_id_programme"),
        ),
    )
    op.create_index(
        op.f("ix_entitlements_tenant_id_status_claim_until"), "entitlements", ["tenant_id", "status", "claim_until"]
    )
    own = "tenant_id = current_tenant()"
    op.execute("ALTER TABLE entitlements ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE entitlements FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON entitlements TO marketplace_tenant USING ({own}) WITH CHECK ({own})")
    op.execute("CREATE POLICY staff ON entitlements TO marketplace_staff USING (true) WITH CHECK (true)")
    # What was awarded and on which terms is written once; what becomes of it are these columns.
    steps = "status, granted_fen, granted_at, weighed, evidence, claimed_by, withdrawn_at"
    op.execute(f"GRANT SELECT, INSERT, UPDATE ({steps}) ON entitlements TO marketplace_tenant, marketplace_staff")
