"""Fees that are credited by the day: which days a credit note takes back, and what of a replaced fee was given back before.

Follows 0031. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

DAYS = "num_nulls(from_day, until_day) IN (0, 2) AND (from_day IS NULL OR from_day < until_day)"


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    for table in ("line_returns", "credit_note_lines"):
        op.add_column(table, sa.Column("from_day", sa.Date(), nullable=True))
        op.add_column(table, sa.Column("until_day", sa.Date(), nullable=True))
        op.create_check_constraint(op.f(f"ck_{table}_days"), table, DAYS)
    op.execute(
        "ALTER TABLE line_returns ADD CONSTRAINT ex_line_returns_each_day_once EXCLUDE USING gist"
        " (tenant_id WITH =, order_line_id WITH =, daterange(from_day, until_day) WITH &&)"
        " WHERE (from_day IS NOT NULL)"
    )
    op.add_column(
        "subscription_charges", sa.Column("replaced_back_fen", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.drop_constraint(op.f("ck_subscription_charges_sums"), "subscription_charges")
    op.create_check_constraint(
        op.f("ck_subscription_charges_sums"),
        "subscription_charges",
        "charged_fen - carried_out_fen = due_fen - credit_fen - carried_in_fen"
        " AND least(charged_fen, carried_out_fen) = 0"
        " AND least(due_fen, credit_fen, carried_in_fen, replaced_back_fen) >= 0",
    )
