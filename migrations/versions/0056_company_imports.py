"""Imports of registries and of dated expansions as jobs: parts of files, waiting rows, rows set aside.

Follows 0055. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
# No role may delete rows. What an import worked on is forgotten when it has ended, and only then.
CLEAR = """
CREATE FUNCTION clear_company_import(source uuid) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM company_sources WHERE id = source AND status IN ('queued', 'running', 'merging')) THEN
        RAISE EXCEPTION 'import % has not ended', source USING ERRCODE = 'restrict_violation';
    END IF;
    DELETE FROM company_import_parts WHERE source_id = source;
    DELETE FROM incoming_companies WHERE source_id = source;
    DELETE FROM incoming_expansions WHERE source_id = source;
END $$;
REVOKE ALL ON FUNCTION clear_company_import(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION clear_company_import(uuid) TO marketplace_staff;
CREATE TRIGGER renamed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON company_expansions
    FOR EACH STATEMENT EXECUTE FUNCTION rename_registry();
"""
GRANTS = """
GRANT SELECT, INSERT, UPDATE (content) ON company_import_parts TO marketplace_staff;
GRANT SELECT, INSERT ON company_quarantine, incoming_companies, incoming_expansions, company_expansions TO marketplace_staff;
GRANT SELECT ON company_expansions TO marketplace_tenant;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _sources()
    _expansions()
    _working_tables()
    op.execute(CLEAR)
    op.execute(GRANTS)


def _sources() -> None:
    """Let a source be an import, and be of expansions too; those that are there are done."""
    added = (
        ("kind", sa.String(length=64), "'companies'"),
        ("file_name", sa.String(length=200), "''"),
        ("size_bytes", sa.BigInteger(), "0"),
        ("status", sa.String(length=64), "'done'"),
        ("attempts", sa.SmallInteger(), "0"),
        ("rows_total", sa.Integer(), "0"),
        ("rows_done", sa.Integer(), "0"),
        ("report", postgresql.JSONB(), "'{}'"),
    )
    for name, kind, value in added:
        op.add_column("company_sources", sa.Column(name, kind, nullable=False, server_default=sa.text(value)))
        op.alter_column("company_sources", name, server_default=None)
    op.add_column("company_sources", sa.Column("failure_code", sa.String(length=64), nullable=True))
    op.add_column("company_sources", sa.Column("finished_at", MOMENT, nullable=True))
    op.execute(
        "UPDATE company_sources SET rows_total = rows_accepted + rows_refused, rows_done = rows_accepted + rows_refused,"
        " finished_at = imported_at"
    )
    checks = {
        "kind": "kind IN ('companies', 'expansions')",
        "status": "status IN ('queued', 'running', 'merging', 'done', 'failed', 'cancelled')",
        "rows": "rows_done BETWEEN 0 AND rows_total AND rows_accepted + rows_refused = rows_done",
        "finished": "(finished_at IS NULL) = (status IN ('queued', 'running', 'merging'))",
    }
    for name, check in checks.items():
        op.create_check_constraint(op.f(f"ck_company_sources_{name}"), "company_sources", check)
    op.drop_constraint(op.f("uq_company_sources_sha256"), "company_sources")
    op.create_index(
        "uq_company_sources_kind_sha256",
        "company_sources",
        ["kind", "sha256"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('failed', 'cancelled')"),
    )
    op.create_index(op.f("ix_company_sources_imported_at_id"), "company_sources", ["imported_at", "id"])


def _expansions() -> None:
    op.create_table(
        "company_expansions",
        *_move_columns(),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("(uscc = '') <> (name = '')", name=op.f("ck_company_expansions_named")),
        _source_key("company_expansions"),
        sa.PrimaryKeyConstraint("uscc", "name", "region_code", "expanded_on", name=op.f("pk_company_expansions")),
    )


def _working_tables() -> None:
    op.create_table(
        "company_import_parts",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        _source_key("company_import_parts"),
        sa.PrimaryKeyConstraint("source_id", "number", name=op.f("pk_company_import_parts")),
    )
    op.create_table(
        "company_quarantine",
        *_row_columns(),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("cells", postgresql.JSONB(), nullable=False),
        _source_key("company_quarantine"),
        sa.PrimaryKeyConstraint("source_id", "row", name=op.f("pk_company_quarantine")),
    )
    op.create_table(
        "incoming_companies",
        *_row_columns(),
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
        _source_key("incoming_companies"),
        sa.PrimaryKeyConstraint("source_id", "row", name=op.f("pk_incoming_companies")),
    )
    op.create_table(
        "incoming_expansions",
        *_row_columns(),
        *_move_columns(),
        _source_key("incoming_expansions"),
        sa.PrimaryKeyConstraint("source_id", "row", name=op.f("pk_incoming_expansions")),
    )


def _row_columns() -> tuple[sa.Column[object], ...]:
    return sa.Column("source_id", sa.Uuid(), nullable=False), sa.Column("row", sa.Integer(), nullable=False)


def _move_columns() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("region_code", sa.String(length=6), nullable=False),
        sa.Column("expanded_on", sa.Date(), nullable=False),
    )


def _source_key(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_source_id_company_sources")
    return sa.ForeignKeyConstraint(["source_id"], ["company_sources.id"], name=name)
