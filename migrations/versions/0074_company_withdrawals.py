"""Sources of the registry may be withdrawn: what each has told is kept beside the row that counts.

Follows 0066. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0074"
down_revision = "0073"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
STATUSES = "'queued', 'running', 'merging', 'done', 'failed', 'cancelled', 'withdrawn'"
# No role may delete rows. What is of a withdrawn source is forgotten in batches, and nothing else. A switchboard goes
# with its contact: the key's own action is not bound by row security, as a function of the schema's owner would be.
FORGET = """
CREATE FUNCTION forget_company_rows(source uuid, codes text[]) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM company_sources WHERE id = source AND status = 'withdrawn') THEN
        RAISE EXCEPTION 'source % is not withdrawn', source USING ERRCODE = 'restrict_violation';
    END IF;
    DELETE FROM companies WHERE source_id = source AND uscc = ANY (codes);
    DELETE FROM superseded_companies WHERE source_id = source AND uscc = ANY (codes);
    DELETE FROM company_contacts WHERE source_id = source AND uscc = ANY (codes);
END $$;
CREATE FUNCTION forget_other_rows(source uuid, most integer) RETURNS integer LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    one integer;
    found integer := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM company_sources WHERE id = source AND status = 'withdrawn') THEN
        RAISE EXCEPTION 'source % is not withdrawn', source USING ERRCODE = 'restrict_violation';
    END IF;
    DELETE FROM company_expansions WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM company_expansions WHERE source_id = source LIMIT most));
    GET DIAGNOSTICS one = ROW_COUNT;
    found := found + one;
    DELETE FROM repeated_expansions WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM repeated_expansions WHERE source_id = source LIMIT most));
    GET DIAGNOSTICS one = ROW_COUNT;
    found := found + one;
    DELETE FROM company_quarantine WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM company_quarantine WHERE source_id = source LIMIT most));
    GET DIAGNOSTICS one = ROW_COUNT;
    RETURN found + one;
END $$;
REVOKE ALL ON FUNCTION forget_company_rows(uuid, text[]), forget_other_rows(uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_company_rows(uuid, text[]), forget_other_rows(uuid, integer) TO marketplace_staff;
CREATE TRIGGER renamed AFTER INSERT ON company_withdrawals
    FOR EACH STATEMENT EXECUTE FUNCTION rename_registry();
"""
# A park reads what was withdrawn of companies on its own lists; the subquery sees what the park may see.
LISTED = """
CREATE POLICY tenant ON withdrawn_companies FOR SELECT TO marketplace_tenant USING (
    EXISTS (SELECT FROM lead_places p WHERE p.uscc = withdrawn_companies.uscc AND p.park_id = current_tenant()))
"""
GRANTS = """
GRANT SELECT ON company_withdrawals, withdrawn_companies TO marketplace_tenant;
GRANT SELECT, INSERT, UPDATE (rows_done, rows_kept, finished_at) ON company_withdrawals TO marketplace_staff;
GRANT SELECT, INSERT ON withdrawn_companies, repeated_expansions TO marketplace_staff;
GRANT SELECT, INSERT, UPDATE (superseded_at) ON superseded_companies TO marketplace_staff;
GRANT UPDATE (source_id) ON company_expansions TO marketplace_staff;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _statuses()
    _withdrawals()
    _superseded()
    for table in ("companies", "company_contacts", "company_expansions"):
        op.create_index(op.f(f"ix_{table}_source_id"), table, ["source_id"])
    op.drop_constraint(op.f("fk_company_switchboards_uscc_company_contacts"), "company_switchboards")
    op.create_foreign_key(
        op.f("fk_company_switchboards_uscc_company_contacts"), "company_switchboards", "company_contacts",
        ["uscc"], ["uscc"], ondelete="CASCADE",
    )  # fmt: skip
    op.execute("ALTER TABLE withdrawn_companies ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE withdrawn_companies FORCE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY staff ON withdrawn_companies TO marketplace_staff USING (true) WITH CHECK (true)")
    op.execute(LISTED)
    op.execute(FORGET)
    op.execute(GRANTS)


def _statuses() -> None:
    """A file whose source was withdrawn may come again."""
    op.drop_constraint(op.f("ck_company_sources_status"), "company_sources")
    op.create_check_constraint(op.f("ck_company_sources_status"), "company_sources", f"status IN ({STATUSES})")
    op.drop_index("uq_company_sources_kind_sha256", table_name="company_sources")
    op.create_index(
        "uq_company_sources_kind_sha256",
        "company_sources",
        ["kind", "sha256"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('failed', 'cancelled', 'withdrawn')"),
    )


def _withdrawals() -> None:
    op.create_table(
        "company_withdrawals",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=False),
        sa.Column("withdrawn_at", MOMENT, nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=False),
        sa.Column("rows_done", sa.Integer(), nullable=False),
        sa.Column("rows_kept", sa.Integer(), nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_company_withdrawals_reason")),
        sa.CheckConstraint(
            "rows_done BETWEEN 0 AND rows_total AND rows_kept >= 0", name=op.f("ck_company_withdrawals_rows")
        ),
        _source_key("company_withdrawals"),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_company_withdrawals")),
    )
    op.create_table(
        "withdrawn_companies",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("counted_until", MOMENT, nullable=False),
        _source_key("withdrawn_companies"),
        sa.PrimaryKeyConstraint("source_id", "uscc", name=op.f("pk_withdrawn_companies")),
    )
    op.create_index(op.f("ix_withdrawn_companies_uscc"), "withdrawn_companies", ["uscc"])


def _superseded() -> None:
    op.create_table(
        "superseded_companies",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("region_code", sa.String(length=6), nullable=False),
        sa.Column("industry_code", sa.String(length=4), nullable=False),
        sa.Column("founded_on", sa.Date(), nullable=True),
        sa.Column("capital_fen", sa.BigInteger(), nullable=True),
        sa.Column("expansions", sa.Integer(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("switchboard", sa.String(length=24), nullable=False),
        sa.Column("masked", sa.String(length=24), nullable=False),
        sa.Column("superseded_at", MOMENT, nullable=True),
        _source_key("superseded_companies"),
        sa.PrimaryKeyConstraint("source_id", "uscc", name=op.f("pk_superseded_companies")),
    )
    op.create_index(op.f("ix_superseded_companies_uscc"), "superseded_companies", ["uscc"])
    op.create_table(
        "repeated_expansions",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("region_code", sa.String(length=6), nullable=False),
        sa.Column("expanded_on", sa.Date(), nullable=False),
        _source_key("repeated_expansions"),
        sa.PrimaryKeyConstraint(
            "source_id", "uscc", "name", "region_code", "expanded_on", name=op.f("pk_repeated_expansions")
        ),
    )
    op.create_index(
        op.f("ix_repeated_expansions_uscc_name_region_code_expanded_on"),
        "repeated_expansions",
        ["uscc", "name", "region_code", "expanded_on"],
    )


def _source_key(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_source_id_company_sources")
    return sa.ForeignKeyConstraint(["source_id"], ["company_sources.id"], name=name)
