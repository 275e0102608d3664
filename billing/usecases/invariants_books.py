"""What must always be true of usage, books, wallets, invoices, payments and claims."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_JOURNALS = """
    SELECT j.id, j.source_kind, j.source_id, count(p.line) AS lines,
           coalesce(sum(CASE p.side WHEN 'debit' THEN p.amount_fen ELSE -p.amount_fen END), 0) AS difference
    FROM journals j LEFT JOIN postings p ON p.journal_id = j.id
    GROUP BY j.id, j.source_kind, j.source_id
    HAVING count(p.line) < 2 OR sum(CASE p.side WHEN 'debit' THEN p.amount_fen ELSE -p.amount_fen END) <> 0
"""
_TRIAL_BALANCE = """
    SELECT sum(CASE side WHEN 'debit' THEN amount_fen ELSE -amount_fen END) AS difference FROM postings
    HAVING sum(CASE side WHEN 'debit' THEN amount_fen ELSE -amount_fen END) <> 0
"""
_DELIVERIES = """
    SELECT r.tenant_id, r.id, r.order_line_id, e.event_id, j.id AS journal_id, w.id AS wallet_journal_id
    FROM rated_usage r
    LEFT JOIN usage_events e ON e.tenant_id = r.tenant_id AND e.source = r.event_source AND e.event_id = r.event_id
    LEFT JOIN journals j ON j.source_kind = 'delivery' AND j.source_id = CAST(r.order_line_id AS text)
    LEFT JOIN journals w ON w.source_kind = 'wallet_capture' AND w.source_id = CAST(r.order_line_id AS text)
    WHERE e.event_id IS NULL OR (j.id IS NULL) <> (r.gross_fen = 0)
       OR (w.id IS NULL) <> (r.payment_method <> 'wallet' OR r.payable_fen = 0)
    UNION ALL
    SELECT j.tenant_id, NULL, NULL, j.source_id, j.id, NULL FROM journals j
    WHERE j.source_kind = 'delivery' AND NOT EXISTS (
        SELECT FROM rated_usage r WHERE CAST(r.order_line_id AS text) = j.source_id AND r.tenant_id = j.tenant_id)
"""
_CLAIMS = """
    SELECT coalesce(h.tenant_id, c.tenant_id) AS tenant_id, coalesce(h.id, c.hold_id) AS hold_id,
           h.captured_fen, c.amount_fen AS claimed_fen
    FROM (SELECT * FROM holds WHERE status = 'captured') h
    FULL JOIN claim_lines c ON c.tenant_id = h.tenant_id AND c.hold_id = h.id
    WHERE h.captured_fen IS DISTINCT FROM c.amount_fen
"""
_INVOICES = """
    SELECT i.tenant_id, i.id, i.number FROM invoices i
    LEFT JOIN invoice_lines l ON l.tenant_id = i.tenant_id AND l.invoice_id = i.id
    GROUP BY i.tenant_id, i.id
    HAVING (i.gross_fen, i.subsidy_fen, i.discount_fen, i.payable_fen, i.vat_fen) IS DISTINCT FROM
        (sum(l.gross_fen), sum(l.subsidy_fen), sum(l.discount_fen), sum(l.payable_fen), sum(l.vat_fen))
"""
_NUMBERS = """
    SELECT c.legal_entity, c.year, c.last_number, count(i.number) AS invoices, count(DISTINCT i.number) AS numbers,
           max(CAST(split_part(i.number, '-', 3) AS integer)) AS highest
    FROM invoice_counters c
    LEFT JOIN invoices i ON i.legal_entity = c.legal_entity AND i.number LIKE c.legal_entity || '-' || c.year || '-%'
    GROUP BY c.legal_entity, c.year, c.last_number
    HAVING count(i.number) <> c.last_number OR count(DISTINCT i.number) <> c.last_number
        OR coalesce(max(CAST(split_part(i.number, '-', 3) AS integer)), 0) <> c.last_number
"""
_WALLET_ENTRIES = """
    SELECT coalesce(w.tenant_id, e.tenant_id) AS tenant_id, w.available_fen, e.available, w.held_fen, e.held
    FROM wallets w
    FULL JOIN (
        SELECT tenant_id,
               sum(CASE kind WHEN 'top_up' THEN amount_fen WHEN 'grant' THEN amount_fen
                             WHEN 'release' THEN amount_fen WHEN 'hold' THEN -amount_fen
                             WHEN 'expire' THEN -amount_fen ELSE 0 END) AS available,
               sum(CASE kind WHEN 'hold' THEN amount_fen WHEN 'capture' THEN -amount_fen
                             WHEN 'release' THEN -amount_fen ELSE 0 END) AS held
        FROM wallet_entries GROUP BY tenant_id
    ) e ON e.tenant_id = w.tenant_id
    WHERE (coalesce(w.available_fen, 0), coalesce(w.held_fen, 0)) <> (coalesce(e.available, 0), coalesce(e.held, 0))
"""
_WALLET_CREDITS = """
    SELECT coalesce(w.tenant_id, c.tenant_id) AS tenant_id, w.available_fen, c.available, w.held_fen, c.held, c.burnt
    FROM wallets w
    FULL JOIN (
        SELECT c.tenant_id, sum(c.available_fen) AS available, sum(c.held_fen) AS held,
               coalesce(sum(b.held), 0) AS burnt
        FROM wallet_credits c
        LEFT JOIN (
            SELECT b.tenant_id, b.credit_id, sum(b.amount_fen) AS held FROM wallet_burns b
            WHERE NOT EXISTS (SELECT FROM wallet_entries e WHERE e.tenant_id = b.tenant_id
                              AND e.source_id = b.source_id AND e.kind IN ('capture', 'release'))
            GROUP BY 1, 2) b ON b.tenant_id = c.tenant_id AND b.credit_id = c.id
        GROUP BY c.tenant_id
    ) c ON c.tenant_id = w.tenant_id
    WHERE (coalesce(w.available_fen, 0), coalesce(w.held_fen, 0), coalesce(w.held_fen, 0))
        <> (coalesce(c.available, 0), coalesce(c.held, 0), coalesce(c.burnt, 0))
"""
_WALLET_BOOKS = """
    SELECT coalesce(w.tenant_id, b.tenant_id) AS tenant_id, w.available_fen, w.held_fen, b.balance
    FROM wallets w
    FULL JOIN (
        SELECT p.tenant_id, sum(CASE p.side WHEN 'credit' THEN p.amount_fen ELSE -p.amount_fen END) AS balance
        FROM postings p WHERE p.account LIKE 'wallet:park:%' GROUP BY p.tenant_id
    ) b ON b.tenant_id = w.tenant_id
    WHERE coalesce(w.available_fen, 0) + coalesce(w.held_fen, 0) <> coalesce(b.balance, 0)
"""
_PAID = """
    SELECT i.tenant_id, i.id, i.number, i.paid_fen, coalesce(sum(a.amount_fen), 0) AS allocated FROM invoices i
    LEFT JOIN allocations a ON a.tenant_id = i.tenant_id AND a.invoice_id = i.id
    GROUP BY i.tenant_id, i.id
    HAVING i.paid_fen <> coalesce(sum(a.amount_fen), 0)
        OR (i.status = 'paid') <> (i.status <> 'void' AND i.number IS NOT NULL AND i.paid_fen = i.payable_fen)
"""
_PAYMENTS = """
    SELECT p.tenant_id, p.id, p.amount_fen, coalesce(a.allocated, 0) AS allocated, coalesce(w.kept, 0) AS kept
    FROM payments p
    LEFT JOIN (SELECT tenant_id, payment_id, sum(amount_fen) AS allocated FROM allocations GROUP BY 1, 2) a
        ON a.tenant_id = p.tenant_id AND a.payment_id = p.id
    LEFT JOIN (SELECT tenant_id, source_id, sum(amount_fen) AS kept FROM wallet_entries
               WHERE kind = 'top_up' GROUP BY 1, 2) w ON w.tenant_id = p.tenant_id AND w.source_id = p.id
    WHERE p.amount_fen <> coalesce(a.allocated, 0) + coalesce(w.kept, 0)
"""
# Wallet-paid lines stand on the invoice as billed and as paid, so they cancel out; off it they were never owed.
_RECEIVABLE = """
    SELECT park.tenant_id, coalesce(b.balance, 0) AS books, coalesce(i.open, 0) AS open, coalesce(u.waiting, 0) AS waiting
    FROM (SELECT tenant_id FROM rated_usage UNION SELECT tenant_id FROM invoices) park
    LEFT JOIN (SELECT tenant_id, sum(CASE side WHEN 'debit' THEN amount_fen ELSE -amount_fen END) AS balance
               FROM postings WHERE account LIKE 'receivable:park:%' GROUP BY tenant_id) b USING (tenant_id)
    LEFT JOIN (SELECT tenant_id, sum(payable_fen - paid_fen) AS open FROM invoices WHERE status <> 'void'
               GROUP BY tenant_id) i USING (tenant_id)
    LEFT JOIN (SELECT r.tenant_id, sum(r.payable_fen - coalesce(b.credited, 0)) AS waiting FROM rated_usage r
               LEFT JOIN (SELECT tenant_id, rated_usage_id, sum(waiting_fen) AS credited FROM line_returns
                          GROUP BY tenant_id, rated_usage_id) b ON b.tenant_id = r.tenant_id AND b.rated_usage_id = r.id
               WHERE r.payment_method <> 'wallet' AND NOT EXISTS (SELECT FROM invoice_lines l
                   WHERE l.tenant_id = r.tenant_id AND l.rated_usage_id = r.id AND NOT l.voided)
               GROUP BY r.tenant_id) u USING (tenant_id)
    WHERE coalesce(b.balance, 0) <> coalesce(i.open, 0) + coalesce(u.waiting, 0)
"""
_VAT = """
    SELECT park.tenant_id, coalesce(b.balance, 0) AS books, coalesce(i.vat, 0) + coalesce(u.vat, 0) AS due
    FROM (SELECT tenant_id FROM rated_usage UNION SELECT tenant_id FROM invoices) park
    LEFT JOIN (SELECT tenant_id, sum(CASE side WHEN 'credit' THEN amount_fen ELSE -amount_fen END) AS balance
               FROM postings WHERE account = 'vat:output' GROUP BY tenant_id) b USING (tenant_id)
    LEFT JOIN (SELECT tenant_id, sum(vat_fen) AS vat FROM invoices WHERE status <> 'void'
               GROUP BY tenant_id) i USING (tenant_id)
    LEFT JOIN (SELECT r.tenant_id,
                      sum((2 * r.gross_fen * r.vat_bp + 10000 + r.vat_bp) / (2 * (10000 + r.vat_bp))) AS vat
               FROM rated_usage r WHERE NOT EXISTS (SELECT FROM invoice_lines l
                   WHERE l.tenant_id = r.tenant_id AND l.rated_usage_id = r.id AND NOT l.voided)
               GROUP BY r.tenant_id) u USING (tenant_id)
    LEFT JOIN (SELECT tenant_id, sum(vat_fen) AS vat FROM (
                   SELECT tenant_id, vat_fen FROM line_returns UNION ALL SELECT tenant_id, vat_fen FROM clawbacks) back
               GROUP BY tenant_id) t USING (tenant_id)
    WHERE coalesce(b.balance, 0) <> coalesce(i.vat, 0) + coalesce(u.vat, 0) - coalesce(t.vat, 0)
"""
_BANK = """
    SELECT l.received, l.unmatched, b.bank, b.suspense
    FROM (SELECT coalesce(sum(amount_fen), 0) AS received,
                 coalesce(sum(amount_fen) FILTER (WHERE status = 'unmatched'), 0) AS unmatched FROM bank_lines) l
    CROSS JOIN (
        SELECT coalesce(sum(amount_fen) FILTER (WHERE account = 'bank' AND side = 'debit'), 0) AS bank,
               coalesce(sum(CASE side WHEN 'credit' THEN amount_fen ELSE -amount_fen END)
                        FILTER (WHERE account = 'suspense:receipts'), 0) AS suspense
        FROM postings p JOIN journals j ON j.id = p.journal_id
        WHERE j.source_kind IN ('bank_receipt', 'identified_receipt')) b
    WHERE l.received <> b.bank OR l.unmatched <> b.suspense
"""
_FUNDS = """
    SELECT f.slug, coalesce(e.captured, 0) AS register, coalesce(b.balance, 0) AS books
    FROM funds f
    LEFT JOIN (SELECT fund_id, sum(captured_fen) AS captured FROM fund_envelopes GROUP BY fund_id) e ON e.fund_id = f.id
    LEFT JOIN (SELECT a.fund_id, sum(CASE p.side WHEN 'debit' THEN p.amount_fen ELSE -p.amount_fen END) AS balance
               FROM postings p JOIN accounts a ON a.code = p.account WHERE a.code LIKE 'receivable:fund:%'
               GROUP BY a.fund_id) b ON b.fund_id = f.id
    WHERE coalesce(e.captured, 0) <> coalesce(b.balance, 0)
"""

_CLOSED = """
    SELECT c.period, c.journals, count(j.id) AS found, c.debit_fen, coalesce(sum(p.debit_fen), 0) AS found_fen
    FROM closed_periods c
    LEFT JOIN journals j ON j.period = c.period
    LEFT JOIN (SELECT journal_id, sum(amount_fen) AS debit_fen FROM postings WHERE side = 'debit' GROUP BY journal_id) p
        ON p.journal_id = j.id
    GROUP BY c.period
    HAVING c.journals <> count(j.id) OR c.debit_fen <> coalesce(sum(p.debit_fen), 0)
"""

_BUDGETS = """
    SELECT coalesce(c.tenant_id, u.tenant_id) AS tenant_id, coalesce(c.budget_id, u.budget_id) AS budget_id,
           coalesce(c.period, u.period) AS period, c.used, u.counted
    FROM budget_counters c
    FULL JOIN (SELECT tenant_id, budget_id, period, sum(amount) AS counted FROM budget_uses
               WHERE given_back_at IS NULL GROUP BY 1, 2, 3) u
        ON u.tenant_id = c.tenant_id AND u.budget_id = c.budget_id AND u.period = c.period
    WHERE coalesce(c.used, 0) < coalesce(u.counted, 0)
"""

INVARIANTS_BOOKS = (
    Invariant("journal-balances", "Every journal has at least two lines, and its debits are its credits.", _JOURNALS),
    Invariant("closed-months", "A closed month has the journals and the debits that it was closed with.", _CLOSED),
    Invariant("trial-balance", "All debits are all credits.", _TRIAL_BALANCE),
    Invariant(
        "delivery-metered-and-posted",
        "Every charged delivery has its event and one journal, and one of the wallet where that paid; and no other has.",
        _DELIVERIES,
    ),
    Invariant(
        "captured-claimed", "Every captured hold is claimed from its fund, to the fen, and nothing else is.", _CLAIMS
    ),
    Invariant("invoice-sums", "An invoice's amounts are the sums of its lines'.", _INVOICES),
    Invariant("invoice-numbers", "The invoices of a legal entity and year are numbered without a gap.", _NUMBERS),
    Invariant("wallet-entries", "A wallet's balances are the sums of its entries.", _WALLET_ENTRIES),
    Invariant(
        "wallet-credits", "A wallet has what its lots have, and holds what was taken from them.", _WALLET_CREDITS
    ),
    Invariant("budget-uses", "A budget's counter is never below what its orders count.", _BUDGETS),
    Invariant("wallet-books", "What the books owe a park's wallet is in the wallet, held or available.", _WALLET_BOOKS),
    Invariant("invoice-paid", "An invoice is paid to the sum of its allocations, and has the status of that.", _PAID),
    Invariant("payment-used", "Every payment is allocated to invoices or kept in the wallet, to the fen.", _PAYMENTS),
    Invariant(
        "park-receivable",
        "A park owes in the books what is open on invoices or not invoiced and not returned yet.",
        _RECEIVABLE,
    ),
    Invariant(
        "vat-books",
        "The books owe the VAT of the invoices and of what is not invoiced yet, less that of what was returned.",
        _VAT,
    ),
    Invariant("bank-books", "Money that came in is in the books; what has no payer waits on its own account.", _BANK),
    Invariant("fund-books", "A fund owes in the books what its register says is captured.", _FUNDS),
)
"""Run by ``marketplace check`` and after every fault test."""
