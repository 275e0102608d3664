"""Wallets in lots, and what parks are told.

Follows 0015. What a wallet has becomes one lot that was bought, and what is set aside a part of it.
A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
RIGHTS = {
    "wallet_credits": "SELECT, INSERT, UPDATE",
    "wallet_burns": "SELECT, INSERT",
    "park_alerts": "SELECT, INSERT, UPDATE",
}

# The owner of the tables is held to their policies too, and sees no row; for the length of this step it is not.
CARRY_OVER = """
    ALTER TABLE wallets NO FORCE ROW LEVEL SECURITY;
    ALTER TABLE wallet_entries NO FORCE ROW LEVEL SECURITY;
    INSERT INTO wallet_credits (tenant_id, id, kind, priority, amount_fen, available_fen, held_fen, spent_fen, expired_fen,
                                expires_at, reason, granted_by, granted_at)
    SELECT w.tenant_id, e.id, 'purchased', 100, w.available_fen + w.held_fen, w.available_fen, w.held_fen, 0, 0,
           NULL, 'payment', NULL, e.at
    FROM wallets w
    JOIN LATERAL (SELECT id, at FROM wallet_entries e WHERE e.tenant_id = w.tenant_id ORDER BY at, id LIMIT 1) e ON true
    WHERE w.available_fen + w.held_fen > 0;
    INSERT INTO wallet_burns (tenant_id, source_id, credit_id, amount_fen)
    SELECT h.tenant_id, h.source_id, c.id, h.amount_fen
    FROM wallet_entries h JOIN wallet_credits c ON c.tenant_id = h.tenant_id
    WHERE h.kind = 'hold' AND NOT EXISTS (
        SELECT FROM wallet_entries e WHERE e.tenant_id = h.tenant_id AND e.source_id = h.source_id
                                       AND e.kind IN ('capture', 'release'));
    ALTER TABLE wallets FORCE ROW LEVEL SECURITY;
    ALTER TABLE wallet_entries FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("wallets", sa.Column("alert_below_fen", sa.BigInteger(), nullable=False, server_default="0"))
    op.alter_column("wallets", "alert_below_fen", server_default=None)
    op.create_check_constraint(op.f("ck_wallets_alert"), "wallets", "alert_below_fen >= 0")
    op.add_column("wallet_entries", sa.Column("credit_id", sa.Uuid(), nullable=True))
    op.drop_constraint(op.f("ck_wallet_entries_kind"), "wallet_entries", type_="check")
    op.create_check_constraint(
        op.f("ck_wallet_entries_kind"),
        "wallet_entries",
        "kind IN ('top_up', 'grant', 'hold', 'capture', 'release', 'expire')",
    )
    op.create_table(
        "wallet_credits",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("available_fen", sa.BigInteger(), nullable=False),
        sa.Column("held_fen", sa.BigInteger(), nullable=False),
        sa.Column("spent_fen", sa.BigInteger(), nullable=False),
        sa.Column("expired_fen", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("granted_by", sa.Uuid(), nullable=True),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('purchased', 'granted')", name=op.f("ck_wallet_credits_kind")),
        sa.CheckConstraint(
            "least(available_fen, held_fen, spent_fen, expired_fen) >= 0", name=op.f("ck_wallet_credits_never_negative")
        ),
        sa.CheckConstraint(
            "amount_fen > 0 AND amount_fen = available_fen + held_fen + spent_fen + expired_fen",
            name=op.f("ck_wallet_credits_whole"),
        ),
        sa.CheckConstraint(
            "kind = 'granted' OR (expires_at IS NULL AND expired_fen = 0)",
            name=op.f("ck_wallet_credits_paid_for_keeps"),
        ),
        sa.CheckConstraint("priority BETWEEN 0 AND 100", name=op.f("ck_wallet_credits_priority")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_wallet_credits")),
    )
    op.create_index(
        "ix_wallet_credits_expiring",
        "wallet_credits",
        ["expires_at"],
        postgresql_where=sa.text("available_fen > 0 AND expires_at IS NOT NULL"),
    )
    op.create_table(
        "wallet_burns",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("credit_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_wallet_burns_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "credit_id"],
            ["wallet_credits.tenant_id", "wallet_credits.id"],
            name=op.f("fk_wallet_burns_tenant_id_credit_id_wallet_credits"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "source_id", "credit_id", name=op.f("pk_wallet_burns")),
    )
    op.create_table(
        "park_alerts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_by", sa.Uuid(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(acknowledged_by IS NULL) = (acknowledged_at IS NULL)", name=op.f("ck_park_alerts_acknowledged")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_park_alerts")),
        sa.UniqueConstraint("tenant_id", "kind", "key", name=op.f("uq_park_alerts_tenant_id_kind_key")),
    )
    op.create_index(op.f("ix_park_alerts_tenant_id_raised_at"), "park_alerts", ["tenant_id", "raised_at"])
    op.execute(CARRY_OVER)
    for table, rights in RIGHTS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT {rights} ON {table} TO marketplace_tenant, marketplace_staff")
