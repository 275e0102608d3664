"""What always holds of the allocation of leads among parks."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

LEADS = (
    Invariant(
        "lead-parks",
        "A company is listed to at most five parks, in places taken one after the other.",
        """
        SELECT uscc, count(*) AS parks FROM lead_places GROUP BY uscc
        HAVING count(*) > 5 OR max(place) <> count(*) OR count(DISTINCT park_id) <> count(*)
        """,
    ),
    Invariant(
        "lead-claim",
        "A company is claimed by one park at a time, and by one that it is listed to.",
        """
        SELECT a.uscc, a.id FROM lead_claims a WHERE NOT EXISTS
            (SELECT FROM lead_places p WHERE p.uscc = a.uscc AND p.park_id = a.park_id AND p.listed_at <= a.claimed_at)
           OR EXISTS (SELECT FROM lead_claims b WHERE b.uscc = a.uscc AND b.id <> a.id
                AND tstzrange(a.claimed_at, a.ends_at) && tstzrange(b.claimed_at, b.ends_at))
        """,
    ),
    Invariant(
        "lead-exclusive",
        "While a park has claimed a company, it is listed to no other for the first time.",
        """
        SELECT c.uscc, c.id, p.park_id FROM lead_claims c JOIN lead_places p ON p.uscc = c.uscc AND p.park_id <> c.park_id
        WHERE p.listed_at > c.claimed_at AND p.listed_at < c.ends_at
        """,
    ),
    Invariant(
        "lead-suppressed",
        "A company that asked not to be contacted is listed to nobody and claimed by nobody meanwhile.",
        """
        SELECT s.uscc, s.id FROM lead_suppressions s WHERE EXISTS
            (SELECT FROM listed_leads l JOIN runs r ON r.tenant_id = l.tenant_id AND r.id = l.run_id
             WHERE l.uscc = s.uscc AND r.finished_at > s.recorded_at AND r.finished_at < coalesce(s.lifted_at, 'infinity'))
           OR EXISTS (SELECT FROM lead_claims c WHERE c.uscc = s.uscc AND c.ends_at > s.recorded_at
                AND c.claimed_at < coalesce(s.lifted_at, 'infinity'))
        """,
    ),
    Invariant(
        "lead-contact",
        "A number is shown on a running claim of the park, once a day, one after the other and never beyond the day's limit.",
        # Of two transactions at the same moment the later one may have begun earlier: hence the minute.
        """
        SELECT v.tenant_id, v.id::text FROM lead_contact_showings v
        LEFT JOIN lead_claims c ON c.id = v.claim_id AND c.park_id = v.tenant_id AND c.uscc = v.uscc
        WHERE c.id IS NULL OR v.shown_at < c.claimed_at OR v.shown_at > c.ends_at + interval '1 minute'
           OR v.day <> (v.shown_at AT TIME ZONE 'Asia/Shanghai')::date OR v.place > v.per_day
        UNION ALL
        SELECT tenant_id, day::text FROM lead_contact_showings GROUP BY tenant_id, day HAVING max(place) <> count(*)
        """,
    ),
    Invariant(
        "lead-explored",
        "A fifth of every list comes from beyond the top ranks, and only a succeeded run has a list.",
        """
        SELECT l.tenant_id, l.run_id FROM listed_leads l JOIN runs r ON r.tenant_id = l.tenant_id AND r.id = l.run_id
        GROUP BY l.tenant_id, l.run_id, r.status
        HAVING 5 * count(*) FILTER (WHERE l.explored) < count(*) OR r.status <> 'succeeded'
        """,
    ),
    Invariant(
        "lead-repeat",
        "What is delivered again was delivered and was no repeat, at most 30 days before it was ordered again.",
        """
        SELECT r.tenant_id, r.id FROM runs r JOIN runs f ON f.tenant_id = r.tenant_id AND f.id = r.repeats
        WHERE f.status <> 'succeeded' OR f.repeats IS NOT NULL OR f.fingerprint IS NULL OR f.delivery <> r.delivery
           OR r.created_at >= f.finished_at + interval '720 hours'
        """,
    ),
    Invariant(
        "lead-outcomes",
        "Outcomes are numbered one after the other, never back in time, and name a list that really had the company there.",
        """
        SELECT o.tenant_id, o.uscc, o.number FROM lead_outcomes o
        WHERE (o.number > 1 AND NOT EXISTS (SELECT FROM lead_outcomes b WHERE b.tenant_id = o.tenant_id
                AND b.uscc = o.uscc AND b.number = o.number - 1 AND b.recorded_at <= o.recorded_at))
           OR (o.run_id IS NOT NULL AND NOT EXISTS (SELECT FROM listed_leads l WHERE l.tenant_id = o.tenant_id
                AND l.run_id = o.run_id AND l.uscc = o.uscc AND l.position = o.position AND l.explored = o.explored
                AND l.score IS NOT DISTINCT FROM o.score))
        """,
    ),
)
"""Checked over the whole database by ``marketplace check``."""
