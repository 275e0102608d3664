"""A transfer to a centre that was taken back is recorded anew under its own reference; proposals work for every owner.

Follows 0086. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0087"
down_revision = "0086"
branch_labels = None
depends_on = None


# Row security is forced on what two functions of 0083 read as the schema's owner, whom it shows nothing: where that owner is
# no superuser they found no park and no series. The application never signs in as the owner.
OWNER = """
CREATE POLICY owner_reads ON parks FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY owner_reads ON joint_agreements FOR SELECT TO CURRENT_USER USING (true);
"""
# Only who is a party of what stands (the newest registered version, or the newest while none is) may propose the next.
SERIES = """
CREATE OR REPLACE FUNCTION joint_series_version(series uuid) RETURNS integer LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = public, pg_temp
    BEGIN ATOMIC
        SELECT max(a.version) FROM joint_agreements a WHERE a.series_id = series
        HAVING (SELECT current_tenant() = ANY (b.members) FROM joint_agreements b
                 WHERE b.series_id = series AND b.withdrawn_at IS NULL
                 ORDER BY b.registered_at IS NULL, b.version DESC LIMIT 1);
    END;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("joint_centre_payments", sa.Column("attempt", sa.SmallInteger(), nullable=False, server_default="1"))
    op.alter_column("joint_centre_payments", "attempt", server_default=None)
    op.drop_index("uq_joint_centre_payments_reference", table_name="joint_centre_payments")
    op.create_index(
        "uq_joint_centre_payments_reference",
        "joint_centre_payments",
        ["reference", "attempt"],
        unique=True,
        postgresql_where=sa.text("reverses_id IS NULL"),
    )
    op.execute(OWNER)
    op.execute(SERIES)
