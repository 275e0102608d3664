"""Holding public money in one call.

Follows 0006. A checkout held its subsidies with a statement each for ceilings, allotments, holds and funds, and each was
parsed and planned anew while others waited for the rows it had. A function's plans are kept, and one call takes one
round trip. It runs as whoever calls it: row security and grants hold as before.
A step freezes its own values: it imports nothing from the packages, whose meaning may change after it.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# A refusal is an error with a state of its own: whoever forgets to look at an answer cannot keep half of a hold.
COUNT_UNDER_CEILINGS = """
CREATE FUNCTION count_under_ceilings(takes jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    place integer := 0;
    take record;
    used bigint;
BEGIN
    FOR take IN
        SELECT * FROM jsonb_to_recordset(takes) AS each (
            owner_id uuid, programme text, scope text, key text, period text, amount_fen bigint, limit_fen bigint)
    LOOP
        IF take.amount_fen <= coalesce(take.limit_fen, take.amount_fen) THEN
            INSERT INTO cap_counters AS counter (owner_id, programme, scope, key, period, used_fen)
            VALUES (take.owner_id, take.programme, take.scope, take.key, take.period, take.amount_fen)
            ON CONFLICT (owner_id, programme, scope, key, period)
            DO UPDATE SET used_fen = counter.used_fen + excluded.used_fen
            WHERE counter.used_fen + excluded.used_fen <= coalesce(take.limit_fen, 9223372036854775807);
        END IF;
        IF NOT FOUND OR take.amount_fen > take.limit_fen THEN
            SELECT used_fen INTO used FROM cap_counters c
            WHERE (c.owner_id, c.programme, c.scope, c.key, c.period)
                = (take.owner_id, take.programme, take.scope, take.key, take.period);
            RAISE EXCEPTION 'a ceiling is reached' USING ERRCODE = 'MK001', DETAIL = jsonb_build_object(
                'take', place, 'left_fen', greatest(0, take.limit_fen - coalesce(used, 0)))::text;
        END IF;
        place := place + 1;
    END LOOP;
END $$
"""

# Regional envelopes are locked first, in their stable order, so that what the plan finds there is there when it is drawn.
ENTER_HOLDS = """
CREATE FUNCTION enter_holds(
    tenant uuid, moment timestamptz, expiry timestamptz, needs jsonb, regional text[], ids uuid[]
) RETURNS TABLE (need_position integer, hold_id uuid, fund_id uuid, envelope text, amount_fen bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    room jsonb;
    need record;
    near text;
    missing bigint;
    part bigint;
    parts integer := 0;
    positions integer[] := '{}';
    funds uuid[] := '{}';
    envelopes text[] := '{}';
    amounts bigint[] := '{}';
BEGIN
    SELECT coalesce(jsonb_object_agg(locked.fund_id || locked.envelope, locked.available_fen), '{}') INTO room
    FROM (
        SELECT e.fund_id, e.envelope, e.available_fen FROM fund_envelopes e
        WHERE e.fund_id IN (SELECT n.fund_id FROM jsonb_to_recordset(needs) AS n (fund_id uuid))
          AND e.envelope = ANY (regional)
        ORDER BY e.fund_id, e.envelope FOR NO KEY UPDATE
    ) locked;
    FOR need IN
        SELECT n.position, n.fund_id, n.amount_fen
        FROM jsonb_to_recordset(needs) AS n (position integer, fund_id uuid, amount_fen bigint)
    LOOP
        missing := need.amount_fen;
        FOREACH near IN ARRAY regional || ''::text LOOP
            part := CASE near WHEN '' THEN missing
                    ELSE least(missing, coalesce((room ->> (need.fund_id || near))::bigint, 0)) END;
            CONTINUE WHEN part <= 0;
            IF near <> '' THEN
                room := room || jsonb_build_object(
                    need.fund_id || near, (room ->> (need.fund_id || near))::bigint - part);
            END IF;
            missing := missing - part;
            parts := parts + 1;
            positions[parts] := need.position;
            funds[parts] := need.fund_id;
            envelopes[parts] := near;
            amounts[parts] := part;
        END LOOP;
    END LOOP;
    INSERT INTO holds (tenant_id, id, order_line_id, fund_id, envelope, programme, version, amount_fen, captured_fen,
                       recalled_fen, withdrawn_fen, disbursed_fen, returned_fen, ceilings, status, created_at, expires_at)
    SELECT tenant, ids[p.place], n.order_line_id, n.fund_id, p.envelope, n.programme, n.version, p.amount_fen, 0,
           0, 0, 0, 0, n.ceilings, 'held', moment, expiry
    FROM unnest(positions, envelopes, amounts) WITH ORDINALITY AS p (position, envelope, amount_fen, place)
    JOIN jsonb_to_recordset(needs) AS n (position integer, order_line_id uuid, fund_id uuid, programme text,
                                         version integer, ceilings jsonb) ON n.position = p.position;
    RETURN QUERY SELECT p.position, ids[p.place], p.fund_id, p.envelope, p.amount_fen
    FROM unnest(positions, funds, envelopes, amounts) WITH ORDINALITY AS p (position, fund_id, envelope, amount_fen, place);
END $$
"""

# The register first, then the balances, and of these the general envelopes last: the whole province meets there.
DRAW_ON_FUNDS = """
CREATE FUNCTION draw_on_funds(
    tenant uuid, person uuid, moment timestamptz, regional text[],
    hold_ids uuid[], fund_ids uuid[], envelopes text[], amounts bigint[], entry_ids uuid[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    place record;
BEGIN
    INSERT INTO fund_entries (id, fund_id, envelope, source, destination, amount_fen, hold_id, tenant_id, reason, user_id, at)
    SELECT entry_ids[p.place], p.fund_id, p.envelope, 'available', 'held', p.amount_fen, p.hold_id, tenant, 'hold.placed',
           person, moment
    FROM unnest(hold_ids, fund_ids, envelopes, amounts) WITH ORDINALITY AS p (hold_id, fund_id, envelope, amount_fen, place);
    FOR place IN
        SELECT p.fund_id, p.envelope, sum(p.amount_fen)::bigint AS amount_fen
        FROM unnest(fund_ids, envelopes, amounts) AS p (fund_id, envelope, amount_fen)
        GROUP BY p.fund_id, p.envelope ORDER BY p.envelope = '', p.fund_id, p.envelope
    LOOP
        UPDATE fund_envelopes e
        SET available_fen = e.available_fen - place.amount_fen, held_fen = e.held_fen + place.amount_fen
        WHERE e.fund_id = place.fund_id AND e.envelope = place.envelope AND e.available_fen >= place.amount_fen
          AND EXISTS (SELECT FROM funds f WHERE f.id = place.fund_id AND f.status = 'open');
        IF NOT FOUND THEN
            RAISE EXCEPTION 'a fund is exhausted' USING ERRCODE = 'MK002', DETAIL = (
                SELECT jsonb_build_object(
                    'fund_id', f.id,
                    -- What was just drawn on regional envelopes is still there for whoever asks anew.
                    'left_fen', CASE f.status WHEN 'open' THEN (
                        SELECT coalesce(sum(e.available_fen), 0) FROM fund_envelopes e
                        WHERE e.fund_id = f.id AND e.envelope = ANY (regional || ''::text)
                    ) + (
                        SELECT coalesce(sum(p.amount_fen), 0)
                        FROM unnest(fund_ids, envelopes, amounts) AS p (fund_id, envelope, amount_fen)
                        WHERE p.fund_id = f.id AND p.envelope <> ''
                    ) ELSE 0 END
                ) FROM funds f WHERE f.id = place.fund_id)::text;
        END IF;
    END LOOP;
END $$
"""

HOLD_PUBLIC_MONEY = """
CREATE FUNCTION hold_public_money(
    tenant uuid, person uuid, moment timestamptz, expiry timestamptz, takes jsonb, needs jsonb, regional text[],
    hold_ids uuid[], entry_ids uuid[]
) RETURNS TABLE (need_position integer, hold_id uuid, fund_id uuid, envelope text, amount_fen bigint)
LANGUAGE plpgsql AS $$
DECLARE
    positions integer[];
    held uuid[];
    funds uuid[];
    envelopes text[];
    amounts bigint[];
BEGIN
    PERFORM count_under_ceilings(takes);
    SELECT array_agg(e.need_position), array_agg(e.hold_id), array_agg(e.fund_id), array_agg(e.envelope),
           array_agg(e.amount_fen)
      INTO positions, held, funds, envelopes, amounts
      FROM enter_holds(tenant, moment, expiry, needs, regional, hold_ids) e;
    PERFORM draw_on_funds(tenant, person, moment, regional, held, funds, envelopes, amounts, entry_ids);
    RETURN QUERY SELECT * FROM unnest(positions, held, funds, envelopes, amounts);
END $$
"""


def upgrade() -> None:
    """Apply the step. The environment has set ``lock_timeout`` and ``statement_timeout``."""
    for function in (COUNT_UNDER_CEILINGS, ENTER_HOLDS, DRAW_ON_FUNDS, HOLD_PUBLIC_MONEY):
        op.execute(function)
