"""Policy versions that an approver refuses, with who, when and why.

Follows 0007. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FROZEN = """
CREATE OR REPLACE FUNCTION refuse_change_of_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status IN ('approved', 'withdrawn', 'rejected') OR NEW.policy IS DISTINCT FROM OLD.policy THEN
        RAISE EXCEPTION 'a policy version is superseded, never edited' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("policy_versions", sa.Column("rejected_by", sa.Uuid(), nullable=True))
    op.add_column("policy_versions", sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("policy_versions", sa.Column("rejection", sa.String(length=500), nullable=True))
    op.drop_constraint(op.f("ck_policy_versions_status"), "policy_versions")
    checks = {
        "status": "status IN ('draft', 'submitted', 'approved', 'withdrawn', 'rejected')",
        "rejected_by_another": "rejected_by IS NULL OR rejected_by <> written_by",
        "rejection": "num_nonnulls(rejected_by, rejected_at, rejection) = CASE status WHEN 'rejected' THEN 3 ELSE 0 END",
    }
    for name, condition in checks.items():
        op.create_check_constraint(op.f(f"ck_policy_versions_{name}"), "policy_versions", condition)
    op.execute(FROZEN)
