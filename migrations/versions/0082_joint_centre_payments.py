"""Transfers to the centres of joint facilities: recorded by finance, undone by rows of their own, read by the parties.

Follows 0080. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0082"
down_revision = "0081"
branch_labels = None
depends_on = None

KEY = ("agreement_id", "reference", "paid_on")
SECURITY = """
ALTER TABLE joint_centre_payments ENABLE ROW LEVEL SECURITY;
ALTER TABLE joint_centre_payments FORCE ROW LEVEL SECURITY;
CREATE POLICY party ON joint_centre_payments FOR SELECT TO marketplace_tenant USING (current_tenant() = ANY (members));
CREATE POLICY staff ON joint_centre_payments TO marketplace_staff USING (true) WITH CHECK (true);
GRANT SELECT ON joint_centre_payments TO marketplace_tenant;
GRANT SELECT, INSERT ON joint_centre_payments TO marketplace_staff;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "joint_centre_payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("members", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(length=100), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("reverses_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "amount_fen <> 0 AND (reverses_id IS NULL) = (amount_fen > 0)", name=op.f("ck_joint_centre_payments_amount")
        ),
        sa.CheckConstraint("(reverses_id IS NULL) = (reason = '')", name=op.f("ck_joint_centre_payments_reason")),
        sa.CheckConstraint("length(reference) >= 1", name=op.f("ck_joint_centre_payments_reference")),
        sa.ForeignKeyConstraint(
            ["agreement_id", "members"],
            ["joint_agreements.id", "joint_agreements.members"],
            name="fk_joint_centre_payments_agreement",
        ),
        sa.ForeignKeyConstraint(
            ["reverses_id", *KEY],
            [f"joint_centre_payments.{each}" for each in ("id", *KEY)],
            name="fk_joint_centre_payments_reverses",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_joint_centre_payments")),
        sa.UniqueConstraint("id", *KEY, name=op.f("uq_joint_centre_payments_id_agreement_id_reference_paid_on")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_joint_centre_payments_reverses_id")),
    )
    op.create_index(
        "uq_joint_centre_payments_reference",
        "joint_centre_payments",
        ["reference"],
        unique=True,
        postgresql_where=sa.text("reverses_id IS NULL"),
    )
    op.create_index(op.f("ix_joint_centre_payments_agreement_id"), "joint_centre_payments", ["agreement_id"])
    op.execute(SECURITY)
