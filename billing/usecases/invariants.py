"""What must always be true of prices, programmes, quotes, funds, holds and ceilings."""

from __future__ import annotations

from billing.usecases.invariants_funds import INVARIANTS_FUNDS
from tenants.kernel.invariants import Invariant

_BALANCES = """
    SELECT e.fund_id, e.envelope, place.name, place.balance, coalesce(sum(m.amount), 0) AS entered
    FROM fund_envelopes e
    CROSS JOIN LATERAL (VALUES ('appropriated', -e.appropriated_fen), ('transferred', -e.transferred_fen),
        ('carried', -e.carried_fen), ('available', e.available_fen),
        ('held', e.held_fen), ('captured', e.captured_fen), ('disbursed', e.disbursed_fen),
        ('returned', e.returned_fen)) AS place (name, balance)
    LEFT JOIN (
        SELECT fund_id, envelope, destination AS name, amount_fen AS amount FROM fund_entries
        UNION ALL SELECT fund_id, envelope, source, -amount_fen FROM fund_entries
    ) m ON m.fund_id = e.fund_id AND m.envelope = e.envelope AND m.name = place.name
    GROUP BY e.fund_id, e.envelope, place.name, place.balance
    HAVING place.balance <> coalesce(sum(m.amount), 0)
"""
_HELD = """
    SELECT e.fund_id, e.envelope, e.held_fen, coalesce(sum(h.amount_fen), 0) AS held_by_lines
    FROM fund_envelopes e
    LEFT JOIN holds h ON h.fund_id = e.fund_id AND h.envelope = e.envelope AND h.status = 'held'
    GROUP BY e.fund_id, e.envelope, e.held_fen HAVING e.held_fen <> coalesce(sum(h.amount_fen), 0)
"""
_SPENT = """
    SELECT e.fund_id, e.envelope, e.captured_fen, h.captured, e.disbursed_fen, h.disbursed, e.returned_fen, h.returned
    FROM fund_envelopes e
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(captured_fen - withdrawn_fen - disbursed_fen), 0) AS captured,
               coalesce(sum(disbursed_fen - returned_fen), 0) AS disbursed, coalesce(sum(returned_fen), 0) AS returned
        FROM holds WHERE fund_id = e.fund_id AND envelope = e.envelope
    ) h
    WHERE (e.captured_fen, e.disbursed_fen, e.returned_fen) <> (h.captured, h.disbursed, h.returned)
"""
_ENTRIES_OF_HOLDS = """
    SELECT h.id, h.status, h.amount_fen, h.captured_fen, e.held, e.captured, e.released, e.withdrawn, e.disbursed,
           e.returned
    FROM holds h
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(amount_fen) FILTER (WHERE source = 'available' AND destination = 'held'), 0) AS held,
               coalesce(sum(amount_fen) FILTER (WHERE source = 'held' AND destination = 'captured'), 0) AS captured,
               coalesce(sum(amount_fen) FILTER (WHERE source = 'held' AND destination = 'available'), 0) AS released,
               coalesce(sum(amount_fen) FILTER (WHERE source = 'captured' AND destination = 'available'), 0) AS withdrawn,
               coalesce(sum(amount_fen) FILTER (WHERE source = 'captured' AND destination = 'disbursed'), 0) AS disbursed,
               coalesce(sum(amount_fen) FILTER (WHERE source = 'disbursed' AND destination = 'returned'), 0) AS returned
        FROM fund_entries WHERE hold_id = h.id AND fund_id = h.fund_id AND envelope = h.envelope
    ) e
    WHERE e.held <> h.amount_fen OR e.captured <> h.captured_fen
       OR e.released <> CASE h.status WHEN 'held' THEN 0 ELSE h.amount_fen - h.captured_fen END
       OR (e.withdrawn, e.disbursed, e.returned) <> (h.withdrawn_fen, h.disbursed_fen, h.returned_fen)
"""
_RETURNS = """
    SELECT h.tenant_id, h.id, h.captured_fen, h.recalled_fen, h.withdrawn_fen, h.returned_fen, r.withdrawn, r.returned
    FROM holds h
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(amount_fen) FILTER (WHERE source = 'captured'), 0) AS withdrawn,
               coalesce(sum(amount_fen) FILTER (WHERE source = 'disbursed'), 0) AS returned
        FROM hold_returns WHERE tenant_id = h.tenant_id AND hold_id = h.id
    ) r
    WHERE (r.withdrawn, r.returned) <> (h.withdrawn_fen, h.returned_fen)
       OR h.withdrawn_fen + h.returned_fen > h.recalled_fen OR h.recalled_fen > h.captured_fen
"""
_CEILINGS = """
    SELECT coalesce(c.programme, t.programme) AS programme, coalesce(c.scope, t.scope) AS scope,
           coalesce(c.key, t.key) AS key, coalesce(c.period, t.period) AS period, c.used_fen, t.taken
    FROM cap_counters c
    FULL JOIN (
        SELECT h.programme, l ->> 'scope' AS scope, CAST(l ->> 'owner_id' AS uuid) AS owner_id, l ->> 'key' AS key,
               l ->> 'period' AS period, sum(CASE h.status WHEN 'held' THEN h.amount_fen
                   ELSE h.captured_fen - h.withdrawn_fen - h.returned_fen END) AS taken
        FROM holds h CROSS JOIN LATERAL jsonb_array_elements(h.ceilings) AS l
        GROUP BY 1, 2, 3, 4, 5
    ) t ON (t.programme, t.scope, t.owner_id, t.key, t.period) = (c.programme, c.scope, c.owner_id, c.key, c.period)
    WHERE coalesce(c.used_fen, 0) <> coalesce(t.taken, 0)
"""
_TWO_PEOPLE = """
    SELECT 'appropriation' AS kind, CAST(id AS text) AS id FROM appropriations
    WHERE status = 'approved' AND (approved_by IS NULL OR approved_by = requested_by)
    UNION ALL
    SELECT 'fund transfer', CAST(id AS text) FROM fund_transfers
    WHERE status = 'approved' AND (approved_by IS NULL OR approved_by = requested_by)
    UNION ALL
    SELECT 'policy version', programme_id || '/' || version FROM policy_versions
    WHERE status = 'approved' AND (approved_by IS NULL OR approved_by = written_by)
"""
_APPROPRIATED = """
    SELECT e.fund_id, e.envelope, e.appropriated_fen, coalesce(sum(a.amount_fen), 0) AS approved
    FROM fund_envelopes e
    LEFT JOIN (
        SELECT fund_id, envelope, amount_fen - coalesce((SELECT sum(p.amount_fen) FROM appropriation_parts p
                                                         WHERE p.appropriation_id = id), 0) AS amount_fen
        FROM appropriations WHERE status = 'approved'
        UNION ALL SELECT a.fund_id, p.envelope, p.amount_fen
        FROM appropriation_parts p JOIN appropriations a ON a.id = p.appropriation_id WHERE a.status = 'approved'
        UNION ALL SELECT fund_id, envelope, -amount_fen FROM fund_transfers
        WHERE kind = 'return' AND status = 'approved'
    ) a ON a.fund_id = e.fund_id AND a.envelope = e.envelope
    GROUP BY e.fund_id, e.envelope, e.appropriated_fen HAVING e.appropriated_fen <> coalesce(sum(a.amount_fen), 0)
"""

INVARIANTS = (
    Invariant(
        "fund-balances-are-entries",
        "Every balance of every envelope is the sum of the entries of its place.",
        _BALANCES,
    ),
    Invariant(
        "fund-places-not-negative",
        "No fund has less than nothing anywhere, and every fen that came in is in one place.",
        """
        SELECT fund_id, envelope FROM fund_envelopes
        WHERE least(available_fen, held_fen, captured_fen, disbursed_fen, returned_fen) < 0
           OR appropriated_fen + transferred_fen + carried_fen
              <> available_fen + held_fen + captured_fen + disbursed_fen + returned_fen
        """,
    ),
    Invariant("fund-held-is-open-holds", "What an envelope holds is the sum of its open holds.", _HELD),
    Invariant(
        "fund-captured-is-captures",
        "What holds captured of an envelope and did not give back is captured there, disbursed, or returned.",
        _SPENT,
    ),
    Invariant(
        "holds-settled-once",
        "Each hold was drawn once in full, captured and released together once at most, and paid out and given back as "
        "its entries say.",
        _ENTRIES_OF_HOLDS,
    ),
    Invariant(
        "holds-give-back-what-they-spent",
        "What came back of a hold is noted return by return, and never exceeds what it captured.",
        _RETURNS,
    ),
    Invariant(
        "ceilings-are-holds",
        "A ceiling's counter is the sum of what open and captured holds took and did not give back.",
        _CEILINGS,
    ),
    Invariant("four-eyes", "Who asked for money or wrote a policy did not approve it.", _TWO_PEOPLE),
    Invariant(
        "fund-appropriated-is-approved",
        "What the treasury gave a fund is the sum of its approved appropriations, less what was returned.",
        _APPROPRIATED,
    ),
    Invariant(
        "prices-follow-each-other",
        "An offering has at most one price of a scope at any moment.",
        """
        SELECT a.offering, a.id, b.id FROM prices a JOIN prices b ON a.offering = b.offering AND a.id < b.id
        WHERE (a.tier, a.region_class, a.region) = (b.tier, b.region_class, b.region)
          AND tstzrange(a.valid_from, a.valid_to) && tstzrange(b.valid_from, b.valid_to)
        """,
    ),
    *INVARIANTS_FUNDS,
)
