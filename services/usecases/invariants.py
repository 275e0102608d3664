"""What always holds of runs, files, reservations and bookings."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

INVARIANTS = (
    Invariant(
        "run-delivered",
        "A succeeded run has delivered files, and its manifest's hash is the one it bears.",
        """
        SELECT r.tenant_id, r.id FROM runs r WHERE r.status = 'succeeded' AND NOT EXISTS
            (SELECT FROM artefacts a WHERE a.tenant_id = r.tenant_id AND a.source_id = r.id
                AND a.name = 'manifest.json' AND a.sha256 = r.manifest_sha256)
        """,
    ),
    Invariant(
        "run-undelivered",
        "A run that did not succeed has delivered nothing.",
        """
        SELECT r.tenant_id, r.id, r.status FROM runs r WHERE r.status <> 'succeeded' AND
            (r.manifest_sha256 IS NOT NULL OR r.kpis IS NOT NULL OR EXISTS
                (SELECT FROM artefacts a WHERE a.tenant_id = r.tenant_id AND a.source_id = r.id))
        """,
    ),
    Invariant(
        "run-ended",
        "A run has an end exactly when it has ended, and a failed one says why.",
        """
        SELECT tenant_id, id, status FROM runs
        WHERE (finished_at IS NULL) <> (status IN ('queued', 'running'))
           OR (status = 'failed') <> (failure_code IS NOT NULL AND failure_detail IS NOT NULL)
        """,
    ),
    Invariant(
        "artefact-hash",
        "A file's bytes are those of its hash.",
        "SELECT tenant_id, id, name FROM artefacts WHERE encode(sha256(content), 'hex') <> sha256",
    ),
    Invariant(
        "reservation-booked",
        "Time reserved for good that is no maintenance has one booking, booked or reported, of its instrument and within it.",
        """
        SELECT s.provider_id, s.id, count(b.id) AS bookings FROM reservations s
        LEFT JOIN bookings b ON b.provider_id = s.provider_id AND b.reservation_id = s.id
            AND b.status IN ('booked', 'reported') AND b.instrument_id = s.instrument_id
            AND s.during @> tstzrange(b.starts_at, b.ends_at)
        WHERE s.active AND s.maintenance IS NULL AND s.held_until IS NULL GROUP BY s.provider_id, s.id HAVING count(b.id) <> 1
        """,
    ),
    Invariant(
        "booking-reserved",
        "A booking holds its time exactly while it is booked or reported.",
        """
        SELECT b.tenant_id, b.id, b.status FROM bookings b
        LEFT JOIN reservations s ON s.provider_id = b.provider_id AND s.id = b.reservation_id
        WHERE s.id IS NULL OR s.active <> (b.status IN ('booked', 'reported'))
        """,
    ),
    Invariant(
        "reservation-held",
        "Time that is only held has one hold of its instrument, within it and with its expiry, that has not ended.",
        """
        SELECT s.provider_id, s.id FROM reservations s
        LEFT JOIN slot_holds h ON h.provider_id = s.provider_id AND h.reservation_id = s.id AND h.outcome IS NULL
            AND h.instrument_id = s.instrument_id AND s.during @> tstzrange(h.starts_at, h.ends_at)
            AND h.expires_at = s.held_until
        WHERE s.active AND s.held_until IS NOT NULL GROUP BY s.provider_id, s.id HAVING count(h.id) <> 1
        """,
    ),
    Invariant(
        "hold-reserved",
        "A hold that has not ended has its reservation, and one that was booked has one for good.",
        """
        SELECT h.tenant_id, h.id, h.outcome FROM slot_holds h
        LEFT JOIN reservations s ON s.provider_id = h.provider_id AND s.id = h.reservation_id
        WHERE s.id IS NULL OR (h.outcome IS NULL AND s.held_until IS DISTINCT FROM h.expires_at)
           OR (h.outcome = 'booked' AND s.held_until IS NOT NULL)
           OR (h.outcome IN ('released', 'replaced', 'expired') AND (s.active OR s.held_until IS NULL))
        """,
    ),
    Invariant(
        "site-month-record",
        "A delivered month of a site worked on a day of it and has its record as a file; no other month has one.",
        """
        SELECT m.tenant_id, m.id, m.status FROM site_months m WHERE (m.status = 'delivered') <> EXISTS
            (SELECT FROM artefacts a WHERE a.tenant_id = m.tenant_id AND a.source_id = m.id
                AND a.sha256 = m.record_sha256)
           OR (m.status = 'delivered' AND NOT EXISTS (SELECT FROM site_activities d WHERE d.tenant_id = m.tenant_id
                AND d.site_id = m.site_id AND d.delivery = m.delivery
                AND d.day >= m.month AND d.day < m.month + interval '1 month'))
        """,
    ),
    Invariant(
        "site-month-span",
        "A month of a site is a calendar month of China's clocks.",
        """
        SELECT tenant_id, id, month, starts_at, ends_at FROM site_months
        WHERE starts_at <> month::timestamp AT TIME ZONE 'Asia/Shanghai'
           OR ends_at <> (month::timestamp + interval '1 month') AT TIME ZONE 'Asia/Shanghai'
        """,
    ),
    Invariant(
        "booking-attendance",
        "Nobody came to a booking exactly where that is noted, and its terms are those of its rule's version.",
        """
        SELECT b.tenant_id, b.id, b.status FROM bookings b
        LEFT JOIN attendance_rules r ON r.provider_id = b.provider_id AND r.instrument_id = b.instrument_id
            AND r.version = (b.attendance->>'version')::int
        WHERE (b.status = 'no_show') <> EXISTS (SELECT FROM attendance_notes n
                WHERE n.tenant_id = b.tenant_id AND n.booking_id = b.id AND n.step = 'no_show')
           OR (b.attendance IS NOT NULL AND (r.version IS NULL OR r.valid_from > b.created_at
                OR (b.attendance->>'no_show_bp')::int <> r.no_show_bp
                OR (b.attendance->>'late_cancel_bp')::int <> r.late_cancel_bp
                OR (b.attendance->>'overrun_fee_fen')::bigint <> r.overrun_fee_fen))
           OR EXISTS (SELECT FROM attendance_notes o WHERE o.tenant_id = b.tenant_id AND o.booking_id = b.id
                AND o.step = 'checked_out' AND NOT EXISTS (SELECT FROM attendance_notes i
                    WHERE i.tenant_id = o.tenant_id AND i.booking_id = o.booking_id AND i.step = 'checked_in'
                      AND i.at <= o.at))
        """,
    ),
    Invariant(
        "booking-suspension",
        "A suspension stands on no-shows of its park at its provider, each in one only; no booking was made within it.",
        """
        SELECT s.tenant_id, s.id, b.id AS booking_id FROM booking_suspensions s
        LEFT JOIN suspension_lifts l ON l.tenant_id = s.tenant_id AND l.suspension_id = s.id
        JOIN bookings b ON b.tenant_id = s.tenant_id AND b.provider_id = s.provider_id
            AND b.created_at >= s.began_at AND b.created_at < least(s.ends_at, l.lifted_at)
        UNION ALL
        SELECT s.tenant_id, s.id, m.booking_id FROM booking_suspensions s
        CROSS JOIN LATERAL unnest(s.booking_ids) m (booking_id)
        LEFT JOIN bookings b ON b.tenant_id = s.tenant_id AND b.id = m.booking_id
        WHERE b.status IS DISTINCT FROM 'no_show' OR b.provider_id <> s.provider_id
           OR EXISTS (SELECT FROM booking_suspensions o WHERE o.tenant_id = s.tenant_id AND o.id <> s.id
                AND m.booking_id = ANY (o.booking_ids) AND NOT EXISTS (SELECT FROM suspension_lifts l
                    WHERE l.tenant_id = s.tenant_id AND l.unfounded AND l.suspension_id IN (o.id, s.id)))
        """,
    ),
    Invariant(
        "booking-quota",
        "In no week or month a park holds more of an instrument than its quota allowed when it last booked for it; of what was"
        " charged by actual use, the started hours count.",
        """
        SELECT h.tenant_id, h.instrument_id, h.period, h.begins, h.hours, h.bookings, r.version FROM (
            SELECT b.tenant_id, b.provider_id, b.instrument_id, p.period,
                   date_trunc(p.period, b.starts_at AT TIME ZONE 'Asia/Shanghai') AS begins, count(*) AS bookings,
                   sum(CASE WHEN o.id IS NULL AND a.booking_id IS NULL THEN extract(epoch FROM b.ends_at - b.starts_at) / 3600
                       ELSE least(extract(epoch FROM b.ends_at - b.starts_at) / 3600, greatest(1,
                           least(ceil(extract(epoch FROM least(o.at, b.ends_at) - i.at) / 3600),
                               ceil(extract(epoch FROM least(a.left_at, b.ends_at) - a.came_at) / 3600)))) END) AS hours,
                   max(coalesce((SELECT max(c.changed_at) FROM booking_changes c
                        WHERE c.tenant_id = b.tenant_id AND c.booking_id = b.id AND c.kind = 'moved'
                          AND date_trunc(p.period, c.old_starts_at AT TIME ZONE 'Asia/Shanghai')
                           <> date_trunc(p.period, c.new_starts_at AT TIME ZONE 'Asia/Shanghai')), b.created_at)) AS entered
            FROM bookings b CROSS JOIN (VALUES ('week'), ('month')) AS p (period)
            LEFT JOIN attendance_notes i ON i.tenant_id = b.tenant_id AND i.booking_id = b.id AND i.step = 'checked_in'
                 AND b.status = 'reported' AND b.attendance ->> 'metering' = 'actual'
            LEFT JOIN attendance_notes o ON o.tenant_id = i.tenant_id AND o.booking_id = i.booking_id
                 AND o.step = 'checked_out'
            LEFT JOIN attendance_corrections a ON a.tenant_id = i.tenant_id AND a.booking_id = i.booking_id
            WHERE b.status IN ('booked', 'reported', 'no_show')
              AND EXISTS (SELECT FROM quota_rules q
                          WHERE q.provider_id = b.provider_id AND q.instrument_id = b.instrument_id)
            GROUP BY 1, 2, 3, 4, 5) h
        CROSS JOIN LATERAL (SELECT * FROM quota_rules q
            WHERE q.provider_id = h.provider_id AND q.instrument_id = h.instrument_id AND q.valid_from <= h.entered
            ORDER BY q.valid_from DESC, q.version DESC LIMIT 1) r
        WHERE h.hours > CASE h.period WHEN 'week' THEN r.week_hours ELSE r.month_hours END
           OR h.bookings > CASE h.period WHEN 'week' THEN r.week_bookings ELSE r.month_bookings END
        """,
    ),
    Invariant(
        "booking-series",
        "A booking of a series is on the series' instrument and one of its occurrences.",
        """
        SELECT b.tenant_id, b.id, b.series_number FROM bookings b
        JOIN booking_series s ON s.tenant_id = b.tenant_id AND s.id = b.series_id
        WHERE (b.provider_id, b.instrument_id, b.offering) <> (s.provider_id, s.instrument_id, s.offering)
           OR b.series_number > coalesce(s.count, 20)
        """,
    ),
    Invariant(
        "booking-report",
        "A reported inspection has its result as a file, and no other booking has one.",
        """
        SELECT b.tenant_id, b.id, b.status FROM bookings b WHERE (b.status = 'reported') <> EXISTS
            (SELECT FROM artefacts a WHERE a.tenant_id = b.tenant_id AND a.source_id = b.id)
        """,
    ),
)
"""Checked over the whole database by ``marketplace check``."""
