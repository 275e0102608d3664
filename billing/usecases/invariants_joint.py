"""What must always be true of agreements on joint facilities."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_SHARES = """
    SELECT a.id, sum(p.share_bp) AS shares, count(*) FILTER (WHERE p.role = 'lead') AS leads
    FROM joint_agreements a LEFT JOIN joint_parties p ON p.agreement_id = a.id
    GROUP BY a.id, a.members
    HAVING coalesce(sum(p.share_bp), 0) <> 10000 OR count(*) FILTER (WHERE p.role = 'lead') <> 1
        OR array_agg(p.park_id ORDER BY p.park_id) IS DISTINCT FROM a.members
"""
_SIGNED = """
    SELECT a.id, p.park_id FROM joint_agreements a JOIN joint_parties p ON p.agreement_id = a.id
    WHERE p.signed_sha256 <> a.sha256 OR (a.registered_at IS NOT NULL AND p.signed_at IS NULL)
       OR p.signed_at > a.registered_at
"""

_HOURS = """
    WITH used AS (
        SELECT agreement_id, year, park_id, sum(minutes) AS minutes FROM joint_uses GROUP BY 1, 2, 3
    ), released AS (
        SELECT agreement_id, year, park_id, sum(minutes) AS minutes FROM joint_releases GROUP BY 1, 2, 3
    )
    SELECT a.agreement_id, a.year, a.park_id, u.minutes AS used FROM joint_accounts a
    LEFT JOIN used u USING (agreement_id, year, park_id) LEFT JOIN released r USING (agreement_id, year, park_id)
    WHERE coalesce(u.minutes, 0) + coalesce(r.minutes, 0) > a.entitled_minutes + a.overdraw_minutes
       OR u.minutes < 0 OR r.minutes < 0
    UNION ALL
    SELECT w.agreement_id, w.year, NULL, w.minutes FROM (
        SELECT agreement_id, year, sum(minutes) AS minutes FROM used GROUP BY 1, 2
    ) w JOIN (
        SELECT agreement_id, year, sum(entitled_minutes) AS entitled FROM joint_accounts GROUP BY 1, 2
    ) e USING (agreement_id, year) WHERE w.minutes > e.entitled
"""
_ENTITLED = """
    SELECT c.agreement_id, c.year, sum(c.entitled_minutes) AS entitled FROM joint_accounts c
    JOIN joint_agreements a ON a.id = c.agreement_id
    GROUP BY c.agreement_id, c.year, a.id
    HAVING sum(c.entitled_minutes) <> (a.year_minutes - a.reserve_minutes - a.maintenance_minutes)::bigint
        * (least(a.valid_to, make_date(c.year + 1, 1, 1)) - greatest(a.valid_from, make_date(c.year, 1, 1)))
        / (make_date(c.year + 1, 1, 1) - make_date(c.year, 1, 1))
"""
_TRUED_UP = """
    SELECT t.id, t.agreement_id, t.year, t.cost_fen, sum(s.capital_fen + s.amount_fen) AS shares, t.outsiders_fen
    FROM joint_true_ups t LEFT JOIN joint_true_up_shares s ON s.true_up_id = t.id
    GROUP BY t.id
    HAVING coalesce(sum(s.capital_fen + s.amount_fen), 0) + t.outsiders_fen <> t.cost_fen
"""
_TRUE_UP_LINES = """
    SELECT coalesce(s.park_id, r.tenant_id) AS park_id, s.id, s.amount_fen, r.gross_fen, w.amount_fen AS credited, j.fen
    FROM (SELECT s.* FROM joint_true_up_shares s JOIN joint_true_ups t ON t.id = s.true_up_id
          WHERE t.status = 'approved') s
    FULL JOIN (SELECT * FROM rated_usage WHERE offering = 'joint') r
        ON r.tenant_id = s.park_id AND r.order_line_id = s.id
    LEFT JOIN wallet_entries w ON w.tenant_id = s.park_id AND w.source_id = s.id AND w.kind = 'top_up'
    LEFT JOIN (SELECT j.source_id, sum(p.amount_fen) AS fen FROM journals j JOIN postings p ON p.journal_id = j.id
               WHERE j.source_kind IN ('delivery', 'joint_credit') AND p.side = 'debit' GROUP BY j.source_id) j
        ON j.source_id = CAST(s.id AS text)
    WHERE (greatest(s.amount_fen, 0), greatest(-s.amount_fen, 0), abs(s.amount_fen))
        IS DISTINCT FROM (coalesce(r.gross_fen, 0), coalesce(w.amount_fen, 0), coalesce(j.fen, 0))
       OR r.vat_bp <> 0 OR r.subsidy_fen <> 0
"""
_CENTRE_PAID = """
    SELECT coalesce(CAST(m.id AS text), j.source_id) AS id, m.amount_fen, j.fen
    FROM (SELECT m.*, 'joint:centre:' || a.series_id AS account FROM joint_centre_payments m
          JOIN joint_agreements a ON a.id = m.agreement_id) m
    FULL JOIN (SELECT j.source_id, p.account, sum(CASE p.side WHEN 'debit' THEN p.amount_fen ELSE -p.amount_fen END) AS fen
               FROM journals j JOIN postings p ON p.journal_id = j.id
               WHERE j.source_kind = 'joint_payment' AND p.account <> 'bank' GROUP BY 1, 2) j
        ON j.source_id = CAST(m.id AS text) AND j.account = m.account
    WHERE m.amount_fen IS DISTINCT FROM j.fen
    UNION ALL
    SELECT CAST(m.id AS text), m.amount_fen, r.amount_fen FROM joint_centre_payments m
    JOIN joint_centre_payments r ON r.id = m.reverses_id WHERE m.amount_fen <> -r.amount_fen
"""
_CLOSED = """
    SELECT t.id, s.park_id, s.used_minutes, u.minutes FROM joint_true_ups t
    JOIN joint_true_up_shares s ON s.true_up_id = t.id
    LEFT JOIN (SELECT agreement_id, year, park_id, sum(minutes) AS minutes FROM joint_uses GROUP BY 1, 2, 3) u
        ON u.agreement_id = t.agreement_id AND u.year = t.year AND u.park_id = s.park_id
    WHERE t.status = 'approved' AND t.reverses_id IS NULL AND coalesce(u.minutes, 0) <> s.used_minutes
      AND NOT EXISTS (SELECT FROM joint_true_ups r WHERE r.reverses_id = t.id AND r.status = 'approved')
"""

INVARIANTS_JOINT = (
    Invariant(
        "joint-shares", "The parties of an agreement are its members, with one lead and shares of a whole.", _SHARES
    ),
    Invariant("joint-signed", "An agreement in force was signed by all before, each under its very terms.", _SIGNED),
    Invariant("joint-entitled", "What the parties are entitled to in a year sums to the hours there are.", _ENTITLED),
    Invariant(
        "joint-hours", "No party uses more than its entitlement and overdraw, nor all more than there is.", _HOURS
    ),
    Invariant("joint-true-up", "The shares of a true-up and what outsiders paid sum to the cost.", _TRUED_UP),
    Invariant(
        "joint-true-up-lines",
        "An approved share is usage of its amount, or credit, and has one journal of it; and no other is.",
        _TRUE_UP_LINES,
    ),
    Invariant(
        "joint-centre-paid",
        "A transfer to a centre has one journal of its amount, and is taken back as a whole or not at all.",
        _CENTRE_PAID,
    ),
    Invariant("joint-closed", "What was used in a closed year is what was trued up.", _CLOSED),
)
"""Run by ``marketplace check``."""
