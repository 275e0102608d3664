"""A name for the registry as it is, new with every change, so that what was made from it is known to be of it.

Follows 0051. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

# As its owner: whoever may change companies need not be able to write the version.
RENAME = """
CREATE FUNCTION rename_registry() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE registry_versions SET version = gen_random_uuid();
    RETURN NULL;
END $$;
CREATE TRIGGER renamed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON companies
    FOR EACH STATEMENT EXECUTE FUNCTION rename_registry();
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "registry_versions",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Uuid(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_registry_versions_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_versions")),
    )
    op.execute("INSERT INTO registry_versions (id, version) VALUES (1, gen_random_uuid())")
    op.execute("GRANT SELECT ON registry_versions TO marketplace_tenant, marketplace_staff")
    op.execute(RENAME)
