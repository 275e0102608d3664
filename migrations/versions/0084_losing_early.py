"""Losing a slot early: who comes second costs two looks by key, and who comes first looks at its own park's holds once.

Follows 0079. A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0084"
down_revision = "0083"
branch_labels = None
depends_on = None

# What is in the way is read first, and the park's own holds by the keys of that: a search among all open holds would
# cost more than the fight. A reservation that is still held has a hold that has not ended.
HOLD = """
CREATE OR REPLACE FUNCTION hold_slot(of_provider uuid, of_instrument uuid, begins timestamptz, finishes timestamptz,
    new_hold uuid, person uuid, for_quote uuid, moment timestamptz, OUT answer text, OUT hold_id uuid)
    LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    own uuid;
    same boolean;
    wanted record;
    terms record;
    got integer;
    until timestamptz;
    places smallint[];
    expired boolean;
    free smallint;
BEGIN
    SELECT i.units, i.name, i.offering, s.span, b.busy, b.held INTO wanted
      FROM instruments i CROSS JOIN LATERAL (SELECT tstzrange(
        begins - make_interval(mins => i.before_minutes), finishes + make_interval(mins => i.after_minutes)) AS span) s
     CROSS JOIN LATERAL (
        SELECT count(DISTINCT r.unit) AS busy, array_agg(r.id) FILTER (WHERE r.held_until IS NOT NULL) AS held
          FROM reservations r
         WHERE r.provider_id = of_provider AND r.instrument_id = of_instrument AND r.active AND r.during && s.span
           AND (r.held_until IS NULL OR r.held_until > moment)) b
     WHERE i.provider_id = of_provider AND i.id = of_instrument;
    IF wanted.held IS NOT NULL THEN
        SELECT h.id, h.outcome IS NULL AND h.starts_at = begins AND h.ends_at = finishes INTO own, same
          FROM slot_holds h WHERE h.tenant_id = current_tenant() AND h.reservation_id = ANY (wanted.held)
         ORDER BY 2 DESC LIMIT 1;
        IF same THEN
            answer := 'held';
            hold_id := own;
            RETURN;
        END IF;
    END IF;
    IF wanted.busy >= wanted.units AND own IS NULL THEN
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
    LOOP
        SELECT coalesce(array_agg(h.place), '{}'), coalesce(bool_or(h.expires_at <= moment), false)
          INTO places, expired FROM slot_holds h
         WHERE h.tenant_id = current_tenant() AND h.outcome IS NULL AND h.place >= 1;
        IF expired THEN
            -- What of the park has expired makes room for this one.
            WITH over AS (
                UPDATE slot_holds h SET outcome = 'expired', ended_at = h.expires_at
                 WHERE h.tenant_id = current_tenant() AND h.outcome IS NULL AND h.expires_at <= moment
                RETURNING h.provider_id, h.reservation_id
            )
            UPDATE reservations r SET active = false FROM over o
             WHERE r.provider_id = o.provider_id AND r.id = o.reservation_id AND r.active AND r.held_until <= moment;
            CONTINUE;
        END IF;
        SELECT min(g.n) INTO free FROM generate_series(1, terms.per_park) AS g (n) WHERE g.n <> ALL (places);
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

# Whether a start is gone to somebody else's booking or hold that begins at it, as the first question of who wants it: that
# start was checked when it was taken, so the answer is the one that all further questions would come to.
GONE = """
CREATE FUNCTION slot_is_gone(of_instrument uuid, begins timestamptz, moment timestamptz) RETURNS text
    LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    seen record;
BEGIN
    SELECT i.name, i.units, b.busy, b.begun, b.held INTO seen
      FROM instruments i CROSS JOIN LATERAL (
        SELECT count(DISTINCT r.unit) AS busy,
            bool_or(r.maintenance IS NULL AND lower(r.during) = begins - make_interval(mins => i.before_minutes)) AS begun,
            array_agg(r.id) FILTER (WHERE r.held_until IS NOT NULL) AS held
          FROM reservations r
         WHERE r.provider_id = i.provider_id AND r.instrument_id = i.id AND r.active AND r.unit <= i.units
           AND r.during && tstzrange(begins - make_interval(mins => i.before_minutes),
                begins + make_interval(mins => i.slot_minutes + i.after_minutes))
           AND (r.held_until IS NULL OR r.held_until > moment)) b
     WHERE i.id = of_instrument;
    IF NOT FOUND OR begins <= moment OR seen.busy < seen.units OR NOT seen.begun THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM slot_holds h WHERE h.tenant_id = current_tenant() AND h.reservation_id = ANY (seen.held)) THEN
        RETURN NULL;
    END IF;
    RETURN seen.name;
END $$;
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    op.drop_index("ix_slot_holds_expiring", table_name="slot_holds")
    op.create_index(
        "ix_slot_holds_expiring", "slot_holds", ["expires_at"], postgresql_where=sa.text("ended_at IS NULL")
    )
    op.execute(HOLD)
    op.execute(GONE)
