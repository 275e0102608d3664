"""What must always be true of a fund's life: transfers, carry-over, closed funds, budgets in the books, alerts."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_PAIRS = """
    SELECT e.id, e.fund_id, e.envelope, e.source, e.destination, e.amount_fen, o.id AS counterpart
    FROM fund_entries e LEFT JOIN fund_entries o ON o.id = e.counterpart_id
    WHERE (e.source IN ('transferred', 'carried') OR e.destination IN ('transferred', 'carried'))
      AND (o.id IS NULL OR o.counterpart_id IS DISTINCT FROM e.id OR o.amount_fen <> e.amount_fen
        OR o.source <> e.destination OR o.destination <> e.source
        OR ('transferred' IN (e.source, e.destination)) <> (o.fund_id = e.fund_id)
        OR (o.envelope = e.envelope) <> ('carried' IN (e.source, e.destination)))
"""
_TRANSFERRED = """
    SELECT fund_id, sum(transferred_fen) AS transferred FROM fund_envelopes
    GROUP BY fund_id HAVING sum(transferred_fen) <> 0
"""
_CARRIED = "SELECT sum(carried_fen) AS carried FROM fund_envelopes HAVING sum(carried_fen) <> 0"
_DECIDED = """
    SELECT e.via, e.moved, coalesce(t.approved, 0) AS approved
    FROM (
        SELECT 'transfer' AS via, coalesce(sum(amount_fen) FILTER (WHERE destination = 'transferred'), 0) AS moved
        FROM fund_entries
        UNION ALL SELECT 'carry_over', coalesce(sum(amount_fen) FILTER (WHERE destination = 'carried'), 0) FROM fund_entries
        UNION ALL SELECT 'return', coalesce(sum(amount_fen) FILTER (WHERE destination = 'appropriated'), 0)
        FROM fund_entries
    ) e
    LEFT JOIN (SELECT kind, sum(amount_fen) AS approved FROM fund_transfers WHERE status = 'approved' GROUP BY kind) t
        ON t.kind = e.via
    WHERE e.moved <> coalesce(t.approved, 0)
"""
_CLOSED = """
    SELECT f.slug, e.envelope, e.available_fen, e.held_fen, e.captured_fen
    FROM funds f JOIN fund_envelopes e ON e.fund_id = f.id
    WHERE f.status = 'closed' AND e.available_fen + e.held_fen + e.captured_fen <> 0
"""
_BUDGET = """
    SELECT f.slug, coalesce(e.budget, 0) AS register, coalesce(b.balance, 0) AS books
    FROM funds f
    LEFT JOIN (SELECT fund_id, sum(appropriated_fen + carried_fen) AS budget FROM fund_envelopes GROUP BY fund_id) e
        ON e.fund_id = f.id
    LEFT JOIN (SELECT a.fund_id, sum(CASE p.side WHEN 'debit' THEN p.amount_fen ELSE -p.amount_fen END) AS balance
               FROM postings p JOIN accounts a ON a.code = p.account WHERE a.code LIKE 'budget:fund:%'
               GROUP BY a.fund_id) b ON b.fund_id = f.id
    WHERE coalesce(e.budget, 0) <> coalesce(b.balance, 0)
"""
_SPLIT = """
    SELECT a.id, a.amount_fen, sum(p.amount_fen) AS parts FROM appropriations a
    JOIN appropriation_parts p ON p.appropriation_id = a.id
    GROUP BY a.id, a.amount_fen HAVING sum(p.amount_fen) > a.amount_fen OR sum(p.share_bp) > 10000
"""

INVARIANTS_FUNDS = (
    Invariant(
        "fund-transfers-pair",
        "Money that leaves an envelope for another, or a year for the next, arrives there: two entries name each other.",
        _PAIRS,
    ),
    Invariant("fund-transfers-balance", "What a fund's envelopes gave each other sums to nothing.", _TRANSFERRED),
    Invariant("fund-carry-over-balances", "What all funds carried over sums to nothing.", _CARRIED),
    Invariant(
        "fund-transfers-decided", "Nothing moved between envelopes or years that two people had not decided.", _DECIDED
    ),
    Invariant(
        "fund-closed-is-empty", "A closed fund has nothing available, held, or captured and not disbursed.", _CLOSED
    ),
    Invariant("fund-budget-books", "The books give each fund the budget that its register has.", _BUDGET),
    Invariant("appropriation-split", "The regional parts of an appropriation are no more than the whole.", _SPLIT),
)
