"""Hours of joint facilities: accounts by year, uses, and hours released for lending.

Follows 0054. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
MEMBERS = sa.ARRAY(sa.Uuid())
PARTY = "current_tenant() = ANY (members)"
INSERTS = {
    "joint_accounts": PARTY,
    "joint_uses": f"lead_id = current_tenant() AND {PARTY}",
    "joint_releases": f"park_id = current_tenant() AND {PARTY}",
}

RULES = """
CREATE FUNCTION lock_joint_year(agreement uuid, wanted integer) RETURNS void LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('joint-year:' || agreement::text || ':' || wanted::text, 0))
$$;
-- The days of a year that a version covers take their part of the minutes; the accounts sum to it.
CREATE FUNCTION check_joint_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    shared bigint; entitled bigint; opened bigint; funding bigint;
BEGIN
    SELECT (a.year_minutes - a.reserve_minutes - a.maintenance_minutes)::bigint
            * greatest(0, least(a.valid_to, make_date(NEW.year + 1, 1, 1)) - greatest(a.valid_from, make_date(NEW.year, 1, 1)))
            / (make_date(NEW.year + 1, 1, 1) - make_date(NEW.year, 1, 1))
        INTO shared FROM joint_agreements a WHERE a.id = NEW.agreement_id AND a.registered_at IS NOT NULL;
    SELECT coalesce(sum(entitled_minutes), 0), count(*) INTO entitled, opened
        FROM joint_accounts WHERE agreement_id = NEW.agreement_id AND year = NEW.year;
    SELECT count(*) INTO funding FROM joint_parties WHERE agreement_id = NEW.agreement_id AND share_bp > 0;
    IF shared IS NULL OR entitled <> shared OR opened <> funding THEN
        RAISE EXCEPTION 'joint accounts of %: % of % minutes entitled', NEW.year, entitled, shared
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER holds AFTER INSERT OR UPDATE ON joint_accounts DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_joint_account();
CREATE FUNCTION joint_borrowed(agreement uuid, wanted integer) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(greatest(0, used - coalesce(entitled, 0))), 0)::bigint
    FROM (SELECT u.park_id, sum(u.minutes) AS used FROM joint_uses u
          WHERE u.agreement_id = agreement AND u.year = wanted GROUP BY u.park_id) had
    LEFT JOIN (SELECT a.park_id, a.entitled_minutes AS entitled FROM joint_accounts a
               WHERE a.agreement_id = agreement AND a.year = wanted) own USING (park_id)
$$;
CREATE FUNCTION check_joint_use() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    a joint_agreements; own joint_accounts; old joint_uses;
    had bigint; whole bigint; entitled bigint; given bigint; offered bigint;
BEGIN
    PERFORM lock_joint_year(NEW.agreement_id, NEW.year);
    SELECT * INTO a FROM joint_agreements WHERE id = NEW.agreement_id;
    IF a.registered_at IS NULL OR NEW.day < a.valid_from OR NEW.day >= a.valid_to THEN
        RAISE EXCEPTION 'joint use on %: no agreement in force', NEW.day USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (SELECT FROM joint_parties WHERE agreement_id = a.id AND park_id = NEW.lead_id AND role = 'lead') THEN
        RAISE EXCEPTION 'joint use: recorded by another than the lead' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.corrects_id IS NOT NULL THEN
        SELECT * INTO old FROM joint_uses WHERE id = NEW.corrects_id;
        IF old.corrects_id IS NOT NULL OR (old.park_id, old.day, -old.minutes) IS DISTINCT FROM (NEW.park_id, NEW.day, NEW.minutes) THEN
            RAISE EXCEPTION 'joint use: a correction takes back the whole' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END IF;
    SELECT coalesce(sum(minutes), 0), coalesce(sum(minutes) FILTER (WHERE park_id = NEW.park_id), 0) INTO whole, had
        FROM joint_uses WHERE agreement_id = a.id AND year = NEW.year;
    SELECT coalesce(sum(entitled_minutes), 0) INTO entitled FROM joint_accounts WHERE agreement_id = a.id AND year = NEW.year;
    IF whole > entitled THEN
        RAISE EXCEPTION 'joint use: % of % minutes', whole, entitled USING ERRCODE = 'check_violation';
    END IF;
    SELECT coalesce(sum(minutes), 0), coalesce(sum(minutes) FILTER (WHERE park_id = NEW.park_id), 0) INTO offered, given
        FROM joint_releases WHERE agreement_id = a.id AND year = NEW.year;
    SELECT * INTO own FROM joint_accounts WHERE agreement_id = a.id AND year = NEW.year AND park_id = NEW.park_id;
    IF NEW.park_id IS NOT NULL AND had + given > own.entitled_minutes + own.overdraw_minutes THEN
        RAISE EXCEPTION 'joint use: overdraw cap, % minutes', had USING ERRCODE = 'check_violation';
    END IF;
    IF (NEW.park_id IS NULL OR had > own.entitled_minutes)
       AND NEW.day > (NEW.recorded_at AT TIME ZONE 'Asia/Shanghai')::date + a.lending_notice_days
       AND joint_borrowed(a.id, NEW.year) > offered THEN
        RAISE EXCEPTION 'joint use: not lent so far ahead' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER counts AFTER INSERT ON joint_uses FOR EACH ROW EXECUTE FUNCTION check_joint_use();
CREATE FUNCTION check_joint_release() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    own bigint; offered bigint; had bigint; entitled bigint;
BEGIN
    PERFORM lock_joint_year(NEW.agreement_id, NEW.year);
    SELECT coalesce(sum(minutes), 0), coalesce(sum(minutes) FILTER (WHERE park_id = NEW.park_id), 0) INTO offered, own
        FROM joint_releases WHERE agreement_id = NEW.agreement_id AND year = NEW.year;
    SELECT coalesce(sum(minutes), 0) INTO had
        FROM joint_uses WHERE agreement_id = NEW.agreement_id AND year = NEW.year AND park_id = NEW.park_id;
    SELECT entitled_minutes INTO entitled
        FROM joint_accounts WHERE agreement_id = NEW.agreement_id AND year = NEW.year AND park_id = NEW.park_id;
    IF own < 0 OR (NEW.minutes > 0 AND own + had > entitled)
       OR (NEW.minutes < 0 AND offered < least(joint_borrowed(NEW.agreement_id, NEW.year), offered - NEW.minutes)) THEN
        RAISE EXCEPTION 'joint release: % of % minutes', own, entitled USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER counts AFTER INSERT ON joint_releases FOR EACH ROW EXECUTE FUNCTION check_joint_release();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON joint_uses FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON joint_releases FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    _accounts()
    _uses()
    _releases()
    op.execute(RULES)
    for table, mine in INSERTS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY party ON {table} FOR SELECT TO marketplace_tenant USING ({PARTY})")
        op.execute(f"CREATE POLICY own ON {table} FOR INSERT TO marketplace_tenant WITH CHECK ({mine})")
        op.execute(f"CREATE POLICY staff ON {table} TO marketplace_staff USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO marketplace_tenant, marketplace_staff")
    op.execute(
        "GRANT UPDATE (entitled_minutes, carried_minutes, overdraw_minutes) ON joint_accounts TO marketplace_staff"
    )


def _of_agreement(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["agreement_id", "members"],
        ["joint_agreements.id", "joint_agreements.members"],
        name=f"fk_{table}_agreement",
    )


def _of_account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["agreement_id", "year", "park_id"],
        ["joint_accounts.agreement_id", "joint_accounts.year", "joint_accounts.park_id"],
        name=f"fk_{table}_account",
    )


def _accounts() -> None:
    op.create_table(
        "joint_accounts",
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("park_id", sa.Uuid(), nullable=False),
        sa.Column("members", MEMBERS, nullable=False),
        sa.Column("entitled_minutes", sa.Integer(), nullable=False),
        sa.Column("carried_minutes", sa.Integer(), nullable=False),
        sa.Column("overdraw_minutes", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "entitled_minutes >= carried_minutes AND carried_minutes >= 0 AND overdraw_minutes >= 0",
            name=op.f("ck_joint_accounts_minutes"),
        ),
        _of_agreement("joint_accounts"),
        sa.ForeignKeyConstraint(
            ["agreement_id", "park_id"],
            ["joint_parties.agreement_id", "joint_parties.park_id"],
            name="fk_joint_accounts_party",
        ),
        sa.PrimaryKeyConstraint("agreement_id", "year", "park_id", name=op.f("pk_joint_accounts")),
    )


def _uses() -> None:
    op.create_table(
        "joint_uses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("park_id", sa.Uuid(), nullable=True),
        sa.Column("user_name", sa.String(length=200), nullable=False),
        sa.Column("members", MEMBERS, nullable=False),
        sa.Column("lead_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("evidence", sa.String(length=500), nullable=False),
        sa.Column("evidence_sha256", sa.String(length=64), nullable=True),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "(corrects_id IS NULL) = (minutes > 0) AND minutes BETWEEN -527040 AND 527040",
            name=op.f("ck_joint_uses_minutes"),
        ),
        sa.CheckConstraint("extract(year FROM day) = year", name=op.f("ck_joint_uses_year")),
        sa.CheckConstraint("evidence <> ''", name=op.f("ck_joint_uses_evidence")),
        sa.CheckConstraint("lead_id = ANY (members)", name=op.f("ck_joint_uses_lead")),
        _of_agreement("joint_uses"),
        _of_account("joint_uses"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_joint_uses")),
        sa.UniqueConstraint("agreement_id", "year", "id", name=op.f("uq_joint_uses_agreement_id_year_id")),
        sa.UniqueConstraint("corrects_id", name=op.f("uq_joint_uses_corrects_id")),
        sa.ForeignKeyConstraint(
            ["agreement_id", "year", "corrects_id"],
            ["joint_uses.agreement_id", "joint_uses.year", "joint_uses.id"],
            name="fk_joint_uses_corrects",
        ),
    )
    op.create_index(
        op.f("ix_joint_uses_agreement_id_year_recorded_at"), "joint_uses", ["agreement_id", "year", "recorded_at"]
    )


def _releases() -> None:
    op.create_table(
        "joint_releases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("park_id", sa.Uuid(), nullable=False),
        sa.Column("members", MEMBERS, nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("released_by", sa.Uuid(), nullable=False),
        sa.Column("released_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "minutes <> 0 AND minutes BETWEEN -527040 AND 527040", name=op.f("ck_joint_releases_minutes")
        ),
        _of_agreement("joint_releases"),
        _of_account("joint_releases"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_joint_releases")),
    )
    op.create_index(op.f("ix_joint_releases_agreement_id_year"), "joint_releases", ["agreement_id", "year"])
