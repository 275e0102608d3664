"""Agreements on joint facilities, their parties and signatures.

Follows 0050. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
MEMBERS = sa.ARRAY(sa.Uuid())
PARTY = "current_tenant() = ANY (members)"

RULES = """
CREATE FUNCTION check_joint_agreement(wanted uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    a joint_agreements;
    shares bigint; leads bigint; unsigned bigint; parks uuid[];
BEGIN
    SELECT * INTO a FROM joint_agreements WHERE id = wanted;
    SELECT coalesce(sum(share_bp), 0), count(*) FILTER (WHERE role = 'lead'),
           count(*) FILTER (WHERE signed_sha256 IS NULL), array_agg(park_id ORDER BY park_id)
        INTO shares, leads, unsigned, parks FROM joint_parties WHERE agreement_id = wanted;
    IF shares <> 10000 OR leads <> 1 OR parks IS DISTINCT FROM a.members
       OR (SELECT count(*) FROM joint_parties WHERE agreement_id = wanted AND share_bp > 0) < 2 THEN
        RAISE EXCEPTION 'joint agreement %: shares sum to %, % lead', wanted, shares, leads
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM joint_parties WHERE agreement_id = wanted AND signed_sha256 <> a.sha256) THEN
        RAISE EXCEPTION 'joint agreement %: signed under other terms', wanted USING ERRCODE = 'check_violation';
    END IF;
    IF a.registered_at IS NOT NULL AND unsigned > 0 THEN
        RAISE EXCEPTION 'joint agreement %: in force unsigned', wanted USING ERRCODE = 'check_violation';
    END IF;
END $$;
CREATE FUNCTION joint_agreement_holds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM check_joint_agreement(NEW.id);
    RETURN NULL;
END $$;
CREATE FUNCTION joint_party_holds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM check_joint_agreement(NEW.agreement_id);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER holds AFTER INSERT OR UPDATE ON joint_agreements DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION joint_agreement_holds();
CREATE CONSTRAINT TRIGGER holds AFTER INSERT OR UPDATE ON joint_parties DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION joint_party_holds();
-- Terms stand as they were written. A version is registered or withdrawn once; one in force may end earlier, not later.
CREATE FUNCTION keep_joint_agreement() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[] := ARRAY['registered_by', 'registered_at', 'withdrawn_at', 'valid_to'];
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - free <> to_jsonb(OLD) - free
       OR (OLD.registered_at IS NOT NULL AND (NEW.registered_by, NEW.registered_at)
            IS DISTINCT FROM (OLD.registered_by, OLD.registered_at))
       OR (OLD.withdrawn_at IS NOT NULL AND NEW.withdrawn_at IS DISTINCT FROM OLD.withdrawn_at)
       OR NEW.valid_to > OLD.valid_to OR (NEW.valid_to <> OLD.valid_to AND OLD.registered_at IS NULL) THEN
        RAISE EXCEPTION 'a joint agreement is not changed: write a new version' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON joint_agreements FOR EACH ROW EXECUTE FUNCTION keep_joint_agreement();
CREATE FUNCTION keep_joint_party() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[] := ARRAY['signed_by', 'signed_name', 'signed_at', 'signed_sha256'];
BEGIN
    IF TG_OP = 'DELETE' OR OLD.signed_at IS NOT NULL OR to_jsonb(NEW) - free <> to_jsonb(OLD) - free THEN
        RAISE EXCEPTION 'a signature and what it is under are not changed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON joint_parties FOR EACH ROW EXECUTE FUNCTION keep_joint_party();
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _agreements()
    _parties()
    op.execute(RULES)
    for table in ("joint_agreements", "joint_parties"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY party ON {table} FOR SELECT TO marketplace_tenant USING ({PARTY})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT ON {table} TO marketplace_tenant")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO marketplace_staff")
    # The parties sign, each for itself; the province writes and registers.
    op.execute(
        "CREATE POLICY sign ON joint_parties FOR UPDATE TO marketplace_tenant"
        " USING (park_id = current_tenant()) WITH CHECK (park_id = current_tenant())"
    )
    op.execute("GRANT UPDATE (signed_by, signed_name, signed_at, signed_sha256) ON joint_parties TO marketplace_tenant")
    op.execute(
        "GRANT UPDATE (registered_by, registered_at, withdrawn_at, valid_to) ON joint_agreements TO marketplace_staff"
    )


def _agreements() -> None:
    op.create_table(
        "joint_agreements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("members", MEMBERS, nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("agreed_to", sa.Date(), nullable=False),
        sa.Column("capital_fen", sa.BigInteger(), nullable=False),
        sa.Column("life_years", sa.Integer(), nullable=False),
        sa.Column("year_minutes", sa.Integer(), nullable=False),
        sa.Column("reserve_minutes", sa.Integer(), nullable=False),
        sa.Column("maintenance_minutes", sa.Integer(), nullable=False),
        sa.Column("variable_fen_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("premium_bp", sa.Integer(), nullable=False),
        sa.Column("outsider_premium_bp", sa.Integer(), nullable=False),
        sa.Column("lending_notice_days", sa.Integer(), nullable=False),
        sa.Column("overdraw_minutes", sa.Integer(), nullable=False),
        sa.Column("carry_over_minutes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("registered_by", sa.Uuid(), nullable=True),
        sa.Column("registered_at", MOMENT, nullable=True),
        sa.Column("withdrawn_at", MOMENT, nullable=True),
        sa.CheckConstraint("version >= 1", name=op.f("ck_joint_agreements_version")),
        sa.CheckConstraint("cardinality(members) >= 2", name=op.f("ck_joint_agreements_members")),
        sa.CheckConstraint(
            "valid_to > valid_from OR (valid_to = valid_from AND registered_at IS NOT NULL)",
            name=op.f("ck_joint_agreements_order"),
        ),
        sa.CheckConstraint(
            "capital_fen > 0 AND life_years BETWEEN 1 AND 100 AND variable_fen_per_hour >= 0",
            name=op.f("ck_joint_agreements_cost"),
        ),
        sa.CheckConstraint(
            "year_minutes BETWEEN 1 AND 527040 AND reserve_minutes >= 0 AND maintenance_minutes >= 0"
            " AND reserve_minutes + maintenance_minutes < year_minutes",
            name=op.f("ck_joint_agreements_minutes"),
        ),
        sa.CheckConstraint("premium_bp >= 0 AND outsider_premium_bp >= 0", name=op.f("ck_joint_agreements_premiums")),
        sa.CheckConstraint(
            "lending_notice_days >= 0 AND carry_over_minutes >= 0 AND overdraw_minutes >= 0"
            " AND overdraw_minutes <= year_minutes - reserve_minutes - maintenance_minutes",
            name=op.f("ck_joint_agreements_lending"),
        ),
        sa.CheckConstraint(
            "(registered_at IS NULL) = (registered_by IS NULL)", name=op.f("ck_joint_agreements_registered")
        ),
        sa.CheckConstraint("registered_by <> created_by", name=op.f("ck_joint_agreements_four_eyes")),
        sa.CheckConstraint("registered_at IS NULL OR withdrawn_at IS NULL", name=op.f("ck_joint_agreements_one_end")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_joint_agreements")),
        sa.UniqueConstraint("series_id", "version", name=op.f("uq_joint_agreements_series_id_version")),
        sa.UniqueConstraint("id", "members", name=op.f("uq_joint_agreements_id_members")),
        postgresql.ExcludeConstraint(
            (sa.column("series_id"), "="),
            (sa.text("daterange(valid_from, valid_to)"), "&&"),
            where=sa.text("registered_at IS NOT NULL"),
            using="gist",
            name="ex_joint_agreements_one_in_force",
        ),
    )
    op.create_index(op.f("ix_joint_agreements_created_at"), "joint_agreements", ["created_at"])


def _parties() -> None:
    op.create_table(
        "joint_parties",
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("park_id", sa.Uuid(), nullable=False),
        sa.Column("members", MEMBERS, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("share_bp", sa.Integer(), nullable=False),
        sa.Column("signed_by", sa.Uuid(), nullable=True),
        sa.Column("signed_name", sa.String(length=200), nullable=True),
        sa.Column("signed_at", MOMENT, nullable=True),
        sa.Column("signed_sha256", sa.String(length=64), nullable=True),
        sa.CheckConstraint("role IN ('lead', 'participant', 'supervisor')", name=op.f("ck_joint_parties_role")),
        sa.CheckConstraint("park_id = ANY (members)", name=op.f("ck_joint_parties_member")),
        sa.CheckConstraint(
            "share_bp BETWEEN 0 AND 10000 AND (role = 'supervisor') = (share_bp = 0)",
            name=op.f("ck_joint_parties_share"),
        ),
        sa.CheckConstraint(
            "num_nulls(signed_by, signed_at, signed_name, signed_sha256) IN (0, 4)",
            name=op.f("ck_joint_parties_signature"),
        ),
        sa.ForeignKeyConstraint(
            ["agreement_id", "members"],
            ["joint_agreements.id", "joint_agreements.members"],
            name="fk_joint_parties_agreement",
        ),
        sa.ForeignKeyConstraint(["park_id"], ["parks.tenant_id"], name=op.f("fk_joint_parties_park_id_parks")),
        sa.PrimaryKeyConstraint("agreement_id", "park_id", name=op.f("pk_joint_parties")),
    )
    op.create_index(op.f("ix_joint_parties_park_id"), "joint_parties", ["park_id"])
