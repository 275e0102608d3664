"""What must always be true of returned services and clawbacks."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_RETURNS = """
    SELECT r.tenant_id, r.order_line_id, u.gross_fen, u.payable_fen, sum(r.amount_fen) AS returned,
           sum(r.park_fen) AS to_park, count(*) AS returns, max(r.number) AS last
    FROM line_returns r LEFT JOIN rated_usage u ON u.tenant_id = r.tenant_id AND u.id = r.rated_usage_id
    GROUP BY r.tenant_id, r.order_line_id, u.id, u.order_line_id, u.gross_fen, u.payable_fen
    HAVING u.order_line_id IS DISTINCT FROM r.order_line_id OR sum(r.amount_fen) > u.gross_fen
        OR sum(r.park_fen) > u.payable_fen OR max(r.number) <> count(*)
        OR sum(r.vat_fen) > greatest(
            (2 * u.gross_fen * max(u.vat_bp) + 10000 + max(u.vat_bp)) / (2 * (10000 + max(u.vat_bp))),
            (SELECT max(l.vat_fen) FROM invoice_lines l WHERE l.tenant_id = r.tenant_id AND l.rated_usage_id = u.id))
"""
_RETURN_MONEY = """
    SELECT r.tenant_id, r.id, j.total, r.amount_fen, h.withdrawn, c.amount_fen AS clawed, p.amount_fen AS credited
    FROM line_returns r
    LEFT JOIN LATERAL (SELECT sum(p.amount_fen) AS total FROM journals j JOIN postings p ON p.journal_id = j.id
        WHERE j.source_kind = 'line_return' AND j.source_id = CAST(r.id AS text) AND p.side = 'debit') j ON true
    LEFT JOIN LATERAL (SELECT coalesce(sum(amount_fen), 0) AS withdrawn FROM hold_returns
        WHERE tenant_id = r.tenant_id AND cause = 'line_return' AND cause_id = r.id) h ON true
    LEFT JOIN clawbacks c ON c.tenant_id = r.tenant_id AND c.return_id = r.id
    LEFT JOIN payments p ON p.tenant_id = r.tenant_id AND p.method = 'return' AND p.reference = 'return:' || r.id
    LEFT JOIN invoice_lines l ON l.tenant_id = r.tenant_id AND l.rated_usage_id = r.rated_usage_id AND NOT l.voided
    WHERE j.total IS DISTINCT FROM r.amount_fen OR h.withdrawn <> r.withdrawn_fen
       OR coalesce(c.amount_fen, 0) <> r.recalled_fen
       OR coalesce(p.amount_fen, 0) <> r.to_invoice_fen + r.to_wallet_fen
                                       + CASE WHEN l.invoice_id IS NULL THEN 0 ELSE r.waiting_fen END
"""
_CASES = """
    SELECT c.tenant_id, c.id, c.amount_fen, p.amount, c.withdrawn_fen, p.withdrawn, h.withdrawn AS given_back,
           c.to_fund_fen, p.recalled, c.repaid_fund_fen, p.repaid, b.by_bank, h.returned, c.repaid_seller_fen, b.by_wallet
    FROM clawbacks c
    LEFT JOIN LATERAL (SELECT sum(amount_fen) AS amount, sum(withdrawn_fen) AS withdrawn, sum(recalled_fen) AS recalled,
                              sum(repaid_fen) AS repaid
        FROM clawback_parts WHERE tenant_id = c.tenant_id AND clawback_id = c.id) p ON true
    LEFT JOIN LATERAL (SELECT coalesce(sum(amount_fen) FILTER (WHERE method IN ('treasury', 'set_off')), 0)
                                  AS by_bank,
                              coalesce(sum(amount_fen) FILTER (WHERE method = 'wallet'), 0) AS by_wallet
        FROM clawback_repayments WHERE tenant_id = c.tenant_id AND clawback_id = c.id) b ON true
    LEFT JOIN LATERAL (SELECT coalesce(sum(r.amount_fen) FILTER (WHERE r.source = 'captured'), 0) AS withdrawn,
                              coalesce(sum(r.amount_fen) FILTER (WHERE r.source = 'disbursed'), 0) AS returned
        FROM hold_returns r
        WHERE r.tenant_id = c.tenant_id AND ((r.cause = 'clawback' AND r.cause_id = c.id) OR (
            r.cause = 'clawback_repayment' AND r.cause_id IN (SELECT id FROM clawback_repayments
                WHERE tenant_id = c.tenant_id AND clawback_id = c.id)))) h ON true
    WHERE p.amount IS DISTINCT FROM c.amount_fen OR p.withdrawn <> c.withdrawn_fen OR h.withdrawn <> c.withdrawn_fen
       OR (c.status NOT IN ('opened', 'dismissed') AND p.recalled <> c.to_fund_fen)
       OR p.repaid <> c.repaid_fund_fen OR b.by_bank <> c.repaid_fund_fen OR h.returned <> c.repaid_fund_fen
       OR b.by_wallet <> c.repaid_seller_fen
       OR (c.status IN ('upheld', 'closed', 'written_off') AND c.withdrawn_fen + c.to_fund_fen <> c.amount_fen)
"""
_RECALLED = """
    SELECT h.tenant_id, h.id, h.recalled_fen - h.withdrawn_fen AS recalled, coalesce(p.recalled, 0) AS by_cases
    FROM holds h
    LEFT JOIN (SELECT tenant_id, hold_id, sum(recalled_fen) AS recalled FROM clawback_parts GROUP BY tenant_id, hold_id) p
        ON p.tenant_id = h.tenant_id AND p.hold_id = h.id
    WHERE h.recalled_fen - h.withdrawn_fen <> coalesce(p.recalled, 0)
"""
_BOOKS = """
    SELECT coalesce(c.account, b.account) AS account, c.outstanding, b.balance
    FROM (
        SELECT 'receivable:clawback:' || bearer || ':' || bearer_id AS account,
               sum(to_fund_fen + to_seller_fen - repaid_fund_fen - repaid_seller_fen - written_off_fen) AS outstanding
        FROM clawbacks GROUP BY bearer, bearer_id
        UNION ALL
        SELECT 'clawback:fund:' || h.fund_id, -sum(p.recalled_fen - p.repaid_fen)
        FROM clawback_parts p JOIN clawbacks c ON c.tenant_id = p.tenant_id AND c.id = p.clawback_id
        JOIN holds h ON h.tenant_id = p.tenant_id AND h.id = p.hold_id
        WHERE c.status = 'upheld' GROUP BY h.fund_id
    ) c
    FULL JOIN (
        SELECT account, sum(CASE side WHEN 'debit' THEN amount_fen ELSE -amount_fen END) AS balance FROM postings
        WHERE account LIKE 'receivable:clawback:%' OR account LIKE 'clawback:fund:%' GROUP BY account
    ) b ON b.account = c.account
    WHERE coalesce(c.outstanding, 0) <> coalesce(b.balance, 0)
"""
_PEOPLE = """
    SELECT tenant_id, id, opened_by, decided_by, write_off_by, write_off_approved_by FROM clawbacks
    WHERE opened_by = decided_by OR write_off_by = write_off_approved_by
       OR (cause <> 'fraud' AND bearer <> CASE cause WHEN 'ineligible' THEN 'park' ELSE 'provider' END)
"""

INVARIANTS_RETURNS = (
    Invariant("returned-at-most-paid", "No line is returned beyond its price, its VAT or the park's part.", _RETURNS),
    Invariant(
        "returns-posted",
        "Every return is in the books, its public part back in its funds or asked back, the park's part credited.",
        _RETURN_MONEY,
    ),
    Invariant("clawback-sums", "A case's amounts are those of its parts, its repayments and what came back.", _CASES),
    Invariant("clawback-recalls", "What is asked back of a hold is what cases ask of it.", _RECALLED),
    Invariant("clawback-books", "What the books say is owed back is what upheld cases still ask.", _BOOKS),
    Invariant(
        "clawback-people", "Two people decide a case, two write it off, and its bearer follows its cause.", _PEOPLE
    ),
)
"""Run by ``marketplace check`` and after every fault test."""
