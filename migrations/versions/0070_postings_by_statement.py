"""Postings are looked at once a statement, not once a row: an invoice run writes thousands in one.

Follows 0066. A journal is still looked at when its transaction commits. What is added to a journal of another transaction
is looked at when the statement that adds it ends, which is sooner than before.
"""

from __future__ import annotations

from alembic import op

revision = "0070"
down_revision = "0069"
branch_labels = None
depends_on = None

BY_STATEMENT = """
DROP TRIGGER balance ON postings;
DROP FUNCTION posting_balances();
CREATE FUNCTION postings_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A line added to a journal of another transaction would change books already written. Each journal is looked up by
    -- its key: a plan that was made for thousands of them, and kept, would read all journals for the next one.
    PERFORM check_journal(journal_id) FROM (SELECT DISTINCT journal_id FROM added) AS touched
      WHERE (SELECT xmin::text FROM journals WHERE id = touched.journal_id)
            IS DISTINCT FROM (pg_current_xact_id()::text::bigint % 4294967296)::text;
    RETURN NULL;
END $$;
CREATE TRIGGER balance AFTER INSERT ON postings REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION postings_balance();
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.execute(BY_STATEMENT)
