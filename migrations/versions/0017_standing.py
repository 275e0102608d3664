"""Control groups with names, the dishonesty list, and the contract that an order stands on.

Follows 0016. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# What a park may read of the list: what is public of it, which its own price depends on.
PUBLIC = "id, uscc, source, document_no, valid_from, valid_until, lifted_at"


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "control_groups",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_control_groups")),
        sa.UniqueConstraint("name", name=op.f("uq_control_groups_name")),
    )
    # Groups had no names before; what was entered keeps working under its number.
    op.execute(
        "INSERT INTO control_groups (id, name, note, created_at) "
        "SELECT DISTINCT control_group, CAST(control_group AS text), '', now() FROM organisations "
        "WHERE control_group IS NOT NULL"
    )
    op.create_foreign_key(
        op.f("fk_organisations_control_group_control_groups"),
        "organisations",
        "control_groups",
        ["control_group"],
        ["id"],
    )
    op.create_index(op.f("ix_organisations_control_group"), "organisations", ["control_group"])
    op.create_table(
        "credit_blocks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("document_no", sa.String(length=200), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("entered_by", sa.Uuid(), nullable=True),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_by", sa.Uuid(), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lift_reason", sa.String(length=500), nullable=True),
        sa.CheckConstraint("valid_until > valid_from", name=op.f("ck_credit_blocks_days")),
        sa.CheckConstraint("(lifted_at IS NULL) = (lift_reason IS NULL)", name=op.f("ck_credit_blocks_lift")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_blocks")),
        sa.UniqueConstraint("uscc", "document_no", name=op.f("uq_credit_blocks_uscc_document_no")),
    )
    op.create_index(op.f("ix_credit_blocks_entered_at_id"), "credit_blocks", ["entered_at", "id"])
    op.add_column("orders", sa.Column("contract_no", sa.String(length=100), nullable=True))
    op.execute("GRANT SELECT, INSERT ON control_groups TO marketplace_staff")
    op.execute("GRANT SELECT, INSERT, UPDATE (lifted_by, lifted_at, lift_reason) ON credit_blocks TO marketplace_staff")
    op.execute(f"GRANT SELECT ({PUBLIC}) ON credit_blocks TO marketplace_tenant")
