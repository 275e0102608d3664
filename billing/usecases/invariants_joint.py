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

INVARIANTS_JOINT = (
    Invariant(
        "joint-shares", "The parties of an agreement are its members, with one lead and shares of a whole.", _SHARES
    ),
    Invariant("joint-signed", "An agreement in force was signed by all before, each under its very terms.", _SIGNED),
    Invariant("joint-entitled", "What the parties are entitled to in a year sums to the hours there are.", _ENTITLED),
    Invariant(
        "joint-hours", "No party uses more than its entitlement and overdraw, nor all more than there is.", _HOURS
    ),
)
"""Run by ``marketplace check``."""
