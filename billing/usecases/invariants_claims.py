"""What must always be true of claims: every captured fen is claimed once, reviewed twice, and paid once."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_CAPTURED = """
    SELECT f.slug, coalesce(e.captured, 0) AS captured, coalesce(c.claimed, 0) AS claimed
    FROM funds f
    LEFT JOIN (SELECT fund_id, sum(captured_fen) AS captured FROM fund_envelopes GROUP BY fund_id) e ON e.fund_id = f.id
    LEFT JOIN (SELECT h.fund_id, sum(c.amount_fen - h.withdrawn_fen) AS claimed
               FROM claim_lines c JOIN holds h ON h.tenant_id = c.tenant_id AND h.id = c.hold_id
               WHERE c.status <> 'paid' GROUP BY h.fund_id) c ON c.fund_id = f.id
    WHERE coalesce(e.captured, 0) <> coalesce(c.claimed, 0)
"""
_DISBURSED = """
    SELECT f.slug, coalesce(p.paid, 0) AS paid, coalesce(h.disbursed, 0) AS disbursed
    FROM funds f
    LEFT JOIN (SELECT b.fund_id, sum(p.amount_fen) AS paid FROM payouts p JOIN claim_batches b ON b.id = p.batch_id
               WHERE p.status = 'paid' GROUP BY b.fund_id) p ON p.fund_id = f.id
    LEFT JOIN (SELECT fund_id, sum(disbursed_fen) AS disbursed FROM holds GROUP BY fund_id) h ON h.fund_id = f.id
    WHERE coalesce(p.paid, 0) <> coalesce(h.disbursed, 0)
"""
_PEOPLE = """
    SELECT b.id, b.period FROM claim_batches b
    WHERE b.submitted_by IN (b.first_reviewed_by, b.second_reviewed_by) OR b.first_reviewed_by = b.second_reviewed_by
       OR (b.status IN ('second_review', 'notice', 'disbursed') AND b.first_reviewed_by IS NULL)
       OR (b.status IN ('notice', 'disbursed') AND b.second_reviewed_by IS NULL)
    UNION ALL
    SELECT b.id, b.period FROM payouts p JOIN claim_batches b ON b.id = p.batch_id
    WHERE p.paid_by IN (b.first_reviewed_by, b.second_reviewed_by) OR p.paid_at < b.notice_until
"""
_LINES = """
    SELECT p.id, p.status, p.amount_fen, l.amount FROM payouts p
    CROSS JOIN LATERAL (
        SELECT count(*) AS lines, count(*) FILTER (WHERE c.status = 'paid') AS paid,
               bool_and(c.batch_id = p.batch_id AND c.payee_id = p.payee_id AND c.payee_kind = p.payee_kind) AS fits,
               sum(CASE c.status WHEN 'paid' THEN h.disbursed_fen ELSE c.amount_fen END) AS amount
        FROM claim_lines c JOIN holds h ON h.tenant_id = c.tenant_id AND h.id = c.hold_id WHERE c.payout_id = p.id
    ) l
    WHERE (p.status = 'cancelled') <> (l.lines = 0) OR NOT l.fits
       OR l.paid <> CASE p.status WHEN 'paid' THEN l.lines ELSE 0 END
       OR (p.status = 'paid' AND l.amount IS DISTINCT FROM p.amount_fen)
"""
_DONE = """
    SELECT b.id, b.period FROM claim_batches b WHERE b.status = 'done' AND (b.done_at IS NULL
        OR EXISTS (SELECT FROM payouts p WHERE p.batch_id = b.id AND p.status = 'pending')
        OR EXISTS (SELECT FROM claim_lines c JOIN holds h ON h.tenant_id = c.tenant_id AND h.id = c.hold_id
                   WHERE c.batch_id = b.id AND c.status = 'claimed' AND c.amount_fen > h.withdrawn_fen))
"""
_OBJECTED = """
    SELECT o.tenant_id, o.line_id FROM claim_objections o
    JOIN claim_lines c ON c.tenant_id = o.tenant_id AND c.id = o.line_id
    WHERE o.status = 'open' AND (c.payout_id IS NOT NULL OR c.batch_id <> o.batch_id)
"""
_SET_OFFS = """
    SELECT p.id, p.status, p.amount_fen, p.set_off_fen, s.kept, s.repaid
    FROM payouts p
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(o.amount_fen), 0) AS kept, coalesce(sum(r.amount_fen), 0) AS repaid,
               bool_and(c.bearer = 'provider' AND c.bearer_id = p.payee_id AND p.payee_kind = 'provider'
                        AND (r.id IS NULL OR (r.method = 'set_off' AND r.clawback_id = c.id
                                              AND r.amount_fen = o.amount_fen))) AS fits
        FROM payout_set_offs o
        JOIN clawbacks c ON c.tenant_id = o.tenant_id AND c.id = o.clawback_id
        LEFT JOIN clawback_repayments r ON r.tenant_id = o.tenant_id AND r.id = o.repayment_id
        WHERE o.payout_id = p.id
    ) s
    WHERE s.kept <> p.set_off_fen OR NOT coalesce(s.fits, true)
       OR s.repaid <> CASE p.status WHEN 'paid' THEN p.set_off_fen ELSE 0 END
    UNION ALL
    SELECT r.id, r.method, r.amount_fen, NULL, NULL, NULL FROM clawback_repayments r
    WHERE r.method = 'set_off' AND NOT EXISTS (
        SELECT FROM payout_set_offs o JOIN payouts p ON p.id = o.payout_id AND p.status = 'paid'
        WHERE o.tenant_id = r.tenant_id AND o.repayment_id = r.id)
"""

INVARIANTS_CLAIMS = (
    Invariant("claims-are-captured", "What a fund has captured is what is claimed of it and not paid.", _CAPTURED),
    Invariant("payouts-are-disbursed", "What funds have disbursed is the sum of their recorded payouts.", _DISBURSED),
    Invariant(
        "claims-three-people",
        "A batch was submitted, reviewed twice and paid by people who did nothing else of it, after its notice.",
        _PEOPLE,
    ),
    Invariant("payouts-are-lines", "A payout is its lines, of one batch and payee, paid together.", _LINES),
    Invariant(
        "payouts-set-off",
        "What is set off of a payout is its payee's own debts, never more than it, and repaid when it is paid.",
        _SET_OFFS,
    ),
    Invariant("claims-done", "A batch is done when nothing of it waits for money.", _DONE),
    Invariant("objections-stop-lines", "A line with an open objection is in no payout.", _OBJECTED),
)
"""Run by ``marketplace check`` and after every fault test."""
