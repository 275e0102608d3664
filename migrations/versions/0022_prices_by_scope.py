"""Prices for parks of a tier, a class of region or a division; the ones before are for everybody.

Follows 0021. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

SCOPE = {"tier": 64, "region_class": 64, "region": 6}


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    for name, length in SCOPE.items():
        op.add_column("prices", sa.Column(name, sa.String(length=length), server_default="", nullable=False))
    op.create_check_constraint(op.f("ck_prices_tier"), "prices", "tier IN ('', 'basic', 'enhanced', 'leading')")
    op.create_check_constraint(
        op.f("ck_prices_region_class"), "prices", "region_class IN ('', 'eastern', 'central', 'western')"
    )
    op.create_check_constraint(op.f("ck_prices_region"), "prices", "region ~ '^([0-9]{6})?$'")
    op.drop_constraint(op.f("ck_prices_order"), "prices")
    op.create_check_constraint(op.f("ck_prices_order"), "prices", "valid_to IS NULL OR valid_to >= valid_from")
    op.drop_constraint("ex_prices_one_at_a_time", "prices")
    op.execute(
        "ALTER TABLE prices ADD CONSTRAINT ex_prices_one_at_a_time EXCLUDE USING gist"
        " (offering WITH =, tier WITH =, region_class WITH =, region WITH =, tstzrange(valid_from, valid_to) WITH &&)"
    )
