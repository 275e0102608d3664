"""A metered record of the carbon ledger names a meter of its park.

Follows 0047. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_foreign_key(
        op.f("fk_carbon_records_tenant_id_meter_id_site_meters"),
        "carbon_records",
        "site_meters",
        ["tenant_id", "meter_id"],
        ["tenant_id", "id"],
    )
