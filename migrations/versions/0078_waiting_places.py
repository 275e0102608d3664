"""Waiting for a slot: who waits in which order, what became of it, and a slot that is taken only where nobody waits.

Follows 0077. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0078"
down_revision = "0077"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
MOMENT = sa.DateTime(timezone=True)

# The turns say when somebody waits and not who, as reservations do, so that every park's transaction can respect them.
SECURITY = f"""
ALTER TABLE waiting_places ENABLE ROW LEVEL SECURITY;
ALTER TABLE waiting_places FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON waiting_places TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN});
CREATE POLICY staff ON waiting_places FOR SELECT TO marketplace_staff USING (true);
GRANT SELECT, INSERT ON waiting_places TO marketplace_tenant;
GRANT SELECT ON waiting_places TO marketplace_staff;
ALTER TABLE waiting_steps ENABLE ROW LEVEL SECURITY;
ALTER TABLE waiting_steps FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON waiting_steps TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN});
CREATE POLICY staff ON waiting_steps FOR SELECT TO marketplace_staff USING (true);
GRANT SELECT, INSERT ON waiting_steps TO marketplace_tenant;
GRANT SELECT ON waiting_steps TO marketplace_staff;
CREATE FUNCTION waits_here(of_provider uuid, of_instrument uuid, turn integer) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM waiting_places p WHERE p.tenant_id = current_tenant()
        AND p.instrument_id = of_instrument AND p.number = turn AND p.provider_id = of_provider)
$$;
ALTER TABLE waiting_lists ENABLE ROW LEVEL SECURITY;
ALTER TABLE waiting_lists FORCE ROW LEVEL SECURITY;
CREATE POLICY known ON waiting_lists FOR SELECT TO marketplace_tenant USING (may_book(provider_id, instrument_id));
CREATE POLICY begins ON waiting_lists FOR INSERT TO marketplace_tenant
    WITH CHECK (may_book(provider_id, instrument_id));
CREATE POLICY counts ON waiting_lists FOR UPDATE TO marketplace_tenant USING (may_book(provider_id, instrument_id))
    WITH CHECK (may_book(provider_id, instrument_id));
CREATE POLICY staff ON waiting_lists FOR SELECT TO marketplace_staff USING (true);
GRANT SELECT, INSERT, UPDATE (last_number) ON waiting_lists TO marketplace_tenant;
GRANT SELECT ON waiting_lists TO marketplace_staff;
ALTER TABLE waiting_turns ENABLE ROW LEVEL SECURITY;
ALTER TABLE waiting_turns FORCE ROW LEVEL SECURITY;
CREATE POLICY known ON waiting_turns FOR SELECT TO marketplace_tenant USING (true);
CREATE POLICY joins ON waiting_turns FOR INSERT TO marketplace_tenant
    WITH CHECK (open AND passed_until IS NULL AND may_book(provider_id, instrument_id));
CREATE POLICY own ON waiting_turns FOR UPDATE TO marketplace_tenant
    USING (open AND waits_here(provider_id, instrument_id, number))
    WITH CHECK (waits_here(provider_id, instrument_id, number));
CREATE POLICY staff ON waiting_turns FOR SELECT TO marketplace_staff USING (true);
GRANT SELECT, INSERT, UPDATE (open, passed_until) ON waiting_turns TO marketplace_tenant;
GRANT SELECT ON waiting_turns TO marketplace_staff;
"""

# Whether somebody else, or somebody before a turn, waits for a time that could be had now if ``taken`` were not there.
# What the same transaction gave back (a booking that moves, a hold that gets longer) was never free for others. Only the
# day of ``span`` is looked at: a booking lies within one day, and whether another one is worked is not known here.
WAITED = """
CREATE FUNCTION waited_for(of_provider uuid, of_instrument uuid, taken uuid, span tstzrange, moment timestamptz,
    turn integer, given_back uuid[]) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM waiting_turns w WHERE w.provider_id = of_provider AND w.instrument_id = of_instrument
        AND w.open) THEN
        RETURN false;
    END IF;
    RETURN EXISTS (
        SELECT FROM waiting_turns w
          JOIN instruments i ON i.provider_id = w.provider_id AND i.id = w.instrument_id
         CROSS JOIN LATERAL (SELECT greatest(i.min_slots, w.slots) * i.slot_minutes::integer AS minutes,
            date_trunc('day', lower(span) + make_interval(mins => i.before_minutes), 'Asia/Shanghai') AS midnight) d
         CROSS JOIN LATERAL generate_series(
            0, (i.closes_hour - i.opens_hour) * 60 - d.minutes, i.slot_minutes::integer) AS g (minute)
         CROSS JOIN LATERAL (
            SELECT d.midnight + make_interval(hours => i.opens_hour, mins => g.minute) AS starts_at) t
         CROSS JOIN LATERAL (SELECT t.starts_at + make_interval(mins => d.minutes) AS ends_at) e
         CROSS JOIN LATERAL (SELECT tstzrange(t.starts_at - make_interval(mins => i.before_minutes),
            e.ends_at + make_interval(mins => i.after_minutes)) AS occupied) o
         WHERE w.provider_id = of_provider AND w.instrument_id = of_instrument AND w.open
           AND w.slots <= i.max_slots
           AND (w.passed_until IS NULL OR w.passed_until <= moment) AND (turn IS NULL OR w.number < turn)
           AND NOT waits_here(w.provider_id, w.instrument_id, w.number)
           AND w.wished @> tstzrange(t.starts_at, e.ends_at) AND o.occupied && span
           AND t.starts_at > moment + make_interval(mins => i.min_notice_minutes)
           AND t.starts_at <= moment + make_interval(days => i.max_notice_days)
           AND NOT EXISTS (SELECT FROM reservations r WHERE r.provider_id = of_provider
               AND r.id = ANY (given_back) AND r.during && o.occupied)
           AND i.units > (SELECT count(DISTINCT r.unit) FROM reservations r WHERE r.provider_id = of_provider
               AND r.instrument_id = of_instrument AND r.active AND r.id <> taken AND r.unit <= i.units
               AND (r.held_until IS NULL OR r.held_until > moment) AND r.during && o.occupied)
    );
END $$;
CREATE FUNCTION yielded(person uuid, moment timestamptz) RETURNS uuid[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(h.reservation_id), '{}') FROM slot_holds h WHERE h.tenant_id = current_tenant()
       AND h.outcome = 'replaced' AND h.ended_at = moment AND h.held_by = person
$$;
"""

# As before, and -1 where somebody waits for the time: the transaction must be undone.
TAKE = """
DROP FUNCTION take_slot(uuid, uuid, integer, tstzrange, uuid, timestamptz, timestamptz);
CREATE FUNCTION take_slot(of_provider uuid, of_instrument uuid, how_many integer, span tstzrange, new_reservation uuid,
    moment timestamptz, until timestamptz,
    turn integer DEFAULT NULL, given_back uuid[] DEFAULT '{}') RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    free integer;
    left_over integer;
    stale uuid[];
BEGIN
    FOR free IN
        SELECT g.n FROM generate_series(1, how_many) AS g (n)
         WHERE NOT EXISTS (SELECT FROM reservations r WHERE r.provider_id = of_provider
            AND r.instrument_id = of_instrument AND r.unit = g.n AND r.active AND r.during && span
            AND (r.held_until IS NULL OR r.held_until > moment))
         ORDER BY g.n
    LOOP
        FOR attempt IN 1..2 LOOP
            INSERT INTO reservations (provider_id, id, instrument_id, unit, during, active, held_until, created_at)
            VALUES (of_provider, new_reservation, of_instrument, free, span, true, until, moment)
            ON CONFLICT DO NOTHING;
            IF FOUND THEN
                -- The foreign key has waited for a change of the instrument to end; this reads what came of it.
                IF free > 1 THEN
                    SELECT i.units INTO left_over FROM instruments i
                     WHERE i.provider_id = of_provider AND i.id = of_instrument;
                    IF left_over IS NULL OR left_over < free THEN
                        RETURN 0;
                    END IF;
                END IF;
                -- After the insert, so that who was waiting before this time became free is seen in any case.
                IF waited_for(of_provider, of_instrument, new_reservation, span, moment, turn, given_back) THEN
                    RETURN -1;
                END IF;
                RETURN free;
            END IF;
            EXIT WHEN attempt = 2;
            SELECT array_agg(r.id) INTO stale FROM reservations r WHERE r.provider_id = of_provider
               AND r.instrument_id = of_instrument AND r.unit = free AND r.active AND r.during && span
               AND r.held_until <= moment;
            EXIT WHEN stale IS NULL;
            UPDATE reservations r SET active = false
             WHERE r.provider_id = of_provider AND r.id = ANY (stale) AND r.active AND r.held_until <= moment;
        END LOOP;
    END LOOP;
    RETURN NULL;
END $$;
"""

HOLD = """
CREATE OR REPLACE FUNCTION hold_slot(of_provider uuid, of_instrument uuid, begins timestamptz, finishes timestamptz,
    new_hold uuid, person uuid, for_quote uuid, moment timestamptz, OUT answer text, OUT hold_id uuid)
    LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    own record;
    wanted record;
    terms record;
    got integer;
    until timestamptz;
    free smallint;
BEGIN
    SELECT h.id, h.starts_at = begins AND h.ends_at = finishes AS same INTO own FROM slot_holds h
     WHERE h.tenant_id = current_tenant() AND h.outcome IS NULL AND h.expires_at > moment
       AND h.instrument_id = of_instrument
     ORDER BY h.starts_at = begins AND h.ends_at = finishes DESC LIMIT 1;
    IF own.same THEN
        answer := 'held';
        hold_id := own.id;
        RETURN;
    END IF;
    SELECT i.units, i.name, i.offering, s.span, (
        SELECT count(DISTINCT r.unit) FROM reservations r
         WHERE r.provider_id = of_provider AND r.instrument_id = of_instrument AND r.active AND r.during && s.span
           AND (r.held_until IS NULL OR r.held_until > moment)) AS busy
      INTO wanted FROM instruments i CROSS JOIN LATERAL (SELECT tstzrange(
        begins - make_interval(mins => i.before_minutes), finishes + make_interval(mins => i.after_minutes)) AS span) s
     WHERE i.provider_id = of_provider AND i.id = of_instrument;
    IF wanted.busy >= wanted.units AND own.id IS NULL THEN
        answer := 'taken';
        RETURN;
    END IF;
    SELECT l.minutes, l.per_park INTO terms FROM slot_hold_limits l ORDER BY l.number DESC LIMIT 1;
    until := least(moment + make_interval(mins => terms.minutes), begins);
    got := take_slot(of_provider, of_instrument, wanted.units, wanted.span, new_hold, moment, until);
    IF got IS NULL AND yield_slot(of_provider, of_instrument, wanted.span, person, moment) THEN
        got := take_slot(of_provider, of_instrument, wanted.units, wanted.span, new_hold, moment, until, NULL,
            yielded(person, moment));
    END IF;
    IF got IS NULL OR got < 1 THEN
        answer := CASE WHEN got IS NULL THEN 'taken' WHEN got = 0 THEN 'busy' ELSE 'waited' END;
        RETURN;
    END IF;
    -- What of the park has expired makes room for this one.
    WITH over AS (
        UPDATE slot_holds h SET outcome = 'expired', ended_at = h.expires_at
         WHERE h.tenant_id = current_tenant() AND h.outcome IS NULL AND h.expires_at <= moment
        RETURNING h.provider_id, h.reservation_id
    )
    UPDATE reservations r SET active = false FROM over o
     WHERE r.provider_id = o.provider_id AND r.id = o.reservation_id AND r.active AND r.held_until <= moment;
    LOOP
        SELECT min(g.n) INTO free FROM generate_series(1, terms.per_park) AS g (n)
         WHERE NOT EXISTS (SELECT FROM slot_holds h WHERE h.tenant_id = current_tenant() AND h.place = g.n
            AND h.outcome IS NULL);
        IF free IS NULL THEN
            answer := 'too_many';
            RETURN;
        END IF;
        INSERT INTO slot_holds (tenant_id, id, provider_id, instrument_id, instrument_name, offering, reservation_id,
            starts_at, ends_at, place, quote_id, held_by, held_at, expires_at)
        VALUES (current_tenant(), new_hold, of_provider, of_instrument, wanted.name, wanted.offering, new_hold,
            begins, finishes, free, for_quote, person, moment, until)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            answer := 'held';
            hold_id := new_hold;
            RETURN;
        END IF;
    END LOOP;
END $$;
"""

BOOK = """
DROP FUNCTION book_slot(uuid, uuid, integer, tstzrange, timestamptz, timestamptz, uuid, uuid, timestamptz);
CREATE FUNCTION book_slot(of_provider uuid, of_instrument uuid, how_many integer, span tstzrange,
    begins timestamptz, finishes timestamptz, new_reservation uuid, person uuid, moment timestamptz, given_back uuid[],
    OUT answer text, OUT reserved uuid)
    LANGUAGE plpgsql AS $$
DECLARE
    held record;
    got integer;
BEGIN
    SELECT h.id, h.reservation_id INTO held FROM slot_holds h WHERE h.tenant_id = current_tenant()
       AND h.instrument_id = of_instrument AND h.starts_at = begins AND h.ends_at = finishes
       AND h.outcome IS NULL AND h.expires_at > moment
     ORDER BY h.expires_at LIMIT 1 FOR UPDATE;
    IF FOUND THEN
        UPDATE reservations r SET held_until = NULL WHERE r.provider_id = of_provider AND r.id = held.reservation_id
           AND r.active AND r.held_until > moment;
        IF FOUND THEN
            UPDATE slot_holds h SET outcome = 'booked', ended_at = moment
             WHERE h.tenant_id = current_tenant() AND h.id = held.id;
            answer := 'booked';
            reserved := held.reservation_id;
            RETURN;
        END IF;
    END IF;
    got := take_slot(of_provider, of_instrument, how_many, span, new_reservation, moment, NULL, NULL, given_back);
    IF got IS NULL AND yield_slot(of_provider, of_instrument, span, person, moment) THEN
        got := take_slot(of_provider, of_instrument, how_many, span, new_reservation, moment, NULL, NULL,
            given_back || yielded(person, moment));
    END IF;
    answer := CASE WHEN got IS NULL THEN 'taken' WHEN got = 0 THEN 'busy' WHEN got < 0 THEN 'waited'
        ELSE 'booked' END;
    reserved := new_reservation;
END $$;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("slot_hold_limits", sa.Column("offer_hours", sa.SmallInteger(), server_default="4", nullable=False))
    op.create_check_constraint(
        op.f("ck_slot_hold_limits_offer_hours"), "slot_hold_limits", "offer_hours BETWEEN 1 AND 72"
    )
    _lists()
    _places()
    for step in (SECURITY, WAITED, TAKE, HOLD, BOOK):
        op.execute(step)


def _lists() -> None:
    op.create_table(
        "waiting_lists",
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id", "instrument_id"],
            ["instruments.provider_id", "instruments.id"],
            name=op.f("fk_waiting_lists_provider_id_instrument_id_instruments"),
        ),
        sa.PrimaryKeyConstraint("provider_id", "instrument_id", name=op.f("pk_waiting_lists")),
    )
    op.create_table(
        "waiting_turns",
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wished", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("slots", sa.SmallInteger(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("passed_until", MOMENT, nullable=True),
        sa.Column("joined_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "number >= 1 AND slots BETWEEN 1 AND 8 AND NOT isempty(wished)", name=op.f("ck_waiting_turns_wish")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id", "instrument_id"],
            ["waiting_lists.provider_id", "waiting_lists.instrument_id"],
            name=op.f("fk_waiting_turns_provider_id_instrument_id_waiting_lists"),
        ),
        sa.PrimaryKeyConstraint("provider_id", "instrument_id", "number", name=op.f("pk_waiting_turns")),
    )
    op.create_index(
        "ix_waiting_turns_open",
        "waiting_turns",
        ["provider_id", "instrument_id", "number"],
        postgresql_where=sa.text("open"),
    )


def _places() -> None:
    op.create_table(
        "waiting_places",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_name", sa.String(length=200), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("from_at", MOMENT, nullable=False),
        sa.Column("to_at", MOMENT, nullable=False),
        sa.Column("slots", sa.SmallInteger(), nullable=False),
        sa.Column("joined_by", sa.Uuid(), nullable=True),
        sa.Column("joined_at", MOMENT, nullable=False),
        sa.CheckConstraint("from_at < to_at", name=op.f("ck_waiting_places_span")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_waiting_places")),
        sa.UniqueConstraint(
            "tenant_id", "instrument_id", "number", name=op.f("uq_waiting_places_tenant_id_instrument_id_number")
        ),
    )
    op.create_table(
        "waiting_steps",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("starts_at", MOMENT, nullable=True),
        sa.Column("ends_at", MOMENT, nullable=True),
        sa.Column("hold_id", sa.Uuid(), nullable=True),
        sa.Column("noted_by", sa.Uuid(), nullable=True),
        sa.Column("noted_at", MOMENT, nullable=False),
        sa.CheckConstraint("kind IN ('passed', 'offered', 'left', 'over')", name=op.f("ck_waiting_steps_kind")),
        sa.CheckConstraint(
            "(kind = 'passed') = (reason IS NOT NULL) AND (kind = 'offered') = (hold_id IS NOT NULL)"
            " AND (kind IN ('passed', 'offered')) = (starts_at IS NOT NULL)"
            " AND (starts_at IS NULL) = (ends_at IS NULL)",
            name=op.f("ck_waiting_steps_says"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "place_id"],
            ["waiting_places.tenant_id", "waiting_places.id"],
            name=op.f("fk_waiting_steps_tenant_id_place_id_waiting_places"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_waiting_steps")),
    )
    op.create_index(
        "uq_waiting_steps_end",
        "waiting_steps",
        ["tenant_id", "place_id"],
        unique=True,
        postgresql_where=sa.text("kind <> 'passed'"),
    )
    op.create_index(
        "uq_waiting_steps_passed",
        "waiting_steps",
        ["tenant_id", "place_id", "reason", "starts_at"],
        unique=True,
        postgresql_where=sa.text("kind = 'passed'"),
    )
