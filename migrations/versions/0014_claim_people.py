"""Claims: the role of reviewers, and payouts that are drawn up anew.

Follows 0013. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ROLES = (
    "role IN ('park_admin', 'park_member', 'park_finance', 'subsidy_officer', 'subsidy_approver', 'claim_reviewer',"
    " 'finance', 'provider', 'operator')"
)


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.drop_constraint(op.f("ck_memberships_role"), "memberships")
    op.create_check_constraint(op.f("ck_memberships_role"), "memberships", ROLES)
    op.drop_constraint(op.f("ck_payouts_status"), "payouts")
    op.create_check_constraint(op.f("ck_payouts_status"), "payouts", "status IN ('pending', 'paid', 'cancelled')")
