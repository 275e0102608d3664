"""Sign-in attempts are counted, and what only matters for a while is forgotten: those counts and idempotency keys.

No role may delete rows. The two functions are the one way to forget, and each takes only what its table is for.

Follows 0036. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

FORGET = """
CREATE FUNCTION forget_idempotency_keys(before timestamptz, most integer) RETURNS bigint LANGUAGE sql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM idempotency_keys k USING (
            SELECT owner_id, key FROM idempotency_keys WHERE created_at < before
            ORDER BY created_at LIMIT most FOR UPDATE SKIP LOCKED
        ) old WHERE k.owner_id = old.owner_id AND k.key = old.key RETURNING 1
    ) SELECT count(*) FROM gone $$;
CREATE FUNCTION forget_sign_in_attempts(before timestamptz, most integer) RETURNS bigint LANGUAGE sql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM sign_in_attempts a USING (
            SELECT subject FROM sign_in_attempts WHERE since < before ORDER BY since LIMIT most FOR UPDATE SKIP LOCKED
        ) old WHERE a.subject = old.subject RETURNING 1
    ) SELECT count(*) FROM gone $$;
REVOKE ALL ON FUNCTION forget_idempotency_keys(timestamptz, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION forget_sign_in_attempts(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_idempotency_keys(timestamptz, integer) TO marketplace_staff;
GRANT EXECUTE ON FUNCTION forget_sign_in_attempts(timestamptz, integer) TO marketplace_staff;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "sign_in_attempts",
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_sign_in_attempts_tries")),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_sign_in_attempts")),
    )
    op.create_index(op.f("ix_sign_in_attempts_since"), "sign_in_attempts", ["since"])
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"])
    op.execute("GRANT SELECT, INSERT, UPDATE (tries, since) ON sign_in_attempts TO marketplace_staff")
    op.execute(FORGET)
