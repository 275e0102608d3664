"""Yearly true-ups of joint facilities: proposed, approved by another, reversed; a closed year takes no more uses.

Follows 0056. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
MEMBERS = sa.ARRAY(sa.Uuid())
PARTY = "current_tenant() = ANY (members)"

RULES = """
CREATE FUNCTION joint_year_closed(agreement uuid, wanted integer) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(CASE WHEN reverses_id IS NULL THEN 1 ELSE -1 END), 0) > 0
    FROM joint_true_ups WHERE agreement_id = agreement AND year = wanted AND status = 'approved'
$$;
-- Who writes into a year and who closes it wait for each other.
CREATE FUNCTION refuse_closed_joint_year() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_joint_year(NEW.agreement_id, NEW.year);
    IF joint_year_closed(NEW.agreement_id, NEW.year) THEN
        RAISE EXCEPTION 'joint year % is closed', NEW.year USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER closed BEFORE INSERT ON joint_uses FOR EACH ROW EXECUTE FUNCTION refuse_closed_joint_year();
CREATE TRIGGER closed BEFORE INSERT ON joint_releases FOR EACH ROW EXECUTE FUNCTION refuse_closed_joint_year();
CREATE TRIGGER closed BEFORE UPDATE ON joint_accounts FOR EACH ROW EXECUTE FUNCTION refuse_closed_joint_year();
-- A true-up stands as it was proposed, and is decided once.
CREATE FUNCTION keep_joint_true_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[] := ARRAY['status', 'decided_by', 'decided_at'];
BEGIN
    IF TG_OP = 'DELETE' OR OLD.status <> 'proposed' OR to_jsonb(NEW) - free <> to_jsonb(OLD) - free THEN
        RAISE EXCEPTION 'a joint true-up is not changed: reverse it' USING ERRCODE = 'check_violation';
    END IF;
    PERFORM lock_joint_year(NEW.agreement_id, NEW.year);
    RETURN NEW;
END $$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON joint_true_ups FOR EACH ROW EXECUTE FUNCTION keep_joint_true_up();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON joint_true_up_shares FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE FUNCTION check_joint_true_up(wanted uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t joint_true_ups; old joint_true_ups;
    shares bigint; parties bigint;
BEGIN
    SELECT * INTO t FROM joint_true_ups WHERE id = wanted;
    SELECT coalesce(sum(capital_fen + amount_fen), 0), count(*) INTO shares, parties
        FROM joint_true_up_shares WHERE true_up_id = wanted;
    IF shares + t.outsiders_fen <> t.cost_fen
       OR parties <> (SELECT count(*) FROM joint_parties WHERE agreement_id = t.agreement_id AND share_bp > 0) THEN
        RAISE EXCEPTION 'joint true-up %: shares sum to %, not to %', wanted, shares, t.cost_fen - t.outsiders_fen
            USING ERRCODE = 'check_violation';
    END IF;
    IF t.reverses_id IS NOT NULL THEN
        SELECT * INTO old FROM joint_true_ups WHERE id = t.reverses_id;
        IF old.status <> 'approved' OR old.reverses_id IS NOT NULL OR old.cost_fen <> -t.cost_fen OR EXISTS (
            SELECT FROM joint_true_up_shares was JOIN joint_true_up_shares now ON now.park_id = was.park_id
            WHERE was.true_up_id = old.id AND now.true_up_id = t.id
              AND (was.capital_fen, was.due_fen, was.received_fen) <> (-now.capital_fen, -now.due_fen, -now.received_fen)
        ) THEN
            RAISE EXCEPTION 'joint true-up %: a reversal is the opposite of the whole', wanted
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
END $$;
CREATE FUNCTION joint_true_up_holds() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    open bigint;
BEGIN
    PERFORM check_joint_true_up(NEW.id);
    IF NEW.status <> 'approved' THEN
        RETURN NULL;
    END IF;
    SELECT coalesce(sum(CASE WHEN reverses_id IS NULL THEN 1 ELSE -1 END), 0) INTO open FROM joint_true_ups
        WHERE agreement_id = NEW.agreement_id AND year = NEW.year AND status = 'approved';
    IF open NOT IN (0, 1) THEN
        RAISE EXCEPTION 'joint year % is closed once', NEW.year USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.ends > (NEW.decided_at AT TIME ZONE 'Asia/Shanghai')::date THEN
        RAISE EXCEPTION 'joint year % is not over', NEW.year USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.reverses_id IS NULL AND (EXISTS (
        SELECT FROM joint_true_up_shares s WHERE s.true_up_id = NEW.id AND s.used_minutes <> coalesce((
            SELECT sum(u.minutes) FROM joint_uses u
            WHERE u.agreement_id = NEW.agreement_id AND u.year = NEW.year AND u.park_id = s.park_id), 0)
        ) OR NEW.outsider_minutes <> coalesce((SELECT sum(u.minutes) FROM joint_uses u
            WHERE u.agreement_id = NEW.agreement_id AND u.year = NEW.year AND u.park_id IS NULL), 0)) THEN
        RAISE EXCEPTION 'joint year %: not what was used', NEW.year USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION joint_true_up_share_holds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM check_joint_true_up(NEW.true_up_id);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER holds AFTER INSERT OR UPDATE ON joint_true_ups DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION joint_true_up_holds();
CREATE CONSTRAINT TRIGGER holds AFTER INSERT ON joint_true_up_shares DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION joint_true_up_share_holds();
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _true_ups()
    _shares()
    op.execute(RULES)
    for table in ("joint_true_ups", "joint_true_up_shares"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY party ON {table} FOR SELECT TO marketplace_tenant USING ({PARTY})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT ON {table} TO marketplace_tenant")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO marketplace_staff")
    op.execute("GRANT UPDATE (status, decided_by, decided_at) ON joint_true_ups TO marketplace_staff")


def _true_ups() -> None:
    op.create_table(
        "joint_true_ups",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("members", MEMBERS, nullable=False),
        sa.Column("reverses_id", sa.Uuid(), nullable=True),
        sa.Column("start", sa.Date(), nullable=False),
        sa.Column("ends", sa.Date(), nullable=False),
        sa.Column("cost_fen", sa.BigInteger(), nullable=False),
        sa.Column("outsiders_fen", sa.BigInteger(), nullable=False),
        sa.Column("outsider_minutes", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.CheckConstraint("status IN ('proposed', 'approved', 'refused')", name=op.f("ck_joint_true_ups_status")),
        sa.CheckConstraint("ends > start AND outsider_minutes >= 0", name=op.f("ck_joint_true_ups_part")),
        sa.CheckConstraint("(reverses_id IS NULL) = (reason = '')", name=op.f("ck_joint_true_ups_reason")),
        sa.CheckConstraint("(status = 'proposed') = (decided_at IS NULL)", name=op.f("ck_joint_true_ups_decided")),
        sa.CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name=op.f("ck_joint_true_ups_decider")),
        sa.CheckConstraint(
            "status <> 'approved' OR decided_by <> proposed_by", name=op.f("ck_joint_true_ups_four_eyes")
        ),
        sa.ForeignKeyConstraint(
            ["agreement_id", "members"],
            ["joint_agreements.id", "joint_agreements.members"],
            name="fk_joint_true_ups_agreement",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_joint_true_ups")),
        sa.UniqueConstraint("id", "members", name=op.f("uq_joint_true_ups_id_members")),
        sa.UniqueConstraint("id", "agreement_id", "year", name=op.f("uq_joint_true_ups_id_agreement_id_year")),
        sa.ForeignKeyConstraint(
            ["reverses_id", "agreement_id", "year"],
            ["joint_true_ups.id", "joint_true_ups.agreement_id", "joint_true_ups.year"],
            name="fk_joint_true_ups_reverses",
        ),
    )
    op.create_index(
        "uq_joint_true_ups_one_proposed", "joint_true_ups", ["agreement_id", "year"], unique=True,
        postgresql_where=sa.text("status = 'proposed'"),
    )  # fmt: skip
    op.create_index(
        "uq_joint_true_ups_one_reversal", "joint_true_ups", ["reverses_id"], unique=True,
        postgresql_where=sa.text("status = 'approved'"),
    )  # fmt: skip
    op.create_index(
        op.f("ix_joint_true_ups_agreement_id_year_proposed_at"),
        "joint_true_ups",
        ["agreement_id", "year", "proposed_at"],
    )


def _shares() -> None:
    minutes = ("entitled", "carried", "used", "lent", "borrowed", "carried_over")
    amounts = ("capital", "due", "received", "amount")
    op.create_table(
        "joint_true_up_shares",
        sa.Column("true_up_id", sa.Uuid(), nullable=False),
        sa.Column("park_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("members", MEMBERS, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("share_bp", sa.Integer(), nullable=False),
        *(sa.Column(f"{each}_minutes", sa.Integer(), nullable=False) for each in minutes),
        *(sa.Column(f"{each}_fen", sa.BigInteger(), nullable=False) for each in amounts),
        sa.CheckConstraint("amount_fen = due_fen - received_fen", name=op.f("ck_joint_true_up_shares_amount")),
        sa.CheckConstraint(
            "used_minutes >= 0 AND lent_minutes >= 0 AND carried_over_minutes >= 0",
            name=op.f("ck_joint_true_up_shares_minutes"),
        ),
        sa.ForeignKeyConstraint(
            ["true_up_id", "members"],
            ["joint_true_ups.id", "joint_true_ups.members"],
            name="fk_joint_true_up_shares_true_up",
        ),
        sa.ForeignKeyConstraint(
            ["true_up_id", "agreement_id", "year"],
            ["joint_true_ups.id", "joint_true_ups.agreement_id", "joint_true_ups.year"],
            name="fk_joint_true_up_shares_year",
        ),
        sa.ForeignKeyConstraint(
            ["agreement_id", "year", "park_id"],
            ["joint_accounts.agreement_id", "joint_accounts.year", "joint_accounts.park_id"],
            name="fk_joint_true_up_shares_account",
        ),
        sa.ForeignKeyConstraint(["park_id"], ["parks.tenant_id"], name=op.f("fk_joint_true_up_shares_park_id_parks")),
        sa.PrimaryKeyConstraint("true_up_id", "park_id", name=op.f("pk_joint_true_up_shares")),
        sa.UniqueConstraint("id", name=op.f("uq_joint_true_up_shares_id")),
    )
