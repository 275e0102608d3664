"""The rolling aid register: grants per controller, counted over years that roll, and what of them was given back.

Follows 0008. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# A park has to know what its controller has in all, and sees of the grants only its own: the function reads as its owner
# and answers a sum and a moment.
COUNTED = """
CREATE FUNCTION aid_counted(register_name text, controller uuid, since_moment timestamptz)
    RETURNS TABLE (taken_fen bigint, oldest_at timestamptz) LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT CAST(coalesce(sum(g.amount_fen - r.given_back), 0) AS bigint),
           min(g.granted_at) FILTER (WHERE g.amount_fen > r.given_back)
    FROM aid_grants g
    CROSS JOIN LATERAL (SELECT coalesce(sum(amount_fen), 0) AS given_back FROM aid_releases WHERE grant_id = g.id) r
    WHERE g.register = register_name AND g.controller_id = controller AND g.granted_at > since_moment
$$;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "aid_accounts",
        sa.Column("register", sa.String(length=100), nullable=False),
        sa.Column("controller_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("entries >= 0", name=op.f("ck_aid_accounts_not_negative")),
        sa.PrimaryKeyConstraint("register", "controller_id", name=op.f("pk_aid_accounts")),
        sa.UniqueConstraint("id", name=op.f("uq_aid_accounts_id")),
    )
    op.create_table(
        "aid_grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("register", sa.String(length=100), nullable=False),
        sa.Column("controller_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("programme", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("limit_fen", sa.BigInteger(), nullable=True),
        sa.Column("moved_from", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_aid_grants_positive")),
        sa.CheckConstraint(
            "limit_fen >= amount_fen AND since < granted_at", name=op.f("ck_aid_grants_within_its_ceiling")
        ),
        sa.CheckConstraint(
            "num_nonnulls(limit_fen, since) = CASE WHEN moved_from IS NULL THEN 2 ELSE 0 END",
            name=op.f("ck_aid_grants_origin"),
        ),
        sa.ForeignKeyConstraint(
            ["register", "controller_id"],
            ["aid_accounts.register", "aid_accounts.controller_id"],
            name=op.f("fk_aid_grants_register_controller_id_aid_accounts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aid_grants")),
        sa.UniqueConstraint("register", "controller_id", "seq", name=op.f("uq_aid_grants_register_controller_id_seq")),
    )
    op.create_index(
        "uq_aid_grants_granted_once",
        "aid_grants",
        ["source_id", "programme"],
        unique=True,
        postgresql_where=sa.text("moved_from IS NULL"),
    )
    op.create_index(
        op.f("ix_aid_grants_register_controller_id_granted_at"),
        "aid_grants",
        ["register", "controller_id", "granted_at"],
    )
    op.create_index(op.f("ix_aid_grants_tenant_id"), "aid_grants", ["tenant_id"])
    op.create_table(
        "aid_releases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_aid_releases_positive")),
        sa.ForeignKeyConstraint(["grant_id"], ["aid_grants.id"], name=op.f("fk_aid_releases_grant_id_aid_grants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aid_releases")),
    )
    op.create_index(op.f("ix_aid_releases_grant_id"), "aid_releases", ["grant_id"])
    own = {
        "aid_accounts": "true",
        "aid_grants": "tenant_id = current_tenant()",
        "aid_releases": "tenant_id = current_tenant()",
    }
    for table, condition in own.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({condition}) WITH CHECK ({condition})"
        )
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        rights = "SELECT, INSERT, UPDATE (entries)" if table == "aid_accounts" else "SELECT, INSERT"
        op.execute(f"GRANT {rights} ON {table} TO marketplace_tenant, marketplace_staff")
    for table in ("aid_grants", "aid_releases"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    op.execute(COUNTED)
