"""Sites, months of standing services for them, the days on which these worked, and standing orders.

Follows 0031. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
CHANGES = {
    "sites": "name, address, latitude, longitude, floor_area_m2, closed_at",
    "site_months": "status, record_sha256, closed_at",
    "site_activities": "count, first_at, last_at",
    "standing_orders": "next_month, status, halt_code, halt_reason, closed_at",
}
KINDS = "delivery IN ('monitoring', 'alarms', 'carbon')"


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.create_table(
        "sites",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=200), server_default="", nullable=False),
        sa.Column("latitude", sa.Numeric(9, 6), nullable=True),
        sa.Column("longitude", sa.Numeric(9, 6), nullable=True),
        sa.Column("floor_area_m2", sa.Numeric(12, 2), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180", name=op.f("ck_sites_position")
        ),
        sa.CheckConstraint("floor_area_m2 > 0", name=op.f("ck_sites_floor_area")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sites")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_sites_tenant_id_name")),
    )
    _months()
    op.create_table(
        "site_activities",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("delivery", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(KINDS, name=op.f("ck_site_activities_delivery")),
        sa.CheckConstraint("count > 0 AND first_at <= last_at", name=op.f("ck_site_activities_count")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["sites.tenant_id", "sites.id"],
            name=op.f("fk_site_activities_tenant_id_site_id_sites"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "site_id", "delivery", "day", name=op.f("pk_site_activities")),
    )
    _lines()
    _standing_orders()
    for table, columns in CHANGES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT, INSERT, UPDATE ({columns}) ON {table} TO marketplace_tenant, marketplace_staff")


def _months() -> None:
    op.create_table(
        "site_months",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("delivery", sa.String(length=64), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("record_sha256", sa.String(length=64), nullable=True),
        sa.Column("booked_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(KINDS, name=op.f("ck_site_months_delivery")),
        sa.CheckConstraint(
            "status IN ('booked', 'delivered', 'failed', 'cancelled')", name=op.f("ck_site_months_status")
        ),
        sa.CheckConstraint("extract(day FROM month) = 1 AND starts_at < ends_at", name=op.f("ck_site_months_month")),
        sa.CheckConstraint("(status = 'delivered') = (record_sha256 IS NOT NULL)", name=op.f("ck_site_months_record")),
        sa.CheckConstraint("(status = 'booked') = (closed_at IS NULL)", name=op.f("ck_site_months_closed")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["sites.tenant_id", "sites.id"],
            name=op.f("fk_site_months_tenant_id_site_id_sites"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_site_months")),
    )
    op.create_index(
        "uq_site_months_taken",
        "site_months",
        ["tenant_id", "site_id", "delivery", "month"],
        unique=True,
        postgresql_where=sa.text("status IN ('booked', 'delivered')"),
    )
    op.create_index("ix_site_months_open", "site_months", ["ends_at"], postgresql_where=sa.text("status = 'booked'"))
    op.create_index(op.f("ix_site_months_closed_at"), "site_months", ["closed_at"])


def _lines() -> None:
    """Let a line be delivered by a site's month, and the offerings be rented that were only listed."""
    op.add_column("order_lines", sa.Column("site_month_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_order_lines_tenant_id_site_month_id_site_months"),
        "order_lines",
        "site_months",
        ["tenant_id", "site_month_id"],
        ["tenant_id", "id"],
    )
    op.drop_constraint(op.f("ck_order_lines_one_delivery"), "order_lines")
    op.create_check_constraint(
        op.f("ck_order_lines_one_delivery"), "order_lines", "num_nonnulls(run_id, booking_id, site_month_id) = 1"
    )
    op.drop_constraint(op.f("ck_offerings_delivery"), "offerings")
    op.create_check_constraint(
        op.f("ck_offerings_delivery"),
        "offerings",
        "delivery IN ('twin', 'leads', 'inspection', 'monitoring', 'alarms', 'carbon')",
    )
    # The demo's alarms were listed as monitoring before they could be rented.
    op.execute("UPDATE offerings SET delivery = 'alarms' WHERE slug = 'simple-alarms' AND delivery = 'monitoring'")
    op.execute("UPDATE offerings SET orderable = true WHERE delivery IN ('monitoring', 'alarms')")


def _standing_orders() -> None:
    op.create_table(
        "standing_orders",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("payment_method", sa.String(length=64), nullable=False),
        sa.Column("most_payable_fen", sa.BigInteger(), nullable=False),
        sa.Column("next_month", sa.Date(), nullable=False),
        sa.Column("last_month", sa.Date(), nullable=True),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("halt_code", sa.String(length=64), nullable=True),
        sa.Column("halt_reason", sa.String(length=500), nullable=True),
        sa.Column("ordered_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('running', 'ended', 'stopped', 'halted')", name=op.f("ck_standing_orders_status")
        ),
        sa.CheckConstraint("payment_method IN ('invoice', 'wallet')", name=op.f("ck_standing_orders_payment_method")),
        sa.CheckConstraint(
            "extract(day FROM next_month) = 1 AND extract(day FROM last_month) = 1",
            name=op.f("ck_standing_orders_months"),
        ),
        sa.CheckConstraint("(status = 'running') = (closed_at IS NULL)", name=op.f("ck_standing_orders_closed")),
        sa.CheckConstraint(
            "(status = 'halted') = (halt_code IS NOT NULL AND halt_reason IS NOT NULL)",
            name=op.f("ck_standing_orders_halted"),
        ),
        sa.CheckConstraint(
            "status <> 'running' OR last_month IS NULL OR next_month <= last_month",
            name=op.f("ck_standing_orders_running"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["sites.tenant_id", "sites.id"],
            name=op.f("fk_standing_orders_tenant_id_site_id_sites"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_id"],
            ["orders.tenant_id", "orders.id"],
            name=op.f("fk_standing_orders_tenant_id_order_id_orders"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_standing_orders")),
    )
    op.create_index(
        "uq_standing_orders_running",
        "standing_orders",
        ["tenant_id", "site_id", "offering"],
        unique=True,
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index(
        "ix_standing_orders_due", "standing_orders", ["next_month"], postgresql_where=sa.text("status = 'running'")
    )
