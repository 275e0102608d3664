"""One file proves one thing, and one contract is subsidised once, in the whole province.

Follows 0003. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# What is in use is decided by unique indexes over all parks. A park sees its own rows, and of the others only whether a
# contract is taken: the function reads as its owner and answers yes or no.
TAKEN = """
CREATE FUNCTION contract_in_use(contract text, uscc text, apart_from uuid) RETURNS boolean LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = public, pg_temp
    RETURN EXISTS (SELECT FROM subsidised_contracts WHERE contract_key = contract AND counterparty_uscc = uscc
                    AND released_at IS NULL AND used_for_id IS DISTINCT FROM apart_from);
CREATE FUNCTION refuse_change_of_released() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.released_at IS NOT NULL THEN
        RAISE EXCEPTION 'a use that was withdrawn stays as it is' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "evidence_uses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("evidence_id", sa.Uuid(), nullable=True),
        *_use(),
        sa.CheckConstraint(
            "kind IN ('contract', 'invoice', 'payment_proof', 'acceptance', 'report', 'usage_log', 'decision')",
            name=op.f("ck_evidence_uses_kind"),
        ),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_evidence_uses_sha256")),
        sa.CheckConstraint("(released_at IS NULL) = (release_reason IS NULL)", name=op.f("ck_evidence_uses_release")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_uses")),
    )
    op.create_table(
        "subsidised_contracts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("contract_key", sa.String(length=100), nullable=False),
        sa.Column("counterparty_uscc", sa.String(length=18), nullable=False),
        sa.Column("contract_no", sa.String(length=100), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        *_use(),
        sa.CheckConstraint(
            "(released_at IS NULL) = (release_reason IS NULL)", name=op.f("ck_subsidised_contracts_release")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subsidised_contracts")),
    )
    in_use = sa.text("released_at IS NULL")
    op.create_index(
        "uq_evidence_uses_in_use", "evidence_uses", ["sha256", "kind"], unique=True, postgresql_where=in_use
    )
    op.create_index(
        "uq_subsidised_contracts_in_use",
        "subsidised_contracts",
        ["contract_key", "counterparty_uscc"],
        unique=True,
        postgresql_where=in_use,
    )
    op.execute(TAKEN)
    for table in ("evidence_uses", "subsidised_contracts"):
        op.create_index(op.f(f"ix_{table}_used_for_id"), table, ["used_for_id"])
        own = "tenant_id = current_tenant()"
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({own}) WITH CHECK ({own})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(
            f"GRANT SELECT, INSERT, UPDATE (released_at, release_reason) ON {table} "
            "TO marketplace_tenant, marketplace_staff"
        )
        op.execute(
            f"CREATE TRIGGER released BEFORE UPDATE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change_of_released()"
        )


def _use() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("used_for", sa.String(length=64), nullable=False),
        sa.Column("used_for_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("used_by", sa.Uuid(), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("release_reason", sa.String(length=200), nullable=True),
    )
