"""Slots that are held while a park confirms its price, under the bookings' exclusion constraint and with an expiry.

Follows 0073. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0076"
down_revision = "0075"
branch_labels = None
depends_on = None

OWN = "tenant_id = current_tenant()"
MOMENT = sa.DateTime(timezone=True)

SECURITY = f"""
ALTER TABLE slot_holds ENABLE ROW LEVEL SECURITY;
ALTER TABLE slot_holds FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON slot_holds TO marketplace_tenant USING ({OWN}) WITH CHECK ({OWN});
CREATE POLICY staff ON slot_holds TO marketplace_staff USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE (outcome, ended_at) ON slot_holds TO marketplace_tenant, marketplace_staff;
GRANT SELECT ON slot_hold_limits TO marketplace_tenant;
GRANT SELECT, INSERT ON slot_hold_limits TO marketplace_staff;
GRANT UPDATE (held_until) ON reservations TO marketplace_tenant, marketplace_staff;
CREATE FUNCTION holds_slot(of_provider uuid, reserved uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM slot_holds h WHERE h.tenant_id = current_tenant()
        AND h.reservation_id = reserved AND h.provider_id = of_provider)
$$;
CREATE POLICY confirms ON reservations FOR UPDATE TO marketplace_tenant
    USING (maintenance IS NULL AND active AND holds_slot(provider_id, id))
    WITH CHECK (maintenance IS NULL AND active AND held_until IS NULL AND holds_slot(provider_id, id));
"""

# One round trip, and for whoever comes second no more than a look at the index. What has expired is found by a plain
# read and given up by key: row security would keep the range's operator from the index of an UPDATE.
TAKE = """
CREATE FUNCTION take_slot(of_provider uuid, of_instrument uuid, how_many integer, span tstzrange, new_reservation uuid,
    moment timestamptz, until timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
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

# A person who asks for another length of what they hold already gives the old hold up.
YIELD = """
CREATE FUNCTION yield_slot(of_provider uuid, of_instrument uuid, span tstzrange, person uuid, moment timestamptz)
    RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    own uuid[];
BEGIN
    SELECT array_agg(h.reservation_id) INTO own FROM slot_holds h JOIN reservations r
        ON r.provider_id = h.provider_id AND r.id = h.reservation_id
     WHERE h.tenant_id = current_tenant() AND h.provider_id = of_provider AND h.instrument_id = of_instrument
       AND h.outcome IS NULL AND h.place IS NOT NULL AND h.held_by = person AND r.during && span;
    IF own IS NULL THEN
        RETURN false;
    END IF;
    UPDATE slot_holds h SET outcome = 'replaced', ended_at = moment
     WHERE h.tenant_id = current_tenant() AND h.reservation_id = ANY (own) AND h.outcome IS NULL;
    UPDATE reservations r SET active = false
     WHERE r.provider_id = of_provider AND r.id = ANY (own) AND r.active AND r.held_until IS NOT NULL;
    RETURN true;
END $$;
"""

# For who comes second this is two looks at indexes, planned once for a session: under load nothing else counts.
HOLD = """
CREATE FUNCTION hold_slot(of_provider uuid, of_instrument uuid, begins timestamptz, finishes timestamptz,
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
        got := take_slot(of_provider, of_instrument, wanted.units, wanted.span, new_hold, moment, until);
    END IF;
    IF got IS NULL OR got = 0 THEN
        answer := CASE WHEN got IS NULL THEN 'taken' ELSE 'busy' END;
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
CREATE FUNCTION book_slot(of_provider uuid, of_instrument uuid, how_many integer, span tstzrange,
    begins timestamptz, finishes timestamptz, new_reservation uuid, person uuid, moment timestamptz,
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
    got := take_slot(of_provider, of_instrument, how_many, span, new_reservation, moment, NULL);
    IF got IS NULL AND yield_slot(of_provider, of_instrument, span, person, moment) THEN
        got := take_slot(of_provider, of_instrument, how_many, span, new_reservation, moment, NULL);
    END IF;
    answer := CASE WHEN got IS NULL THEN 'taken' WHEN got = 0 THEN 'busy' ELSE 'booked' END;
    reserved := new_reservation;
END $$;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.add_column("reservations", sa.Column("held_until", MOMENT, nullable=True))
    op.create_check_constraint(
        op.f("ck_reservations_held"), "reservations", "held_until IS NULL OR maintenance IS NULL"
    )
    _limits()
    _holds()
    for step in (SECURITY, TAKE, YIELD, HOLD, BOOK):
        op.execute(step)


def _limits() -> None:
    op.create_table(
        "slot_hold_limits",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("minutes", sa.SmallInteger(), nullable=False),
        sa.Column("per_park", sa.SmallInteger(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=True),
        sa.Column("set_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "minutes BETWEEN 1 AND 60 AND per_park BETWEEN 1 AND 100", name=op.f("ck_slot_hold_limits_in_reach")
        ),
        sa.CheckConstraint(
            "number = 0 OR (set_by IS NOT NULL AND set_at IS NOT NULL)", name=op.f("ck_slot_hold_limits_named")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_slot_hold_limits")),
    )
    op.execute("INSERT INTO slot_hold_limits (number, minutes, per_park) VALUES (0, 10, 8)")


def _holds() -> None:
    op.create_table(
        "slot_holds",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_name", sa.String(length=200), nullable=False),
        sa.Column("offering", sa.String(length=64), nullable=False),
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=True),
        sa.Column("quote_id", sa.Uuid(), nullable=True),
        sa.Column("held_by", sa.Uuid(), nullable=True),
        sa.Column("held_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("outcome", sa.String(length=64), nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "outcome IN ('booked', 'released', 'replaced', 'expired')", name=op.f("ck_slot_holds_outcome")
        ),
        sa.CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name=op.f("ck_slot_holds_ended")),
        sa.CheckConstraint("starts_at < ends_at AND held_at < expires_at", name=op.f("ck_slot_holds_span")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_slot_holds")),
        sa.UniqueConstraint("tenant_id", "reservation_id", name=op.f("uq_slot_holds_tenant_id_reservation_id")),
    )
    op.create_index(
        "uq_slot_holds_place",
        "slot_holds",
        ["tenant_id", "place"],
        unique=True,
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_index("ix_slot_holds_expiring", "slot_holds", ["expires_at"], postgresql_where=sa.text("outcome IS NULL"))
