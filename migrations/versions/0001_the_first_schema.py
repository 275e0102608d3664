"""The tables as they first stood.

A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql


class TransactionId(sa.types.UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the column type's name."""
        return "xid8"


revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:  # noqa: PLR0915 - one statement a table
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.create_table(
        "accounts",
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("fund_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('asset', 'liability', 'equity', 'revenue', 'expense')", name=op.f("ck_accounts_kind")
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_accounts")),
    )
    op.create_table(
        "artefacts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('input', 'output')", name=op.f("ck_artefacts_kind")),
        sa.CheckConstraint("size_bytes = octet_length(content)", name=op.f("ck_artefacts_size")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_artefacts")),
    )
    op.create_index(op.f("ix_artefacts_tenant_id_source_id"), "artefacts", ["tenant_id", "source_id"], unique=False)
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("api_client_id", sa.Uuid(), nullable=True),
        sa.Column("actor_name", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("object_kind", sa.String(length=64), nullable=False),
        sa.Column("object_id", sa.String(length=200), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    op.create_index(op.f("ix_audit_entries_tenant_id_at"), "audit_entries", ["tenant_id", "at"], unique=False)
    op.create_table(
        "bank_statements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("imported_by", sa.Uuid(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_statements")),
        sa.UniqueConstraint("sha256", name=op.f("uq_bank_statements_sha256")),
    )
    op.create_table(
        "bookings",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purpose", sa.String(length=500), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("booked_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("failure_reason", sa.String(length=500), nullable=True),
        sa.CheckConstraint("status IN ('booked', 'reported', 'cancelled', 'failed')", name=op.f("ck_bookings_status")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_bookings")),
    )
    op.create_index(op.f("ix_bookings_provider_id_starts_at"), "bookings", ["provider_id", "starts_at"], unique=False)
    op.create_table(
        "cap_counters",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("programme", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("period", sa.String(length=24), nullable=False),
        sa.Column("used_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used_fen >= 0", name=op.f("ck_cap_counters_not_negative")),
        sa.PrimaryKeyConstraint("owner_id", "programme", "scope", "key", "period", name=op.f("pk_cap_counters")),
    )
    op.create_table(
        "company_sources",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("licence", sa.String(length=200), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("rows_accepted", sa.Integer(), nullable=False),
        sa.Column("rows_refused", sa.Integer(), nullable=False),
        sa.Column("imported_by", sa.Uuid(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_company_sources")),
        sa.UniqueConstraint("sha256", name=op.f("uq_company_sources_sha256")),
    )
    op.create_table(
        "funds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('open', 'frozen', 'closed')", name=op.f("ck_funds_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_funds")),
        sa.UniqueConstraint("slug", name=op.f("uq_funds_slug")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("command", sa.String(length=64), nullable=False),
        sa.Column("input_hash", sa.String(length=64), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "invoice_counters",
        sa.Column("legal_entity", sa.String(length=64), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("legal_entity", "year", name=op.f("pk_invoice_counters")),
    )
    op.create_table(
        "invoices",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("legal_entity", sa.String(length=64), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=True),
        sa.Column("gross_fen", sa.BigInteger(), nullable=False),
        sa.Column("subsidy_fen", sa.BigInteger(), nullable=False),
        sa.Column("payable_fen", sa.BigInteger(), nullable=False),
        sa.Column("vat_fen", sa.BigInteger(), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finalized_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finalized_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(status <> 'paid') OR (paid_fen = payable_fen)", name=op.f("ck_invoices_paid_in_full")),
        sa.CheckConstraint("(status = 'draft') = (number IS NULL)", name=op.f("ck_invoices_numbered")),
        sa.CheckConstraint("status IN ('draft', 'finalized', 'paid', 'void')", name=op.f("ck_invoices_status")),
        sa.CheckConstraint("gross_fen = subsidy_fen + payable_fen", name=op.f("ck_invoices_two_payers")),
        sa.CheckConstraint("paid_fen BETWEEN 0 AND payable_fen", name=op.f("ck_invoices_paid")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_invoices_tenant_id_number")),
    )
    op.create_index(
        "uq_invoices_one_a_period",
        "invoices",
        ["tenant_id", "period"],
        unique=True,
        postgresql_where="status <> 'void'",
    )
    op.create_table(
        "journals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("source_kind", sa.String(length=64), nullable=False),
        sa.Column("source_id", sa.String(length=200), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("reverses_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["reverses_id"], ["journals.id"], name=op.f("fk_journals_reverses_id_journals")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journals")),
        sa.UniqueConstraint("source_kind", "source_id", name=op.f("uq_journals_source_kind_source_id")),
    )
    op.create_index(op.f("ix_journals_period"), "journals", ["period"], unique=False)
    op.create_index(op.f("ix_journals_tenant_id_period"), "journals", ["tenant_id", "period"], unique=False)
    op.create_table(
        "meters",
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("event_type", sa.String(length=64), nullable=False),
        sa.Column("aggregation", sa.String(length=64), nullable=False),
        sa.Column("value_property", sa.String(length=200), nullable=True),
        sa.Column("group_by", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("filters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "aggregation IN ('count', 'sum', 'max', 'min', 'avg', 'unique_count', 'latest', 'weighted_sum')",
            name=op.f("ck_meters_aggregation"),
        ),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_meters")),
    )
    op.create_table(
        "organisations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("region_code", sa.String(length=6), nullable=False),
        sa.Column("control_group", sa.Uuid(), nullable=True),
        sa.Column("payment_reference", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('park', 'provider', 'authority', 'operator')", name=op.f("ck_organisations_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
        sa.UniqueConstraint("payment_reference", name=op.f("uq_organisations_payment_reference")),
        sa.UniqueConstraint("uscc", name=op.f("uq_organisations_uscc")),
    )
    op.create_table(
        "payments",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("method IN ('bank_transfer', 'wallet')", name=op.f("ck_payments_method")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_payments_positive")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_payments")),
        sa.UniqueConstraint("tenant_id", "reference", name=op.f("uq_payments_tenant_id_reference")),
    )
    op.create_table(
        "prices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("charge", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("vat_bp", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        postgresql.ExcludeConstraint(
            (sa.column("offering"), "="),
            (sa.text("tstzrange(valid_from, valid_to)"), "&&"),
            using="gist",
            name="ex_prices_one_at_a_time",
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_prices_order")),
        sa.CheckConstraint("vat_bp BETWEEN 0 AND 10000", name=op.f("ck_prices_vat")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prices")),
    )
    op.create_table(
        "programmes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("bounds", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programmes")),
        sa.UniqueConstraint("slug", name=op.f("uq_programmes_slug")),
    )
    op.create_table(
        "quotes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("gross_fen", sa.BigInteger(), nullable=False),
        sa.Column("subsidy_fen", sa.BigInteger(), nullable=False),
        sa.Column("payable_fen", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("gross_fen = subsidy_fen + payable_fen", name=op.f("ck_quotes_two_payers")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_quotes")),
    )
    op.create_index(op.f("ix_quotes_tenant_id_created_at"), "quotes", ["tenant_id", "created_at"], unique=False)
    op.create_table(
        "runs",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("delivery", sa.String(length=64), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("request", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("progress", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("failure_code", sa.String(length=64), nullable=True),
        sa.Column("failure_detail", sa.String(length=2000), nullable=True),
        sa.Column("kpis", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name=op.f("ck_runs_status")
        ),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name=op.f("ck_runs_progress")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_tenant_id_status"), "runs", ["tenant_id", "status"], unique=False)
    op.create_table(
        "subscriptions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tier", sa.String(length=64), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("tenant_id"), "="),
            (sa.text("tstzrange(starts_at, ends_at)"), "&&"),
            using="gist",
            name="ex_subscriptions_one_at_a_time",
        ),
        sa.CheckConstraint("tier IN ('basic', 'enhanced', 'leading')", name=op.f("ck_subscriptions_tier")),
        sa.CheckConstraint("ends_at IS NULL OR ends_at >= starts_at", name=op.f("ck_subscriptions_order")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_subscriptions")),
    )
    op.create_table(
        "usage_events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_in", TransactionId(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "source", "event_id", name=op.f("pk_usage_events")),
    )
    op.create_index(
        op.f("ix_usage_events_tenant_id_type_time"), "usage_events", ["tenant_id", "type", "time"], unique=False
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("login", name=op.f("uq_users_login")),
    )
    op.create_table(
        "wallet_entries",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('top_up', 'hold', 'capture', 'release')", name=op.f("ck_wallet_entries_kind")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_wallet_entries_positive")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_wallet_entries")),
        sa.UniqueConstraint("tenant_id", "kind", "source_id", name=op.f("uq_wallet_entries_tenant_id_kind_source_id")),
    )
    op.create_index(op.f("ix_wallet_entries_tenant_id_at"), "wallet_entries", ["tenant_id", "at"], unique=False)
    op.create_table(
        "wallets",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("available_fen", sa.BigInteger(), nullable=False),
        sa.Column("held_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("available_fen >= 0 AND held_fen >= 0", name=op.f("ck_wallets_never_negative")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_wallets")),
    )
    op.create_table(
        "allocations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_allocations_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoices.tenant_id", "invoices.id"],
            name=op.f("fk_allocations_tenant_id_invoice_id_invoices"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "payment_id"],
            ["payments.tenant_id", "payments.id"],
            name=op.f("fk_allocations_tenant_id_payment_id_payments"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "payment_id", "invoice_id", name=op.f("pk_allocations")),
    )
    op.create_table(
        "api_clients",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_api_clients_created_by_users")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_api_clients_organisation_id_organisations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_clients")),
    )
    op.create_index(op.f("ix_api_clients_organisation_id"), "api_clients", ["organisation_id"], unique=False)
    op.create_table(
        "appropriations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("envelope", sa.String(length=16), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("document_no", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'approved') = (approved_by IS NOT NULL)", name=op.f("ck_appropriations_approval")
        ),
        sa.CheckConstraint("status IN ('requested', 'approved', 'withdrawn')", name=op.f("ck_appropriations_status")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_appropriations_positive")),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> requested_by", name=op.f("ck_appropriations_four_eyes")
        ),
        sa.ForeignKeyConstraint(["fund_id"], ["funds.id"], name=op.f("fk_appropriations_fund_id_funds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appropriations")),
    )
    op.create_index(op.f("ix_appropriations_fund_id"), "appropriations", ["fund_id"], unique=False)
    op.create_table(
        "bank_lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("bank_reference", sa.String(length=200), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("payer", sa.String(length=200), nullable=False),
        sa.Column("remittance", sa.String(length=500), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.CheckConstraint("status IN ('matched', 'unmatched')", name=op.f("ck_bank_lines_status")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_bank_lines_positive")),
        sa.ForeignKeyConstraint(
            ["statement_id"], ["bank_statements.id"], name=op.f("fk_bank_lines_statement_id_bank_statements")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_lines")),
        sa.UniqueConstraint("account", "bank_reference", name=op.f("uq_bank_lines_account_bank_reference")),
    )
    op.create_table(
        "claim_batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('open', 'first_review', 'second_review', 'notice', 'disbursed')",
            name=op.f("ck_claim_batches_status"),
        ),
        sa.ForeignKeyConstraint(["fund_id"], ["funds.id"], name=op.f("fk_claim_batches_fund_id_funds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim_batches")),
        sa.UniqueConstraint("fund_id", "period", name=op.f("uq_claim_batches_fund_id_period")),
    )
    op.create_table(
        "companies",
        sa.Column("uscc", sa.String(length=18), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("region_code", sa.String(length=6), nullable=False),
        sa.Column("industry_code", sa.String(length=4), nullable=False),
        sa.Column("founded_on", sa.Date(), nullable=True),
        sa.Column("capital_fen", sa.BigInteger(), nullable=True),
        sa.Column("expansions", sa.Integer(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'inactive')", name=op.f("ck_companies_status")),
        sa.ForeignKeyConstraint(
            ["source_id"], ["company_sources.id"], name=op.f("fk_companies_source_id_company_sources")
        ),
        sa.PrimaryKeyConstraint("uscc", name=op.f("pk_companies")),
    )
    op.create_index(
        op.f("ix_companies_industry_code_region_code"), "companies", ["industry_code", "region_code"], unique=False
    )
    op.create_table(
        "fund_envelopes",
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("envelope", sa.String(length=16), nullable=False),
        sa.Column("appropriated_fen", sa.BigInteger(), nullable=False),
        sa.Column("available_fen", sa.BigInteger(), nullable=False),
        sa.Column("held_fen", sa.BigInteger(), nullable=False),
        sa.Column("captured_fen", sa.BigInteger(), nullable=False),
        sa.Column("disbursed_fen", sa.BigInteger(), nullable=False),
        sa.Column("returned_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "appropriated_fen = available_fen + held_fen + captured_fen + disbursed_fen + returned_fen",
            name=op.f("ck_fund_envelopes_whole"),
        ),
        sa.CheckConstraint("available_fen >= 0", name=op.f("ck_fund_envelopes_never_overspent")),
        sa.CheckConstraint(
            "held_fen >= 0 AND captured_fen >= 0 AND disbursed_fen >= 0 AND returned_fen >= 0",
            name=op.f("ck_fund_envelopes_not_negative"),
        ),
        sa.ForeignKeyConstraint(["fund_id"], ["funds.id"], name=op.f("fk_fund_envelopes_fund_id_funds")),
        sa.PrimaryKeyConstraint("fund_id", "envelope", name=op.f("pk_fund_envelopes")),
    )
    op.create_table(
        "holds",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("envelope", sa.String(length=16), nullable=False),
        sa.Column("programme", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("captured_fen", sa.BigInteger(), nullable=False),
        sa.Column("ceilings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'captured') = (captured_fen > 0)", name=op.f("ck_holds_captured")),
        sa.CheckConstraint("(status = 'held') = (settled_at IS NULL)", name=op.f("ck_holds_settled")),
        sa.CheckConstraint("status IN ('held', 'captured', 'released', 'expired')", name=op.f("ck_holds_status")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_holds_positive")),
        sa.CheckConstraint("captured_fen BETWEEN 0 AND amount_fen", name=op.f("ck_holds_at_most_held")),
        sa.ForeignKeyConstraint(["fund_id"], ["funds.id"], name=op.f("fk_holds_fund_id_funds")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_holds")),
        sa.UniqueConstraint(
            "tenant_id",
            "order_line_id",
            "programme",
            "fund_id",
            "envelope",
            name=op.f("uq_holds_tenant_id_order_line_id_programme_fund_id_envelope"),
        ),
    )
    op.create_index("ix_holds_open", "holds", ["expires_at"], unique=False, postgresql_where="status = 'held'")
    op.create_index(op.f("ix_holds_tenant_id_order_line_id"), "holds", ["tenant_id", "order_line_id"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('park_admin', 'park_member', 'park_finance', 'subsidy_officer', 'subsidy_approver', 'finance', 'provider', 'operator')",
            name=op.f("ck_memberships_role"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_memberships_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id_users")),
        sa.PrimaryKeyConstraint("organisation_id", "user_id", "role", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_user_id"), "memberships", ["user_id"], unique=False)
    op.create_table(
        "offerings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("tier", sa.String(length=64), nullable=False),
        sa.Column("delivery", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("summary", sa.String(length=1000), nullable=False),
        sa.Column("summary_en", sa.String(length=1000), nullable=False),
        sa.Column("usage_unit", sa.String(length=64), nullable=False),
        sa.Column("build_cost_fen", sa.BigInteger(), nullable=False),
        sa.Column("orderable", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "delivery IN ('twin', 'leads', 'inspection', 'monitoring')", name=op.f("ck_offerings_delivery")
        ),
        sa.CheckConstraint("tier IN ('basic', 'enhanced', 'leading')", name=op.f("ck_offerings_tier")),
        sa.CheckConstraint(
            "usage_unit IN ('run', 'report', 'hour', 'site_month')", name=op.f("ck_offerings_usage_unit")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["organisations.id"], name=op.f("fk_offerings_provider_id_organisations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offerings")),
        sa.UniqueConstraint("slug", name=op.f("uq_offerings_slug")),
    )
    op.create_index(op.f("ix_offerings_provider_id"), "offerings", ["provider_id"], unique=False)
    op.create_table(
        "orders",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("payment_method", sa.String(length=64), nullable=False),
        sa.Column("gross_fen", sa.BigInteger(), nullable=False),
        sa.Column("subsidy_fen", sa.BigInteger(), nullable=False),
        sa.Column("payable_fen", sa.BigInteger(), nullable=False),
        sa.Column("placed_by", sa.Uuid(), nullable=True),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("payment_method IN ('invoice', 'wallet')", name=op.f("ck_orders_payment_method")),
        sa.CheckConstraint("status IN ('placed', 'completed', 'failed', 'cancelled')", name=op.f("ck_orders_status")),
        sa.CheckConstraint("gross_fen = subsidy_fen + payable_fen", name=op.f("ck_orders_two_payers")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "quote_id"],
            ["quotes.tenant_id", "quotes.id"],
            name=op.f("fk_orders_tenant_id_quote_id_quotes"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_orders")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_orders_tenant_id_number")),
        sa.UniqueConstraint("tenant_id", "quote_id", name=op.f("uq_orders_tenant_id_quote_id")),
    )
    op.create_index(op.f("ix_orders_tenant_id_placed_at"), "orders", ["tenant_id", "placed_at"], unique=False)
    op.create_table(
        "parks",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("size", sa.String(length=64), nullable=False),
        sa.Column("verification", sa.String(length=64), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_note", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("size IN ('small', 'medium', 'large')", name=op.f("ck_parks_size")),
        sa.CheckConstraint("verification IN ('pending', 'verified', 'rejected')", name=op.f("ck_parks_verification")),
        sa.ForeignKeyConstraint(["tenant_id"], ["organisations.id"], name=op.f("fk_parks_tenant_id_organisations")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_parks")),
    )
    op.create_table(
        "policy_versions",
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("policy", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("effective_from", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'approved') = (approved_by IS NOT NULL)", name=op.f("ck_policy_versions_approval")
        ),
        sa.CheckConstraint(
            "status IN ('draft', 'submitted', 'approved', 'withdrawn')", name=op.f("ck_policy_versions_status")
        ),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> written_by", name=op.f("ck_policy_versions_four_eyes")
        ),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_policy_versions_programme_id_programmes")
        ),
        sa.PrimaryKeyConstraint("programme_id", "version", name=op.f("pk_policy_versions")),
    )
    op.create_table(
        "postings",
        sa.Column("journal_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.SmallInteger(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("account", sa.String(length=80), nullable=False),
        sa.Column("side", sa.String(length=64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("side IN ('debit', 'credit')", name=op.f("ck_postings_side")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_postings_positive")),
        sa.ForeignKeyConstraint(["account"], ["accounts.code"], name=op.f("fk_postings_account_accounts")),
        sa.ForeignKeyConstraint(["journal_id"], ["journals.id"], name=op.f("fk_postings_journal_id_journals")),
        sa.PrimaryKeyConstraint("journal_id", "line", name=op.f("pk_postings")),
    )
    op.create_index(op.f("ix_postings_account"), "postings", ["account"], unique=False)
    op.create_table(
        "rated_usage",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_source", sa.String(length=200), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("price_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=24, scale=6), nullable=False),
        sa.Column("vat_bp", sa.Integer(), nullable=False),
        sa.Column("gross_fen", sa.BigInteger(), nullable=False),
        sa.Column("subsidy_fen", sa.BigInteger(), nullable=False),
        sa.Column("payable_fen", sa.BigInteger(), nullable=False),
        sa.Column("awards", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("payment_method", sa.String(length=64), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("rated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("gross_fen = subsidy_fen + payable_fen", name=op.f("ck_rated_usage_two_payers")),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_rated_usage_quantity")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "event_source", "event_id"],
            ["usage_events.tenant_id", "usage_events.source", "usage_events.event_id"],
            name=op.f("fk_rated_usage_tenant_id_event_source_event_id_usage_events"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_rated_usage")),
        sa.UniqueConstraint(
            "tenant_id", "event_source", "event_id", name=op.f("uq_rated_usage_tenant_id_event_source_event_id")
        ),
        sa.UniqueConstraint("tenant_id", "order_line_id", name=op.f("uq_rated_usage_tenant_id_order_line_id")),
    )
    op.create_index(op.f("ix_rated_usage_tenant_id_period"), "rated_usage", ["tenant_id", "period"], unique=False)
    op.create_table(
        "access_tokens",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["api_clients.id"], name=op.f("fk_access_tokens_client_id_api_clients")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_access_tokens")),
    )
    op.create_index(op.f("ix_access_tokens_client_id"), "access_tokens", ["client_id"], unique=False)
    op.create_table(
        "claim_lines",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_claim_lines_positive")),
        sa.ForeignKeyConstraint(["batch_id"], ["claim_batches.id"], name=op.f("fk_claim_lines_batch_id_claim_batches")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "hold_id"],
            ["holds.tenant_id", "holds.id"],
            name=op.f("fk_claim_lines_tenant_id_hold_id_holds"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_claim_lines")),
        sa.UniqueConstraint("tenant_id", "hold_id", name=op.f("uq_claim_lines_tenant_id_hold_id")),
    )
    op.create_index(op.f("ix_claim_lines_batch_id"), "claim_lines", ["batch_id"], unique=False)
    op.create_table(
        "fund_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("envelope", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=True),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "destination IN ('appropriated', 'available', 'held', 'captured', 'disbursed', 'returned')",
            name=op.f("ck_fund_entries_destination"),
        ),
        sa.CheckConstraint(
            "source IN ('appropriated', 'available', 'held', 'captured', 'disbursed', 'returned')",
            name=op.f("ck_fund_entries_source"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_fund_entries_positive")),
        sa.ForeignKeyConstraint(
            ["fund_id", "envelope"],
            ["fund_envelopes.fund_id", "fund_envelopes.envelope"],
            name=op.f("fk_fund_entries_fund_id_envelope_fund_envelopes"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fund_entries")),
    )
    op.create_index(op.f("ix_fund_entries_fund_id_at"), "fund_entries", ["fund_id", "at"], unique=False)
    op.create_index(op.f("ix_fund_entries_hold_id"), "fund_entries", ["hold_id"], unique=False)
    op.create_table(
        "instruments",
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("region_code", sa.String(length=6), nullable=False),
        sa.Column("methods", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("opens_hour", sa.SmallInteger(), nullable=False),
        sa.Column("closes_hour", sa.SmallInteger(), nullable=False),
        sa.Column("slot_minutes", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["offering"], ["offerings.slug"], name=op.f("fk_instruments_offering_offerings")),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["organisations.id"], name=op.f("fk_instruments_provider_id_organisations")
        ),
        sa.PrimaryKeyConstraint("provider_id", "id", name=op.f("pk_instruments")),
    )
    op.create_index(op.f("ix_instruments_offering"), "instruments", ["offering"], unique=False)
    op.create_table(
        "invoice_lines",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("rated_usage_id", sa.Uuid(), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=24, scale=6), nullable=False),
        sa.Column("gross_fen", sa.BigInteger(), nullable=False),
        sa.Column("subsidy_fen", sa.BigInteger(), nullable=False),
        sa.Column("payable_fen", sa.BigInteger(), nullable=False),
        sa.Column("vat_bp", sa.Integer(), nullable=False),
        sa.Column("vat_fen", sa.BigInteger(), nullable=False),
        sa.Column("awards", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("gross_fen = subsidy_fen + payable_fen", name=op.f("ck_invoice_lines_two_payers")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoices.tenant_id", "invoices.id"],
            name=op.f("fk_invoice_lines_tenant_id_invoice_id_invoices"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "rated_usage_id"],
            ["rated_usage.tenant_id", "rated_usage.id"],
            name=op.f("fk_invoice_lines_tenant_id_rated_usage_id_rated_usage"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "invoice_id", "line", name=op.f("pk_invoice_lines")),
        sa.UniqueConstraint("tenant_id", "rated_usage_id", name=op.f("uq_invoice_lines_tenant_id_rated_usage_id")),
    )
    op.create_table(
        "order_lines",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price_id", sa.Uuid(), nullable=False),
        sa.Column("vat_bp", sa.Integer(), nullable=False),
        sa.Column("gross_fen", sa.BigInteger(), nullable=False),
        sa.Column("subsidy_fen", sa.BigInteger(), nullable=False),
        sa.Column("payable_fen", sa.BigInteger(), nullable=False),
        sa.Column("awards", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("booking_id", sa.Uuid(), nullable=True),
        sa.Column("result_sha256", sa.String(length=64), nullable=True),
        sa.Column("failure_code", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "status IN ('placed', 'delivered', 'failed', 'cancelled')", name=op.f("ck_order_lines_status")
        ),
        sa.CheckConstraint("gross_fen = subsidy_fen + payable_fen", name=op.f("ck_order_lines_two_payers")),
        sa.CheckConstraint("num_nonnulls(run_id, booking_id) = 1", name=op.f("ck_order_lines_one_delivery")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "booking_id"],
            ["bookings.tenant_id", "bookings.id"],
            name=op.f("fk_order_lines_tenant_id_booking_id_bookings"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_id"],
            ["orders.tenant_id", "orders.id"],
            name=op.f("fk_order_lines_tenant_id_order_id_orders"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"], ["runs.tenant_id", "runs.id"], name=op.f("fk_order_lines_tenant_id_run_id_runs")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_order_lines")),
    )
    op.create_index(op.f("ix_order_lines_tenant_id_order_id"), "order_lines", ["tenant_id", "order_id"], unique=False)
    op.create_table(
        "reservations",
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("during", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("provider_id"), "="),
            (sa.column("instrument_id"), "="),
            (sa.column("during"), "&&"),
            where=sa.text("active"),
            using="gist",
            name="ex_reservations_no_overlap",
        ),
        sa.ForeignKeyConstraint(
            ["provider_id", "instrument_id"],
            ["instruments.provider_id", "instruments.id"],
            name=op.f("fk_reservations_provider_id_instrument_id_instruments"),
        ),
        sa.PrimaryKeyConstraint("provider_id", "id", name=op.f("pk_reservations")),
    )
