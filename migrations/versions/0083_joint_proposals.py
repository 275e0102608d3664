"""Parks propose agreements on joint facilities themselves: who proposed, what a park may write, partners by credit code.

Follows 0081. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0083"
down_revision = "0082"
branch_labels = None
depends_on = None

# A park may be told who has a credit code, as a contract tells it, and how far a series is that it is a party of.
FUNCTIONS = """
CREATE FUNCTION partner_parks(codes text[]) RETURNS TABLE (id uuid, name varchar, uscc varchar) LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = public, pg_temp
    BEGIN ATOMIC
        SELECT o.id, o.name, o.uscc FROM organisations o JOIN parks p ON p.tenant_id = o.id
         WHERE o.kind = 'park' AND p.verification = 'verified' AND cardinality(codes) <= 50 AND o.uscc = ANY (codes);
    END;
CREATE FUNCTION joint_series_version(series uuid) RETURNS integer LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = public, pg_temp
    BEGIN ATOMIC
        SELECT max(version) FROM joint_agreements WHERE series_id = series
        HAVING bool_or(current_tenant() = ANY (members));
    END;
REVOKE ALL ON FUNCTION partner_parks(text[]), joint_series_version(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION partner_parks(text[]), joint_series_version(uuid) TO marketplace_tenant;
"""
SECURITY = """
CREATE POLICY propose ON joint_agreements FOR INSERT TO marketplace_tenant WITH CHECK (
    proposed_by_park = current_tenant() AND current_tenant() = ANY (members)
    AND registered_at IS NULL AND withdrawn_at IS NULL
    AND (series_id = id OR joint_series_version(series_id) IS NOT NULL));
CREATE POLICY withdraw ON joint_agreements FOR UPDATE TO marketplace_tenant
    USING (proposed_by_park = current_tenant()) WITH CHECK (proposed_by_park = current_tenant());
CREATE POLICY propose ON joint_parties FOR INSERT TO marketplace_tenant WITH CHECK (
    current_tenant() = ANY (members) AND signed_at IS NULL AND EXISTS (
        SELECT FROM joint_agreements a WHERE a.id = agreement_id AND a.proposed_by_park = current_tenant()));
GRANT INSERT ON joint_agreements, joint_parties TO marketplace_tenant;
GRANT UPDATE (withdrawn_at) ON joint_agreements TO marketplace_tenant;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("joint_agreements", sa.Column("proposed_by_park", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_joint_agreements_proposed_by_park_parks"),
        "joint_agreements",
        "parks",
        ["proposed_by_park"],
        ["tenant_id"],
    )
    op.create_check_constraint(
        op.f("ck_joint_agreements_proposer"), "joint_agreements", "proposed_by_park = ANY (members)"
    )
    op.execute(FUNCTIONS)
    op.execute(SECURITY)
