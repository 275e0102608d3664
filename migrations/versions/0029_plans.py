"""Plans of the tiers, billing periods of subscriptions, and what each period was charged.

What parks have so far stays as it is: the first version of each plan costs nothing and lets them rent what their tier
did, and their subscriptions are billed by the calendar month.

Follows 0028. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
MOMENT = sa.DateTime(timezone=True)
TIERS = "tier IN ('basic', 'enhanced', 'leading')"
FIRST_PLANS = """
INSERT INTO plans (id, tier, version, name, name_en, monthly_fee_fen, yearly_fee_fen, vat_bp, entitlements, valid_from,
                   created_at)
VALUES
    (gen_random_uuid(), 'basic', 1, '基础层', 'Basic', 0, 0, 600,
     '{"offering_tiers": ["basic"]}', '2000-01-01T00:00:00Z', now()),
    (gen_random_uuid(), 'enhanced', 1, '增强层', 'Enhanced', 0, 0, 600,
     '{"offering_tiers": ["basic", "enhanced"]}', '2000-01-01T00:00:00Z', now()),
    (gen_random_uuid(), 'leading', 1, '引领层', 'Leading', 0, 0, 600,
     '{"offering_tiers": ["basic", "enhanced", "leading"]}', '2000-01-01T00:00:00Z', now())
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _plans()
    _subscriptions()
    _periods()
    _charges()
    for table, change in {"subscription_periods": ", UPDATE (cut_at)", "subscription_charges": ""}.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT, INSERT{change} ON {table} TO marketplace_tenant, marketplace_staff")


def _plans() -> None:
    op.create_table(
        "plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tier", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("monthly_fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("yearly_fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("vat_bp", sa.Integer(), nullable=False),
        sa.Column("entitlements", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("valid_from", MOMENT, nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(TIERS, name=op.f("ck_plans_tier")),
        sa.CheckConstraint("monthly_fee_fen >= 0 AND yearly_fee_fen >= 0", name=op.f("ck_plans_fees")),
        sa.CheckConstraint("vat_bp BETWEEN 0 AND 10000", name=op.f("ck_plans_vat")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("tier", "version", name=op.f("uq_plans_tier_version")),
        sa.UniqueConstraint("tier", "valid_from", name=op.f("uq_plans_tier_valid_from")),
    )
    op.execute("GRANT SELECT ON plans TO marketplace_tenant")
    op.execute("GRANT SELECT, INSERT ON plans TO marketplace_staff")
    op.execute(FIRST_PLANS)


def _subscriptions() -> None:
    op.add_column(
        "subscriptions", sa.Column("billed_every", sa.String(length=64), server_default="month", nullable=False)
    )
    op.add_column(
        "subscriptions", sa.Column("alignment", sa.String(length=64), server_default="calendar", nullable=False)
    )
    op.add_column("subscriptions", sa.Column("anchor_on", sa.Date(), nullable=True))
    op.execute("ALTER TABLE subscriptions NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE subscriptions SET anchor_on = date_trunc('month', starts_at AT TIME ZONE 'Asia/Shanghai')::date")
    op.execute("ALTER TABLE subscriptions FORCE ROW LEVEL SECURITY")
    op.alter_column("subscriptions", "anchor_on", nullable=False)
    op.create_check_constraint(
        op.f("ck_subscriptions_billed_every"), "subscriptions", "billed_every IN ('month', 'year')"
    )
    op.create_check_constraint(
        op.f("ck_subscriptions_alignment"), "subscriptions", "alignment IN ('calendar', 'anniversary')"
    )


def _periods() -> None:
    op.create_table(
        "subscription_periods",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("tier", sa.String(length=64), nullable=False),
        sa.Column("billed_every", sa.String(length=64), nullable=False),
        sa.Column("whole_from", sa.Date(), nullable=False),
        sa.Column("whole_until", sa.Date(), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("cut_at", MOMENT, nullable=True),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("started_at", MOMENT, nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("tenant_id"), "="),
            (sa.text("tstzrange(starts_at, coalesce(cut_at, ends_at))"), "&&"),
            using="gist",
            name="ex_subscription_periods_one_at_a_time",
        ),
        sa.CheckConstraint(TIERS, name=op.f("ck_subscription_periods_tier")),
        sa.CheckConstraint("billed_every IN ('month', 'year')", name=op.f("ck_subscription_periods_billed_every")),
        sa.CheckConstraint(
            "starts_at < ends_at AND whole_from < whole_until", name=op.f("ck_subscription_periods_order")
        ),
        sa.CheckConstraint(
            "cut_at IS NULL OR cut_at BETWEEN starts_at AND ends_at", name=op.f("ck_subscription_periods_cut")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "subscription_id"],
            ["subscriptions.tenant_id", "subscriptions.id"],
            name=op.f("fk_subscription_periods_tenant_id_subscription_id_subscriptions"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "replaces_id"],
            ["subscription_periods.tenant_id", "subscription_periods.id"],
            name=op.f("fk_subscription_periods_tenant_id_replaces_id_subscription_periods"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_subscription_periods")),
        sa.UniqueConstraint(
            "tenant_id",
            "subscription_id",
            "starts_at",
            name=op.f("uq_subscription_periods_tenant_id_subscription_id_starts_at"),
        ),
    )


def _charges() -> None:
    op.create_table(
        "subscription_charges",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("period_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("billed_every", sa.String(length=64), nullable=False),
        sa.Column("whole_from", sa.Date(), nullable=False),
        sa.Column("whole_until", sa.Date(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("due_fen", sa.BigInteger(), nullable=False),
        sa.Column("credit_fen", sa.BigInteger(), nullable=False),
        sa.Column("carried_in_fen", sa.BigInteger(), nullable=False),
        sa.Column("carried_out_fen", sa.BigInteger(), nullable=False),
        sa.Column("charged_fen", sa.BigInteger(), nullable=False),
        sa.Column("charged_at", MOMENT, nullable=False),
        sa.CheckConstraint("billed_every IN ('month', 'year')", name=op.f("ck_subscription_charges_billed_every")),
        sa.CheckConstraint(
            "whole_from <= from_day AND from_day < whole_until", name=op.f("ck_subscription_charges_days")
        ),
        sa.CheckConstraint(
            "charged_fen - carried_out_fen = due_fen - credit_fen - carried_in_fen"
            " AND least(charged_fen, carried_out_fen) = 0 AND least(due_fen, credit_fen, carried_in_fen) >= 0",
            name=op.f("ck_subscription_charges_sums"),
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_subscription_charges_plan_id_plans")),
        sa.PrimaryKeyConstraint("tenant_id", "period_id", name=op.f("pk_subscription_charges")),
        sa.UniqueConstraint("tenant_id", "replaces_id", name=op.f("uq_subscription_charges_tenant_id_replaces_id")),
    )
