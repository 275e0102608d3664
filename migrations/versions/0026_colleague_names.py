"""A park's transaction may be told the names of its own people, and of nobody else.

Follows 0025. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

NAMES = """
CREATE FUNCTION colleague_names() RETURNS TABLE (id uuid, name varchar) LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = public, pg_temp
    BEGIN ATOMIC
        SELECT DISTINCT u.id, u.name FROM users u JOIN memberships m ON m.user_id = u.id
         WHERE m.organisation_id = current_tenant();
    END;
REVOKE ALL ON FUNCTION colleague_names() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION colleague_names() TO marketplace_tenant;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.execute(NAMES)
