"""What must always be true of use that is charged in arrears."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_LINES = """
    SELECT coalesce(m.tenant_id, r.tenant_id) AS tenant_id, m.id, m.charged_fen, r.gross_fen
    FROM (SELECT * FROM metered_usage WHERE charged_fen > 0) m
    FULL JOIN (SELECT * FROM rated_usage WHERE offering LIKE 'meter:%') r
        ON r.tenant_id = m.tenant_id AND r.order_line_id = m.id
    WHERE (m.charged_fen, 0, m.price_id, m.period, 'meter:' || m.meter,
           greatest(0, m.quantity - m.already_units))
        IS DISTINCT FROM (r.gross_fen, r.subsidy_fen, r.price_id, r.period, r.offering, r.quantity)
"""
_CHAIN = """
    SELECT m.tenant_id, m.id, m.already_units, b.units, m.already_fen, b.fen
    FROM metered_usage m CROSS JOIN LATERAL (
        SELECT coalesce(sum(e.charged_fen + coalesce(c.refused_fen, 0)), 0) AS fen, count(*) AS rows,
               coalesce((array_agg(e.quantity ORDER BY e.number DESC))[1], 0) AS units
        FROM metered_usage e LEFT JOIN LATERAL (
            SELECT sum(c.amount_fen) AS refused_fen FROM metered_credits c
            JOIN credit_notes n ON n.tenant_id = c.tenant_id AND n.id = c.credit_note_id
            WHERE c.tenant_id = e.tenant_id AND c.metered_id = e.id AND n.status = 'refused'
              AND n.decided_at <= m.taken_at) c ON true
        WHERE e.tenant_id = m.tenant_id AND e.meter = m.meter AND e.price_id = m.price_id AND e.span_from = m.span_from
          AND e.number < m.number) b
    WHERE (m.already_units, m.already_fen, m.number) IS DISTINCT FROM (b.units, b.fen, b.rows)
"""
# The same readings as store/meter_readings, written for all meters at once.
_COUNTED = """
    WITH charged AS (SELECT * FROM metered_usage WHERE taken_at >= {since}), read AS (
        SELECT u.tenant_id, u.id, m.aggregation, e.time, e.received_at, e.source, e.event_id,
               CASE m.aggregation WHEN 'unique_count' THEN CASE jsonb_typeof(e.data #> m.path)
                   WHEN 'number' THEN trim_scale((e.data #>> m.path)::numeric)::text
                   ELSE e.data #>> m.path END END AS value,
               CASE WHEN m.aggregation = 'count' THEN 1
                    WHEN m.aggregation <> 'unique_count' AND jsonb_typeof(e.data #> m.path) IN ('number', 'string')
                         AND e.data #>> m.path ~ '^[+-]?\\d{1,18}(\\.\\d{1,12})?$'
                         AND (m.allow_negative OR (e.data #>> m.path)::numeric >= 0)
                    THEN (e.data #>> m.path)::numeric END AS number
        FROM charged u
        JOIN (SELECT *, string_to_array(substr(value_property, 3), '.') AS path FROM meters) m ON m.slug = u.meter
        JOIN usage_events e ON e.tenant_id = u.tenant_id AND e.type = m.event_type
            AND e.time >= u.span_from AND e.time < u.span_to
            AND pg_visible_in_snapshot(e.written_in, u.snapshot::pg_snapshot)
        WHERE NOT EXISTS (SELECT FROM event_corrections c WHERE c.tenant_id = e.tenant_id
                          AND c.corrected_source = e.source AND c.corrected_id = e.event_id
                          AND pg_visible_in_snapshot(c.written_in, u.snapshot::pg_snapshot))
          AND NOT EXISTS (SELECT FROM event_corrections c WHERE c.tenant_id = e.tenant_id
                          AND c.source = e.source AND c.event_id = e.event_id AND c.void)
          AND NOT EXISTS (
              SELECT FROM (SELECT key, value, string_to_array(substr(key, 3), '.') AS path
                           FROM jsonb_each(m.filters)) f
              WHERE NOT EXISTS (
                  SELECT FROM jsonb_array_elements(f.value) w
                  WHERE CASE jsonb_typeof(w) WHEN 'number' THEN trim_scale((w #>> '{}')::numeric)::text
                                             ELSE w #>> '{}' END
                      = CASE jsonb_typeof(e.data #> f.path)
                             WHEN 'number' THEN trim_scale((e.data #>> f.path)::numeric)::text
                             ELSE e.data #>> f.path END))
    ), counted AS (
        SELECT tenant_id, id, CASE min(aggregation)
                   WHEN 'sum' THEN sum(number) WHEN 'count' THEN sum(number) WHEN 'max' THEN max(number)
                   WHEN 'min' THEN min(number) WHEN 'unique_count' THEN count(DISTINCT value)
                   WHEN 'avg' THEN round(sum(number) / count(number), 12)
                   ELSE (array_agg(number ORDER BY time DESC, received_at DESC, source DESC, event_id DESC))[1] END AS number
        FROM read WHERE number IS NOT NULL OR value IS NOT NULL GROUP BY tenant_id, id
    )
    SELECT u.tenant_id, u.id, u.quantity, c.number FROM charged u
    LEFT JOIN counted c ON c.tenant_id = u.tenant_id AND c.id = u.id
    WHERE u.quantity <> round(coalesce(c.number, 0), 6)
"""
_TWICE = """
    SELECT r.tenant_id, r.id, u.id AS metered FROM rated_usage r
    JOIN usage_events e ON e.tenant_id = r.tenant_id AND e.source = r.event_source AND e.event_id = r.event_id
    JOIN meters m ON m.event_type = e.type
    JOIN metered_usage u ON u.tenant_id = r.tenant_id AND u.meter = m.slug AND e.time >= u.span_from AND e.time < u.span_to
        AND pg_visible_in_snapshot(e.written_in, u.snapshot::pg_snapshot)
"""
_CREDITS = """
    SELECT m.tenant_id, m.id, m.charged_fen, c.fen FROM metered_usage m
    JOIN (SELECT tenant_id, metered_id, sum(amount_fen) AS fen FROM metered_credits GROUP BY 1, 2) c
        ON c.tenant_id = m.tenant_id AND c.metered_id = m.id
    WHERE c.fen > -m.charged_fen
    UNION ALL
    SELECT c.tenant_id, c.metered_id, c.amount_fen, n.amount_fen FROM metered_credits c
    JOIN credit_notes n ON n.tenant_id = c.tenant_id AND n.id = c.credit_note_id
    WHERE n.amount_fen <> c.amount_fen
"""

INVARIANTS_METERED = (
    Invariant(
        "metered-rated", "What metered use was charged is usage of that amount, quantity, price and month.", _LINES
    ),
    Invariant("metered-chain", "A charge for late use takes off exactly what was charged for its time before.", _CHAIN),
    Invariant(
        "metered-counted",
        "A charged quantity is what the events add up to that its snapshot saw.",
        _COUNTED.replace("{since}", "'-infinity'"),
        recent=_COUNTED.replace("{since}", "now() - interval '2 days'"),
    ),
    Invariant("metered-once", "No event that a delivery was charged from is counted by a meter that charges.", _TWICE),
    Invariant("metered-credits", "Credit notes ask back at most what a correction has lowered.", _CREDITS),
)
"""Run by ``marketplace check``."""
