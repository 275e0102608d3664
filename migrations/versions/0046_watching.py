"""Rules and alarms, baselines, work orders with their steps, and forecasts.

Follows 0045. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
CHANGES = {
    "alarm_rules": "crossings, is_on, beyond_since, seen_until, looked_at, ended_at",
    "alarms": "level, step_due_at, acknowledged_by, acknowledged_at, note, ended_at",
    "alarm_steps": "",
    "meter_baselines": "",
    "meter_watches": "counted_from, evaluated_at, found",
    "work_orders": "status, respond_by, level, holder, accepted_at, closed_at, outcome, saving, verified_at",
    "work_order_steps": "",
    "meter_forecasts": "",
}
"""What may be changed of each table; of the others nothing."""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "alarm_rules",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("meter_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("threshold", sa.Numeric(precision=20, scale=6), nullable=True),
        sa.Column("hysteresis", sa.Numeric(precision=20, scale=6), nullable=False),
        sa.Column("hold_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_until", sa.Time(), nullable=True),
        sa.Column("steps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("crossings", sa.Integer(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("beyond_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(kind = 'silent') = (threshold IS NULL)", name=op.f("ck_alarm_rules_threshold")),
        sa.CheckConstraint("kind <> 'silent' OR hold_minutes > 0", name=op.f("ck_alarm_rules_heartbeat")),
        sa.CheckConstraint("kind IN ('above', 'below', 'silent')", name=op.f("ck_alarm_rules_kind")),
        sa.CheckConstraint("(quiet_from IS NULL) = (quiet_until IS NULL)", name=op.f("ck_alarm_rules_quiet")),
        sa.CheckConstraint("crossings >= 0", name=op.f("ck_alarm_rules_crossings")),
        sa.CheckConstraint("hysteresis >= 0 AND hold_minutes BETWEEN 0 AND 1440", name=op.f("ck_alarm_rules_hold")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "meter_id"],
            ["site_meters.tenant_id", "site_meters.id"],
            name=op.f("fk_alarm_rules_tenant_id_meter_id_site_meters"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alarm_rules")),
    )
    op.create_index(
        "ix_alarm_rules_running", "alarm_rules", ["tenant_id"], postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_index(op.f("ix_alarm_rules_tenant_id_meter_id"), "alarm_rules", ["tenant_id", "meter_id"])

    op.create_table(
        "meter_baselines",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("meter_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("trained_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trained_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fitted_by", sa.Uuid(), nullable=True),
        sa.Column("fitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version > 0 AND trained_from < trained_until", name=op.f("ck_meter_baselines_trained")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "meter_id"],
            ["site_meters.tenant_id", "site_meters.id"],
            name=op.f("fk_meter_baselines_tenant_id_meter_id_site_meters"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_meter_baselines")),
        sa.UniqueConstraint(
            "tenant_id", "meter_id", "version", name=op.f("uq_meter_baselines_tenant_id_meter_id_version")
        ),
    )

    op.create_table(
        "meter_forecasts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("meter_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "meter_id"],
            ["site_meters.tenant_id", "site_meters.id"],
            name=op.f("fk_meter_forecasts_tenant_id_meter_id_site_meters"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "meter_id", "day", name=op.f("pk_meter_forecasts")),
    )

    op.create_table(
        "meter_watches",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("meter_id", sa.Uuid(), nullable=False),
        sa.Column("counted_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evaluated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("found", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "meter_id"],
            ["site_meters.tenant_id", "site_meters.id"],
            name=op.f("fk_meter_watches_tenant_id_meter_id_site_meters"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "meter_id", name=op.f("pk_meter_watches")),
    )

    op.create_table(
        "alarms",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("crossing", sa.Integer(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Numeric(precision=24, scale=6), nullable=True),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("step_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Uuid(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.String(length=500), server_default="", nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(acknowledged_by IS NULL) = (acknowledged_at IS NULL)", name=op.f("ck_alarms_acknowledged")
        ),
        sa.CheckConstraint("level BETWEEN 0 AND 5 AND crossing > 0", name=op.f("ck_alarms_level")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "rule_id"],
            ["alarm_rules.tenant_id", "alarm_rules.id"],
            name=op.f("fk_alarms_tenant_id_rule_id_alarm_rules"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alarms")),
        sa.UniqueConstraint("tenant_id", "rule_id", "crossing", name=op.f("uq_alarms_tenant_id_rule_id_crossing")),
    )
    op.create_index("ix_alarms_due", "alarms", ["step_due_at"], postgresql_where=sa.text("step_due_at IS NOT NULL"))
    op.create_index(op.f("ix_alarms_tenant_id_raised_at"), "alarms", ["tenant_id", "raised_at"])

    op.create_table(
        "work_orders",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("meter_id", sa.Uuid(), nullable=False),
        sa.Column("baseline_id", sa.Uuid(), nullable=False),
        sa.Column("direction", sa.String(length=64), nullable=False),
        sa.Column("cause", sa.String(length=64), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("found_day", sa.Date(), nullable=False),
        sa.Column("excess", sa.Numeric(precision=20, scale=3), nullable=False),
        sa.Column("share_bp", sa.Integer(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("respond_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("holder", sa.Uuid(), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=64), nullable=True),
        sa.Column("saving", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'closed') = (closed_at IS NOT NULL AND outcome IS NOT NULL)", name=op.f("ck_work_orders_closed")
        ),
        sa.CheckConstraint(
            "(status = 'open') = (accepted_at IS NULL) OR status = 'closed'", name=op.f("ck_work_orders_accepted")
        ),
        sa.CheckConstraint("direction IN ('high', 'low')", name=op.f("ck_work_orders_direction")),
        sa.CheckConstraint("outcome IN ('fixed', 'no_fault', 'accepted_change')", name=op.f("ck_work_orders_outcome")),
        sa.CheckConstraint("status IN ('open', 'accepted', 'closed')", name=op.f("ck_work_orders_status")),
        sa.CheckConstraint("(saving IS NULL) = (verified_at IS NULL)", name=op.f("ck_work_orders_verified")),
        sa.CheckConstraint("level BETWEEN 0 AND 3", name=op.f("ck_work_orders_level")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "baseline_id"],
            ["meter_baselines.tenant_id", "meter_baselines.id"],
            name=op.f("fk_work_orders_tenant_id_baseline_id_meter_baselines"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "meter_id"],
            ["site_meters.tenant_id", "site_meters.id"],
            name=op.f("fk_work_orders_tenant_id_meter_id_site_meters"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["sites.tenant_id", "sites.id"],
            name=op.f("fk_work_orders_tenant_id_site_id_sites"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_work_orders")),
    )
    op.create_index("ix_work_orders_due", "work_orders", ["respond_by"], postgresql_where=sa.text("status = 'open'"))
    op.create_index(op.f("ix_work_orders_tenant_id_found_at"), "work_orders", ["tenant_id", "found_at"])
    op.create_index(
        "uq_work_orders_open",
        "work_orders",
        ["tenant_id", "meter_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'closed'"),
    )

    op.create_table(
        "alarm_steps",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("alarm_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "alarm_id"],
            ["alarms.tenant_id", "alarms.id"],
            name=op.f("fk_alarm_steps_tenant_id_alarm_id_alarms"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "alarm_id", "level", name=op.f("pk_alarm_steps")),
    )

    op.create_table(
        "work_order_steps",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("work_order_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("person", sa.Uuid(), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('found', 'escalated', 'accepted', 'handed_over', 'noted', 'closed', 'verified')",
            name=op.f("ck_work_order_steps_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "work_order_id"],
            ["work_orders.tenant_id", "work_orders.id"],
            name=op.f("fk_work_order_steps_tenant_id_work_order_id_work_orders"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "work_order_id", "number", name=op.f("pk_work_order_steps")),
    )
    for table, columns in CHANGES.items():
        change = f", UPDATE ({columns})" if columns else ""
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT, INSERT{change} ON {table} TO marketplace_tenant, marketplace_staff")
