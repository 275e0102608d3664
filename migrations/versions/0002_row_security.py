"""Roles, row security, append-only registers, the balance check of the books, and the job queue.

Three roles without login stand for three sorts of transaction: ``marketplace_tenant`` sees one tenant's rows,
``marketplace_staff`` has a policy of its own that shows all, ``marketplace_jobs`` works the queue. The application's
login inherits nothing and takes one of them on per transaction. None of them can bypass row security.
"""

from __future__ import annotations

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TENANT_TABLES = (
    "allocations",
    "artefacts",
    "bookings",
    "claim_lines",
    "holds",
    "invoice_lines",
    "invoices",
    "order_lines",
    "orders",
    "parks",
    "payments",
    "quotes",
    "rated_usage",
    "runs",
    "subscriptions",
    "usage_events",
    "wallet_entries",
    "wallets",
)
TENANT_APPEND_ONLY = ("claim_lines", "payments", "allocations", "rated_usage", "usage_events", "wallet_entries")
SHARED_APPEND_ONLY = ("audit_entries", "fund_entries", "journals", "postings")
# A shared table that holds rows about tenants, and which of them a tenant's transaction is shown.
SHARED_WITH_POLICY = {
    "organisations": "id = current_tenant() OR kind <> 'park'",
    "audit_entries": "tenant_id = current_tenant()",
    "fund_entries": "tenant_id = current_tenant()",
    "accounts": "tenant_id IS NULL OR tenant_id = current_tenant()",
    "journals": "tenant_id = current_tenant()",
    "postings": "tenant_id = current_tenant()",
    "cap_counters": "owner_id = current_tenant() OR owner_id = '00000000-0000-0000-0000-000000000000'",
    "idempotency_keys": "owner_id = current_tenant()",
    "memberships": "organisation_id = current_tenant()",
    "api_clients": "organisation_id = current_tenant()",
}
# What a tenant's transaction may do to shared tables; the tables not named here are staff's alone.
TENANT_GRANTS = {
    "organisations": "SELECT",
    "offerings": "SELECT",
    "instruments": "SELECT",
    "companies": "SELECT",
    "company_sources": "SELECT",
    "prices": "SELECT",
    "programmes": "SELECT",
    "policy_versions": "SELECT",
    "meters": "SELECT",
    "funds": "SELECT",
    "reservations": "SELECT, INSERT, UPDATE (active)",
    "fund_envelopes": "SELECT, UPDATE (available_fen, held_fen, captured_fen)",
    "fund_entries": "SELECT, INSERT",
    "cap_counters": "SELECT, INSERT, UPDATE (used_fen)",
    "claim_batches": "SELECT, INSERT",
    "accounts": "SELECT, INSERT",
    "journals": "SELECT, INSERT",
    "postings": "SELECT, INSERT",
    "audit_entries": "SELECT, INSERT",
    "idempotency_keys": "SELECT, INSERT, UPDATE (answer)",
    # A park's administrator adds people and keys to the park; no park's transaction reads a login or a secret's hash.
    "users": "INSERT",
    "memberships": "SELECT, INSERT",
    "api_clients": "SELECT (id, organisation_id, name, scopes, created_by, created_at, revoked_at), INSERT, UPDATE (revoked_at)",
}
STAFF_TABLES = (
    "access_tokens",
    "appropriations",
    "bank_lines",
    "bank_statements",
    "invoice_counters",
)

ROLES = """
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['marketplace_tenant', 'marketplace_staff', 'marketplace_jobs'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOBYPASSRLS NOINHERIT', wanted);
        END IF;
        IF NOT pg_has_role(current_user, wanted, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', wanted, current_user);
        END IF;
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA public TO marketplace_tenant, marketplace_staff, marketplace_jobs;
CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;
"""

APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are added and never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION refuse_change_of_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status IN ('approved', 'withdrawn') OR NEW.policy IS DISTINCT FROM OLD.policy THEN
        RAISE EXCEPTION 'a policy version is superseded, never edited' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER frozen BEFORE UPDATE ON policy_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_approved();
"""

# At commit, not before: the lines of a journal come one after another. The function reads as its owner, so that it
# sees the whole journal whoever wrote it.
BALANCE = """
CREATE FUNCTION check_journal(journal uuid) RETURNS void LANGUAGE plpgsql STABLE
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE lines integer; difference numeric; strangers integer;
BEGIN
    SELECT count(*), coalesce(sum(CASE side WHEN 'debit' THEN amount_fen ELSE -amount_fen END), 0),
           count(*) FILTER (WHERE p.tenant_id IS DISTINCT FROM j.tenant_id)
      INTO lines, difference, strangers
      FROM postings p JOIN journals j ON j.id = p.journal_id WHERE p.journal_id = journal;
    IF lines < 2 OR difference <> 0 OR strangers <> 0 THEN
        RAISE EXCEPTION 'journal % does not balance: % lines, debits exceed credits by % fen', journal, lines, difference
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_journals_balance';
    END IF;
END $$;
CREATE FUNCTION journal_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM check_journal(NEW.id);
    RETURN NULL;
END $$;
CREATE FUNCTION posting_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A line added to a journal of another transaction would change books already written.
    IF NOT EXISTS (SELECT FROM journals WHERE id = NEW.journal_id
                     AND xmin::text = (pg_current_xact_id()::text::bigint % 4294967296)::text) THEN
        PERFORM check_journal(NEW.journal_id);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER balance AFTER INSERT ON journals DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION journal_balances();
CREATE CONSTRAINT TRIGGER balance AFTER INSERT ON postings DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION posting_balances();
"""

# A tenant's transaction may put a job on the queue and count its own waiting ones, and nothing else of the queue.
QUEUE = """
ALTER FUNCTION procrastinate_defer_jobs_v1(procrastinate_job_to_defer_v1[])
    SECURITY DEFINER SET search_path = public, pg_temp;
CREATE INDEX ix_procrastinate_jobs_waiting ON procrastinate_jobs ((args ->> 'tenant_id')) WHERE status = 'todo';
CREATE FUNCTION waiting_jobs(tenant text) RETURNS bigint LANGUAGE sql STABLE
    SECURITY DEFINER SET search_path = public, pg_temp
    RETURN (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND args ->> 'tenant_id' = tenant);
GRANT SELECT, INSERT, UPDATE, DELETE ON procrastinate_jobs, procrastinate_events, procrastinate_workers,
    procrastinate_periodic_defers TO marketplace_jobs;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO marketplace_jobs;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.execute(ROLES)
    for table in TENANT_TABLES:
        _secure(table, "tenant_id = current_tenant()")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        rights = "SELECT, INSERT" if table in TENANT_APPEND_ONLY else "SELECT, INSERT, UPDATE"
        op.execute(f"GRANT {rights} ON {table} TO marketplace_staff")
        # A park does not enter or verify itself.
        op.execute(f"GRANT {'SELECT' if table == 'parks' else rights} ON {table} TO marketplace_tenant")
    for table, condition in SHARED_WITH_POLICY.items():
        _secure(table, condition)
    for table in (*TENANT_GRANTS, *STAFF_TABLES):
        if table in TENANT_GRANTS:
            op.execute(f"GRANT {TENANT_GRANTS[table]} ON {table} TO marketplace_tenant")
        rights = "SELECT, INSERT" if table in SHARED_APPEND_ONLY else "SELECT, INSERT, UPDATE"
        op.execute(f"GRANT {rights} ON {table} TO marketplace_staff")
    op.execute(APPEND_ONLY)
    for table in SHARED_APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    op.execute(BALANCE)
    op.execute(SchemaManager.get_schema())
    op.execute(QUEUE)
    op.execute("GRANT SELECT ON alembic_version TO marketplace_staff")  # readiness asks which step was the last


def _secure(table: str, condition: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({condition}) WITH CHECK ({condition})")
    op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
