"""Case-by-case decisions: exceptions from a programme's terms for one park, and the register of what they gave.

Follows 0011. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# What was written stays: only these columns are granted to be changed.
DECIDED = (
    "status, first_approved_by, first_approved_at, second_approved_by, second_approved_at, "
    "revoked_by, revoked_at, revoked_reason"
)


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _exemptions()
    _uses()
    for table in ("exemptions", "exemption_uses"):
        own = "tenant_id = current_tenant()"
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({own}) WITH CHECK ({own})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT ON exemptions TO marketplace_tenant")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ({DECIDED}) ON exemptions TO marketplace_staff")
    op.execute("GRANT SELECT, INSERT ON exemption_uses TO marketplace_tenant, marketplace_staff")


def _exemptions() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "exemptions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("order_limit", sa.Integer(), nullable=True),
        sa.Column("terms", postgresql.JSONB(), nullable=False),
        sa.Column("limit_fen", sa.BigInteger(), nullable=False),
        sa.Column("document_no", sa.String(length=200), nullable=False),
        sa.Column("evidence_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.Column("written_at", moment, nullable=False),
        sa.Column("first_approved_by", sa.Uuid(), nullable=True),
        sa.Column("first_approved_at", moment, nullable=True),
        sa.Column("second_approved_by", sa.Uuid(), nullable=True),
        sa.Column("second_approved_at", moment, nullable=True),
        sa.Column("revoked_by", sa.Uuid(), nullable=True),
        sa.Column("revoked_at", moment, nullable=True),
        sa.Column("revoked_reason", sa.String(length=500), nullable=False),
        sa.CheckConstraint(
            "status IN ('submitted', 'first_approved', 'in_force', 'revoked')", name=op.f("ck_exemptions_status")
        ),
        sa.CheckConstraint(
            "written_by <> first_approved_by AND written_by <> second_approved_by"
            " AND first_approved_by <> second_approved_by",
            name=op.f("ck_exemptions_six_eyes"),
        ),
        sa.CheckConstraint(
            "status = 'revoked' OR (first_approved_by IS NOT NULL) = (status IN ('first_approved', 'in_force'))"
            " AND (second_approved_by IS NOT NULL) = (status = 'in_force')",
            name=op.f("ck_exemptions_approvals"),
        ),
        sa.CheckConstraint(
            "(first_approved_by IS NULL) = (first_approved_at IS NULL)"
            " AND (second_approved_by IS NULL) = (second_approved_at IS NULL)"
            " AND (second_approved_by IS NULL OR first_approved_by IS NOT NULL)",
            name=op.f("ck_exemptions_approved_in_order"),
        ),
        sa.CheckConstraint("(status = 'revoked') = (revoked_by IS NOT NULL)", name=op.f("ck_exemptions_revocation")),
        sa.CheckConstraint("limit_fen > 0 AND order_limit > 0", name=op.f("ck_exemptions_limits")),
        sa.CheckConstraint("expires_at > written_at", name=op.f("ck_exemptions_expiry")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "evidence_id"],
            ["evidence_files.tenant_id", "evidence_files.id"],
            name=op.f("fk_exemptions_tenant_id_evidence_id_evidence_files"),
        ),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_exemptions_programme_id_programmes")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_exemptions")),
    )
    op.create_index(
        "ix_exemptions_one_a_document",
        "exemptions",
        ["tenant_id", "programme_id", "offering", "document_no"],
        unique=True,
        postgresql_where=sa.text("status <> 'revoked'"),
    )


def _uses() -> None:
    op.create_table(
        "exemption_uses",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("exemption_id", sa.Uuid(), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("programme", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_exemption_uses_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "exemption_id"],
            ["exemptions.tenant_id", "exemptions.id"],
            name=op.f("fk_exemption_uses_tenant_id_exemption_id_exemptions"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "exemption_id", "order_line_id", name=op.f("pk_exemption_uses")),
    )
