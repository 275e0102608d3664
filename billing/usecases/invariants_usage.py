"""What must always be true of events, corrections and roll-ups."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

# The same readings as store/meter_readings, written for all meters at once. Of what is recent, the days are read that its
# transactions touched: their events by (park, type, time), their roll-ups by key. The planner cannot know how few these
# are, so OFFSET 0 keeps it from reading everything instead.
_TOUCHED = """
    touched AS (
        SELECT DISTINCT m.slug, e.tenant_id, date_trunc('day', e.time, 'Asia/Shanghai') AS day
        FROM m CROSS JOIN LATERAL (
            SELECT tenant_id, time FROM usage_events
            WHERE type = m.event_type AND written_in >= m.checked_upto AND written_in < m.upto OFFSET 0) e
        WHERE e.time >= '1991-12-31 16:00:00+00'
        UNION
        SELECT m.slug, e.tenant_id, date_trunc('day', e.time, 'Asia/Shanghai')
        FROM m JOIN event_corrections c ON c.written_in >= m.checked_upto AND c.written_in < m.upto
        JOIN usage_events e ON e.tenant_id = c.tenant_id AND e.source = c.corrected_source
                           AND e.event_id = c.corrected_id AND e.type = m.event_type
        WHERE e.time >= '1991-12-31 16:00:00+00'
    ),
"""
_ALL_EVENTS = "m JOIN usage_events e ON e.type = m.event_type AND e.written_in < m.upto"
_TOUCHED_EVENTS = """
    touched t JOIN m ON m.slug = t.slug CROSS JOIN LATERAL (
        SELECT * FROM usage_events WHERE tenant_id = t.tenant_id AND type = m.event_type AND written_in < m.upto
                                     AND time >= t.day AND time < t.day + interval '24 hours' OFFSET 0) e
"""
_ALL_ROLLUPS = "meter_rollups r JOIN m ON m.slug = r.meter AND m.epoch = r.epoch"
_TOUCHED_ROLLUPS = """
    touched t JOIN m ON m.slug = t.slug CROSS JOIN LATERAL (
        SELECT * FROM meter_rollups WHERE tenant_id = t.tenant_id AND meter = t.slug AND epoch = m.epoch
                                      AND grain IN (15, 1440) AND bucket >= t.day
                                      AND bucket < t.day + interval '24 hours' OFFSET 0) r
"""
_READ = """
    WITH m AS (
        SELECT m.slug, m.event_type, m.aggregation, string_to_array(substr(m.value_property, 3), '.') AS path,
               m.filters, m.allow_negative, p.epoch, p.upto, p.checked_upto,
               ARRAY(SELECT value FROM jsonb_each_text(m.group_by) ORDER BY key COLLATE "C") AS groups
        FROM meters m JOIN meter_progress p ON p.meter = m.slug
        WHERE p.upto <= pg_snapshot_xmax(pg_current_snapshot())
    ), changed AS (
        SELECT DISTINCT m.slug, e.tenant_id, date_trunc('day', e.time, 'Asia/Shanghai') AS day
        FROM m JOIN event_corrections c ON c.written_in >= m.upto
        JOIN usage_events e ON e.tenant_id = c.tenant_id AND e.source = c.corrected_source
                           AND e.event_id = c.corrected_id AND e.type = m.event_type
    ), {touched} read AS (
        SELECT m.slug, m.aggregation, e.tenant_id, e.subject, e.time, e.received_at, e.source, e.event_id,
               date_bin('15 minutes', e.time, '1991-12-31 16:00:00+00') AS bucket,
               ARRAY(SELECT CASE jsonb_typeof(e.data #> g.path)
                                WHEN 'number' THEN trim_scale((e.data #>> g.path)::numeric)::text
                                ELSE e.data #>> g.path END
                     FROM unnest(m.groups) WITH ORDINALITY p (text, place),
                          LATERAL (SELECT string_to_array(substr(p.text, 3), '.') AS path) g
                     ORDER BY p.place) AS groups,
               CASE m.aggregation WHEN 'unique_count' THEN CASE jsonb_typeof(e.data #> m.path)
                   WHEN 'number' THEN trim_scale((e.data #>> m.path)::numeric)::text
                   ELSE e.data #>> m.path END END AS value,
               CASE WHEN m.aggregation = 'count' THEN 1
                    WHEN m.aggregation <> 'unique_count' AND jsonb_typeof(e.data #> m.path) IN ('number', 'string')
                         AND e.data #>> m.path ~ '^[+-]?\\d{1,18}(\\.\\d{1,12})?$'
                         AND (m.allow_negative OR (e.data #>> m.path)::numeric >= 0)
                    THEN (e.data #>> m.path)::numeric END AS number
        FROM {events}
        WHERE e.time >= '1991-12-31 16:00:00+00'
          AND NOT EXISTS (SELECT FROM event_corrections c WHERE c.tenant_id = e.tenant_id
                          AND c.corrected_source = e.source AND c.corrected_id = e.event_id)
          AND NOT EXISTS (SELECT FROM event_corrections c WHERE c.tenant_id = e.tenant_id
                          AND c.source = e.source AND c.event_id = e.event_id AND c.void)
          AND NOT EXISTS (SELECT FROM changed WHERE changed.slug = m.slug AND changed.tenant_id = e.tenant_id
                          AND changed.day = date_trunc('day', e.time, 'Asia/Shanghai'))
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
    ), kept AS (
        SELECT r.* FROM {rollups}
        WHERE r.events > 0
          AND NOT EXISTS (SELECT FROM changed WHERE changed.slug = m.slug AND changed.tenant_id = r.tenant_id
                          AND changed.day = date_trunc('day', r.bucket, 'Asia/Shanghai'))
    )
"""
_ROLLED = """
    SELECT coalesce(r.tenant_id, e.tenant_id) AS tenant_id, coalesce(r.meter, e.slug) AS meter,
           coalesce(r.bucket, e.bucket) AS bucket, r.events, e.events AS events_read, r.total, e.total AS total_read
    FROM (SELECT slug, tenant_id, bucket, subject, groups, value, count(*) AS events, sum(number) AS total,
                 min(number) AS least, max(number) AS greatest,
                 (max(ARRAY[to_char(time AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS'),
                            to_char(received_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS'), source, event_id, number::text])
                      FILTER (WHERE aggregation = 'latest'))[5]::numeric AS latest
          FROM read WHERE number IS NOT NULL OR value IS NOT NULL
          GROUP BY slug, tenant_id, bucket, subject, groups, value) e
    FULL JOIN (SELECT * FROM kept WHERE grain = 15) r
      ON r.meter = e.slug AND r.tenant_id = e.tenant_id AND r.bucket = e.bucket AND r.subject = e.subject
     AND r.groups = e.groups AND coalesce(r.value, '') = coalesce(e.value, '')
    WHERE (r.events, r.total, r.least, r.greatest, r.latest)
          IS DISTINCT FROM (e.events, e.total, e.least, e.greatest, e.latest)
"""
_DAYS = """
    SELECT coalesce(d.tenant_id, q.tenant_id) AS tenant_id, coalesce(d.meter, q.meter) AS meter,
           coalesce(d.bucket, q.day) AS day, d.events, q.events AS events_of_quarters
    FROM (SELECT tenant_id, meter, date_trunc('day', bucket, 'Asia/Shanghai') AS day, key, sum(events) AS events,
                 sum(total) AS total, min(least) AS least, max(greatest) AS greatest,
                 (max(ARRAY[to_char(latest_time AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS'),
                            to_char(latest_received AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS'), latest_source,
                            latest_event, latest::text]) FILTER (WHERE latest_time IS NOT NULL))[5]::numeric AS latest
          FROM kept WHERE grain = 15 GROUP BY 1, 2, 3, 4) q
    FULL JOIN (SELECT * FROM kept WHERE grain = 1440) d
      ON d.tenant_id = q.tenant_id AND d.meter = q.meter AND d.bucket = q.day AND d.key = q.key
    WHERE (d.events, d.total, d.least, d.greatest, d.latest)
          IS DISTINCT FROM (q.events, q.total, q.least, q.greatest, q.latest)
"""
_CORRECTIONS = """
    SELECT c.tenant_id, c.source, c.event_id, r.order_line_id FROM event_corrections c
    JOIN usage_events n ON n.tenant_id = c.tenant_id AND n.source = c.source AND n.event_id = c.event_id
    JOIN usage_events o ON o.tenant_id = c.tenant_id AND o.source = c.corrected_source AND o.event_id = c.corrected_id
    LEFT JOIN rated_usage r ON r.tenant_id = c.tenant_id AND r.event_source = c.corrected_source
                           AND r.event_id = c.corrected_id
    WHERE n.type <> o.type OR r.id IS NOT NULL
"""


def _whole(question: str) -> str:
    return _filled("", _ALL_EVENTS, _ALL_ROLLUPS) + question


def _recent(question: str) -> str:
    return _filled(_TOUCHED, _TOUCHED_EVENTS, _TOUCHED_ROLLUPS) + question


def _filled(touched: str, events: str, rollups: str) -> str:
    return _READ.replace("{touched}", touched).replace("{events}", events).replace("{rollups}", rollups)


INVARIANTS_USAGE = (
    Invariant(
        "rollups-are-events",
        "Roll-ups hold what the events before their end add up to.",
        _whole(_ROLLED),
        recent=_recent(_ROLLED),
    ),
    Invariant(
        "rollup-days-are-quarters",
        "A day of the roll-ups is the sum of its quarters of an hour.",
        _whole(_DAYS),
        recent=_recent(_DAYS),
    ),
    Invariant(
        "corrections-fit",
        "A correction is of its event's type, and nothing that was charged is corrected.",
        _CORRECTIONS,
    ),
)
