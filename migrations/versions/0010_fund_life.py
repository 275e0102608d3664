"""The life of a fund: allotment transfers, returns, carry-over, states held by the database, alerts.

Follows 0009. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

PLACES = "'appropriated', 'transferred', 'carried', 'available', 'held', 'captured', 'disbursed', 'returned'"
OPEN_OR_ENDED = "('requested', 'approved', 'rejected', 'withdrawn')"
ENDED = "(status IN ('rejected', 'withdrawn')) = (ended_by IS NOT NULL AND ended_at IS NOT NULL AND ended_reason IS NOT NULL)"

GUARDS = """
CREATE FUNCTION guard_fund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a fund is closed, never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.id <> OLD.id OR NEW.slug <> OLD.slug OR NEW.year <> OLD.year THEN
        RAISE EXCEPTION 'a fund keeps its code and year' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN
        (('open', 'frozen'), ('frozen', 'open'), ('open', 'closed'), ('frozen', 'closed')) THEN
        RAISE EXCEPTION 'a fund does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_funds_life';
    END IF;
    IF NEW.status = 'closed' AND OLD.status <> 'closed' AND EXISTS (
        SELECT FROM fund_envelopes WHERE fund_id = NEW.id AND available_fen + held_fen + captured_fen > 0) THEN
        RAISE EXCEPTION 'fund % still has money that is not disbursed', NEW.slug
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_funds_settled';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER life BEFORE UPDATE OR DELETE ON funds FOR EACH ROW EXECUTE FUNCTION guard_fund();
CREATE TRIGGER kept BEFORE DELETE ON fund_envelopes FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE FUNCTION refuse_change_of_decided() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.status <> 'requested' THEN
        RAISE EXCEPTION 'what was decided in % stays decided', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER decided BEFORE UPDATE OR DELETE ON appropriations
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_decided();
CREATE TRIGGER decided BEFORE UPDATE OR DELETE ON fund_transfers
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_decided();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON appropriation_parts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

# What was appropriated before the books kept budgets: one journal for each, as of its approval.
OPENING = """
INSERT INTO accounts (code, kind, tenant_id, fund_id)
SELECT 'budget:treasury', 'liability', NULL, NULL WHERE EXISTS (SELECT FROM appropriations WHERE status = 'approved')
UNION ALL
SELECT DISTINCT 'budget:fund:' || fund_id, 'asset', CAST(NULL AS uuid), fund_id FROM appropriations
WHERE status = 'approved'
ON CONFLICT DO NOTHING;
WITH posted AS (
    INSERT INTO journals (id, tenant_id, source_kind, source_id, period, description, reverses_id, user_id, occurred_at)
    SELECT gen_random_uuid(), NULL, 'appropriation', CAST(id AS text),
           to_char(approved_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM'), '预算拨入专项资金', NULL, approved_by, approved_at
    FROM appropriations WHERE status = 'approved'
    RETURNING id, source_id
)
INSERT INTO postings (journal_id, line, tenant_id, account, side, amount_fen)
SELECT posted.id, side.line, NULL, CASE side.line WHEN 1 THEN 'budget:fund:' || a.fund_id ELSE 'budget:treasury' END,
       side.name, a.amount_fen
FROM posted JOIN appropriations a ON CAST(a.id AS text) = posted.source_id
CROSS JOIN (VALUES (1, 'debit'), (2, 'credit')) AS side (line, name);
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _funds()
    _envelopes()
    _entries()
    _appropriations()
    _transfers()
    _alerts()
    op.execute(GUARDS)
    op.execute(OPENING)
    op.execute("GRANT SELECT, INSERT ON appropriation_parts TO marketplace_staff")
    op.execute("GRANT SELECT, INSERT, UPDATE ON fund_transfers, fund_alerts TO marketplace_staff")


def _funds() -> None:
    op.add_column("funds", sa.Column("status_reason", sa.String(length=200), nullable=True))
    op.add_column("funds", sa.Column("status_by", sa.Uuid(), nullable=True))
    op.add_column("funds", sa.Column("status_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("funds", sa.Column("low_share_bp", sa.Integer(), nullable=True))
    op.add_column("funds", sa.Column("low_days", sa.Integer(), nullable=True))
    op.execute("UPDATE funds SET low_share_bp = 2000, low_days = 30")
    op.execute("UPDATE funds SET status_reason = '—', status_at = created_at WHERE status <> 'open'")
    op.create_check_constraint(op.f("ck_funds_low_share"), "funds", "low_share_bp BETWEEN 1 AND 9999")
    op.create_check_constraint(op.f("ck_funds_low_days"), "funds", "low_days BETWEEN 1 AND 366")
    op.create_check_constraint(
        op.f("ck_funds_stopped"), "funds", "status = 'open' OR (status_reason IS NOT NULL AND status_at IS NOT NULL)"
    )


def _envelopes() -> None:
    for name in ("transferred_fen", "carried_fen"):
        op.add_column("fund_envelopes", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
        op.alter_column("fund_envelopes", name, server_default=None)
    op.drop_constraint(op.f("ck_fund_envelopes_whole"), "fund_envelopes", type_="check")
    op.create_check_constraint(
        op.f("ck_fund_envelopes_whole"),
        "fund_envelopes",
        "appropriated_fen + transferred_fen + carried_fen"
        " = available_fen + held_fen + captured_fen + disbursed_fen + returned_fen",
    )


def _entries() -> None:
    op.add_column("fund_entries", sa.Column("counterpart_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_fund_entries_counterpart_id_fund_entries"),
        "fund_entries",
        "fund_entries",
        ["counterpart_id"],
        ["id"],
        deferrable=True,
        initially="DEFERRED",
    )
    for side in ("source", "destination"):
        op.drop_constraint(op.f(f"ck_fund_entries_{side}"), "fund_entries", type_="check")
        op.create_check_constraint(op.f(f"ck_fund_entries_{side}"), "fund_entries", f"{side} IN ({PLACES})")
    op.create_check_constraint(
        op.f("ck_fund_entries_paired"),
        "fund_entries",
        "(source IN ('transferred', 'carried') OR destination IN ('transferred', 'carried'))"
        " = (counterpart_id IS NOT NULL)",
    )


def _appropriations() -> None:
    op.add_column("appropriations", sa.Column("ended_by", sa.Uuid(), nullable=True))
    op.add_column("appropriations", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("appropriations", sa.Column("ended_reason", sa.String(length=200), nullable=True))
    op.drop_constraint(op.f("ck_appropriations_status"), "appropriations", type_="check")
    op.create_check_constraint(op.f("ck_appropriations_status"), "appropriations", f"status IN {OPEN_OR_ENDED}")
    op.create_check_constraint(op.f("ck_appropriations_ended"), "appropriations", ENDED)
    op.create_check_constraint(
        op.f("ck_appropriations_rejected"), "appropriations", "status <> 'rejected' OR ended_by <> requested_by"
    )
    op.create_table(
        "appropriation_parts",
        sa.Column("appropriation_id", sa.Uuid(), nullable=False),
        sa.Column("envelope", sa.String(length=16), nullable=False),
        sa.Column("share_bp", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_appropriation_parts_positive")),
        sa.CheckConstraint("share_bp BETWEEN 1 AND 10000", name=op.f("ck_appropriation_parts_share")),
        sa.ForeignKeyConstraint(
            ["appropriation_id"],
            ["appropriations.id"],
            name=op.f("fk_appropriation_parts_appropriation_id_appropriations"),
        ),
        sa.PrimaryKeyConstraint("appropriation_id", "envelope", name=op.f("pk_appropriation_parts")),
    )


def _transfers() -> None:
    op.create_table(
        "fund_transfers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("envelope", sa.String(length=16), nullable=True),
        sa.Column("to_fund_id", sa.Uuid(), nullable=True),
        sa.Column("to_envelope", sa.String(length=16), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("document_no", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_reason", sa.String(length=200), nullable=True),
        sa.CheckConstraint("kind IN ('transfer', 'return', 'carry_over')", name=op.f("ck_fund_transfers_kind")),
        sa.CheckConstraint(f"status IN {OPEN_OR_ENDED}", name=op.f("ck_fund_transfers_status")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_fund_transfers_positive")),
        sa.CheckConstraint(
            "CASE kind WHEN 'transfer' THEN envelope IS NOT NULL AND to_envelope IS NOT NULL"
            " AND to_envelope <> envelope AND to_fund_id = fund_id AND to_fund_id IS NOT NULL AND amount_fen IS NOT NULL"
            " WHEN 'return' THEN envelope IS NOT NULL AND to_envelope IS NULL AND to_fund_id IS NULL"
            " AND amount_fen IS NOT NULL"
            " ELSE envelope IS NULL AND to_envelope IS NULL AND to_fund_id IS NOT NULL AND to_fund_id <> fund_id"
            " AND (amount_fen IS NOT NULL) = (status = 'approved') END",
            name=op.f("ck_fund_transfers_shape"),
        ),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> requested_by", name=op.f("ck_fund_transfers_four_eyes")
        ),
        sa.CheckConstraint(
            "(status = 'approved') = (approved_by IS NOT NULL)", name=op.f("ck_fund_transfers_approval")
        ),
        sa.CheckConstraint(ENDED, name=op.f("ck_fund_transfers_ended")),
        sa.CheckConstraint("status <> 'rejected' OR ended_by <> requested_by", name=op.f("ck_fund_transfers_rejected")),
        sa.ForeignKeyConstraint(["fund_id"], ["funds.id"], name=op.f("fk_fund_transfers_fund_id_funds")),
        sa.ForeignKeyConstraint(["to_fund_id"], ["funds.id"], name=op.f("fk_fund_transfers_to_fund_id_funds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fund_transfers")),
    )
    op.create_index(op.f("ix_fund_transfers_fund_id"), "fund_transfers", ["fund_id"], unique=False)
    op.create_index(op.f("ix_fund_transfers_to_fund_id"), "fund_transfers", ["to_fund_id"], unique=False)


def _alerts() -> None:
    op.create_table(
        "fund_alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("available_fen", sa.BigInteger(), nullable=False),
        sa.Column("budget_fen", sa.BigInteger(), nullable=False),
        sa.Column("runs_out_on", sa.Date(), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Uuid(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.CheckConstraint("kind IN ('low_balance', 'burn_rate')", name=op.f("ck_fund_alerts_kind")),
        sa.CheckConstraint(
            "(acknowledged_by IS NULL) = (acknowledged_at IS NULL)", name=op.f("ck_fund_alerts_acknowledged")
        ),
        sa.ForeignKeyConstraint(["fund_id"], ["funds.id"], name=op.f("fk_fund_alerts_fund_id_funds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fund_alerts")),
    )
    op.create_index(
        "uq_fund_alerts_standing",
        "fund_alerts",
        ["fund_id", "kind"],
        unique=True,
        postgresql_where="cleared_at IS NULL",
    )
