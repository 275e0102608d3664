"""Months of the books that are closed.

Follows 0012. A journal of a closed month is written into the first open month after it: the trigger decides, so no
writer can forget it, and a writer that is under way while the month is being closed waits for the outcome.
A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# The lock's first key is this table's own number, the second one the month: writers of one month share it, its closer
# has it alone.
PERIOD_OPEN = """
CREATE FUNCTION first_open_period() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    LOOP
        PERFORM pg_advisory_xact_lock_shared('closed_periods'::regclass::integer, replace(NEW.period, '-', '')::integer);
        EXIT WHEN NOT EXISTS (SELECT FROM closed_periods WHERE period = NEW.period);
        NEW.period := to_char((NEW.period || '-01')::date + interval '1 month', 'YYYY-MM');
    END LOOP;
    RETURN NEW;
END $$;
CREATE TRIGGER first_open_period BEFORE INSERT ON journals FOR EACH ROW EXECUTE FUNCTION first_open_period();
CREATE FUNCTION close_period_alone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock('closed_periods'::regclass::integer, replace(NEW.period, '-', '')::integer);
    RETURN NEW;
END $$;
CREATE TRIGGER alone BEFORE INSERT ON closed_periods FOR EACH ROW EXECUTE FUNCTION close_period_alone();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON closed_periods FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "closed_periods",
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("journals", sa.Integer(), nullable=False),
        sa.Column("debit_fen", sa.BigInteger(), nullable=False),
        sa.Column("journals_sha256", sa.String(length=64), nullable=False),
        sa.Column("closed_by", sa.Uuid(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("journals >= 0 AND debit_fen >= 0", name=op.f("ck_closed_periods_not_negative")),
        sa.CheckConstraint("period ~ '^20[0-9]{2}-(0[1-9]|1[0-2])$'", name=op.f("ck_closed_periods_month")),
        sa.PrimaryKeyConstraint("period", name=op.f("pk_closed_periods")),
    )
    op.execute("GRANT SELECT, INSERT ON closed_periods TO marketplace_staff")
    op.execute(PERIOD_OPEN)
