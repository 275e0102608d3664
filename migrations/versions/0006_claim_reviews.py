"""Claims: two reviews, public notice with objections, payouts, the history of every line, and acceptance.

Follows 0005. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
OWNED = ("claim_line_events", "claim_objections", "acceptances")
INSTANT = sa.DateTime(timezone=True)

# Lines from before know their payee from the offering's provider and the version's own word. The owner of the tables
# is under their row security too, so it is lifted for this one statement.
FILL = """
    UPDATE claim_lines c SET
        payee_kind = coalesce(v.policy ->> 'payee', 'provider'),
        payee_id = CASE WHEN v.policy ->> 'payee' = 'tenant' THEN c.tenant_id ELSE o.provider_id END
    FROM holds h
    LEFT JOIN order_lines l ON l.tenant_id = h.tenant_id AND l.id = h.order_line_id
    LEFT JOIN offerings o ON o.slug = l.offering
    LEFT JOIN programmes p ON p.slug = h.programme
    LEFT JOIN policy_versions v ON v.programme_id = p.id AND v.version = h.version
    WHERE h.tenant_id = c.tenant_id AND h.id = c.hold_id
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _batches()
    _payouts()
    _lines()
    _events()
    _objections()
    _acceptances()
    for table in OWNED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT ON claim_line_events, acceptances TO marketplace_tenant, marketplace_staff")
    # Who objects is nobody's business but the reviewers'.
    op.execute(
        "GRANT SELECT (tenant_id, id, line_id, batch_id, reason, status, recorded_at, decided_at, decision)"
        " ON claim_objections TO marketplace_tenant"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON claim_objections TO marketplace_staff")
    op.execute("ALTER TABLE payouts ENABLE ROW LEVEL SECURITY")
    mine = "payee_kind = 'tenant' AND payee_id = current_tenant()"
    op.execute(f"CREATE POLICY tenant ON payouts TO marketplace_tenant USING ({mine}) WITH CHECK ({mine})")
    op.execute("CREATE POLICY staff ON payouts TO marketplace_staff USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT ON payouts TO marketplace_tenant")
    op.execute("GRANT SELECT, INSERT, UPDATE ON payouts TO marketplace_staff")
    # A park completes its own line that was sent back, or gives it up; it never says who is paid, or that it was.
    op.execute("GRANT UPDATE (batch_id, status) ON claim_lines TO marketplace_tenant")
    op.execute("GRANT UPDATE (batch_id, status, payout_id) ON claim_lines TO marketplace_staff")


def _batches() -> None:
    for name in ("submitted", "first_reviewed", "second_reviewed"):
        op.add_column("claim_batches", sa.Column(f"{name}_by", sa.Uuid(), nullable=True))
        op.add_column("claim_batches", sa.Column(f"{name}_at", INSTANT, nullable=True))
    for name in ("notice_from", "notice_until", "done_at"):
        op.add_column("claim_batches", sa.Column(name, INSTANT, nullable=True))
    op.drop_constraint(op.f("ck_claim_batches_status"), "claim_batches")
    for name, condition in {
        "status": "status IN ('open', 'first_review', 'second_review', 'notice', 'disbursed', 'done')",
        "submitted": "(status = 'open') = (submitted_by IS NULL)",
        "first_reviewer_is_another": "first_reviewed_by <> submitted_by",
        "second_reviewer_is_another": (
            "second_reviewed_by <> submitted_by AND second_reviewed_by <> first_reviewed_by"
        ),
        "first_review_first": "second_reviewed_by IS NULL OR first_reviewed_by IS NOT NULL",
        "reviewed_twice": (
            "status NOT IN ('notice', 'disbursed') OR (second_reviewed_by IS NOT NULL AND notice_until IS NOT NULL)"
        ),
        "notice_long_enough": "notice_until >= notice_from + interval '5 days'",
    }.items():
        op.create_check_constraint(op.f(f"ck_claim_batches_{name}"), "claim_batches", condition)
    op.create_unique_constraint(
        op.f("uq_claim_batches_id_first_reviewed_by_second_reviewed_by"),
        "claim_batches",
        ["id", "first_reviewed_by", "second_reviewed_by"],
    )


def _payouts() -> None:
    op.create_table(
        "payouts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("first_reviewed_by", sa.Uuid(), nullable=False),
        sa.Column("second_reviewed_by", sa.Uuid(), nullable=False),
        sa.Column("payee_kind", sa.String(length=64), nullable=False),
        sa.Column("payee_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("prepared_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("payment_reference", sa.String(length=200), nullable=True),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("paid_by", sa.Uuid(), nullable=True),
        sa.Column("paid_at", INSTANT, nullable=True),
        sa.CheckConstraint("payee_kind IN ('provider', 'tenant')", name=op.f("ck_payouts_payee_kind")),
        sa.CheckConstraint("status IN ('pending', 'paid')", name=op.f("ck_payouts_status")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_payouts_positive")),
        sa.CheckConstraint(
            "(status = 'paid') = (num_nonnulls(payment_reference, paid_on, paid_by, paid_at) = 4)",
            name=op.f("ck_payouts_paid"),
        ),
        sa.CheckConstraint(
            "status = 'paid' OR num_nonnulls(payment_reference, paid_on, paid_by, paid_at) = 0",
            name=op.f("ck_payouts_unpaid"),
        ),
        sa.CheckConstraint(
            "prepared_by NOT IN (first_reviewed_by, second_reviewed_by)"
            " AND (paid_by IS NULL OR paid_by NOT IN (first_reviewed_by, second_reviewed_by))",
            name=op.f("ck_payouts_payer_did_not_review"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id", "first_reviewed_by", "second_reviewed_by"],
            ["claim_batches.id", "claim_batches.first_reviewed_by", "claim_batches.second_reviewed_by"],
            name="fk_payouts_reviewers_claim_batches",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payouts")),
        sa.UniqueConstraint("payment_reference", name=op.f("uq_payouts_payment_reference")),
    )
    op.create_index(op.f("ix_payouts_batch_id"), "payouts", ["batch_id"])
    op.create_index(op.f("ix_payouts_payee_id"), "payouts", ["payee_id"])


def _lines() -> None:
    op.add_column("claim_lines", sa.Column("status", sa.String(length=64), nullable=False, server_default="claimed"))
    op.alter_column("claim_lines", "status", server_default=None)
    op.add_column("claim_lines", sa.Column("payee_kind", sa.String(length=64), nullable=True))
    op.add_column("claim_lines", sa.Column("payee_id", sa.Uuid(), nullable=True))
    op.add_column("claim_lines", sa.Column("payout_id", sa.Uuid(), nullable=True))
    under_security = ("claim_lines", "holds", "order_lines")
    for table in under_security:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(FILL)
    for table in under_security:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.alter_column("claim_lines", "payee_kind", nullable=False)
    for name, condition in {
        "status": "status IN ('claimed', 'returned', 'given_up', 'paid')",
        "payee_kind": "payee_kind IN ('provider', 'tenant')",
        "paid_by_a_payout": "status <> 'paid' OR payout_id IS NOT NULL",
        "no_payout_of_what_went_back": "status IN ('claimed', 'paid') OR payout_id IS NULL",
        "payee": "payout_id IS NULL OR payee_id IS NOT NULL",
    }.items():
        op.create_check_constraint(op.f(f"ck_claim_lines_{name}"), "claim_lines", condition)
    op.create_foreign_key(op.f("fk_claim_lines_payout_id_payouts"), "claim_lines", "payouts", ["payout_id"], ["id"])
    op.create_index(op.f("ix_claim_lines_payout_id"), "claim_lines", ["payout_id"])
    op.create_index(op.f("ix_claim_lines_payee_id"), "claim_lines", ["payee_id"])


def _events() -> None:
    op.create_table(
        "claim_line_events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("details", JSONB(), nullable=False),
        sa.Column("evidence_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["claim_batches.id"], name=op.f("fk_claim_line_events_batch_id_claim_batches")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "line_id"],
            ["claim_lines.tenant_id", "claim_lines.id"],
            name=op.f("fk_claim_line_events_tenant_id_line_id_claim_lines"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "evidence_id"],
            ["evidence_files.tenant_id", "evidence_files.id"],
            name=op.f("fk_claim_line_events_tenant_id_evidence_id_evidence_files"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_claim_line_events")),
    )
    op.create_index(op.f("ix_claim_line_events_tenant_id_line_id"), "claim_line_events", ["tenant_id", "line_id"])
    op.create_index(op.f("ix_claim_line_events_batch_id_kind"), "claim_line_events", ["batch_id", "kind"])


def _objections() -> None:
    op.create_table(
        "claim_objections",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("objector", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("decision", sa.String(length=500), nullable=False),
        sa.CheckConstraint("status IN ('open', 'upheld', 'dismissed')", name=op.f("ck_claim_objections_status")),
        sa.CheckConstraint("(status = 'open') = (decided_by IS NULL)", name=op.f("ck_claim_objections_decided")),
        sa.CheckConstraint("decided_by <> recorded_by", name=op.f("ck_claim_objections_four_eyes")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["claim_batches.id"], name=op.f("fk_claim_objections_batch_id_claim_batches")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "line_id"],
            ["claim_lines.tenant_id", "claim_lines.id"],
            name=op.f("fk_claim_objections_tenant_id_line_id_claim_lines"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_claim_objections")),
    )
    op.create_index(op.f("ix_claim_objections_batch_id"), "claim_objections", ["batch_id"])
    op.create_index(
        "uq_claim_objections_one_open",
        "claim_objections",
        ["tenant_id", "line_id"],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
    )


def _acceptances() -> None:
    op.create_table(
        "acceptances",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.CheckConstraint("kind IN ('accepted', 'disputed', 'automatic')", name=op.f("ck_acceptances_kind")),
        sa.CheckConstraint("(kind = 'automatic') = (user_id IS NULL)", name=op.f("ck_acceptances_by_a_person")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_acceptances")),
    )
    op.create_index(
        op.f("ix_acceptances_tenant_id_order_line_id_at"), "acceptances", ["tenant_id", "order_line_id", "at"]
    )
