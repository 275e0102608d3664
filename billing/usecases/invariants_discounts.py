"""What must always be true of discounts and of what they took off."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_AGREED = """
    SELECT r.tenant_id, r.id, r.agreed_discount_fen, d.id AS discount_id FROM rated_usage r
    LEFT JOIN discounts d ON d.id = r.agreed_discount_id
    LEFT JOIN unused_parts g ON g.tenant_id = r.tenant_id AND g.order_line_id = r.order_line_id
    CROSS JOIN LATERAL (SELECT r.agreed_discount_fen + coalesce(g.agreed_discount_fen, 0) AS off_fen,
        r.gross_fen + r.agreed_discount_fen + coalesce(g.gross_fen + g.agreed_discount_fen, 0) AS list_fen) ordered
    WHERE r.agreed_discount_id IS NOT NULL AND (d.status IS DISTINCT FROM 'in_force' OR d.offering <> r.offering
        OR coalesce(d.park_id, r.tenant_id) <> r.tenant_id OR d.valid_from > r.rated_at
        OR ordered.off_fen <> least(ordered.list_fen, coalesce(d.amount_fen, ordered.list_fen * d.rate_bp / 10000)))
"""
_INVOICES = """
    SELECT i.tenant_id, i.id, i.number, i.discount_fen, d.id AS discount_id, j.posted FROM invoices i
    LEFT JOIN discounts d ON d.id = i.discount_id
    LEFT JOIN LATERAL (
        SELECT sum(CASE p.side WHEN 'credit' THEN p.amount_fen ELSE -p.amount_fen END) AS posted
        FROM journals j JOIN postings p ON p.journal_id = j.id
        WHERE j.source_kind = 'invoice_discount' AND p.account LIKE 'receivable:park:%'
          AND j.source_id IN (CAST(i.id AS text), 'void:' || i.id)) j ON true
    WHERE coalesce(j.posted, 0) <> CASE i.status WHEN 'void' THEN 0 ELSE i.discount_fen END
       OR (i.discount_id IS NOT NULL AND (d.status IS DISTINCT FROM 'in_force' OR d.offering <> ''
           OR coalesce(d.park_id, i.tenant_id) <> i.tenant_id OR d.decided_at > i.finalized_at
           OR i.discount_fen > coalesce(d.amount_fen, (i.payable_fen + i.discount_fen) * d.rate_bp / 10000)))
"""
_OWN_PART = """
    SELECT l.tenant_id, l.invoice_id, l.line, l.discount_fen FROM invoice_lines l
    JOIN rated_usage r ON r.tenant_id = l.tenant_id AND r.id = l.rated_usage_id
    LEFT JOIN LATERAL (SELECT coalesce(sum(CAST(a->>'amount_fen' AS bigint)), 0) AS fen
        FROM jsonb_array_elements(r.awards) a WHERE a->>'mode' <> 'instant') later ON true
    WHERE l.discount_fen > 0 AND (r.payment_method = 'wallet'
        OR l.payable_fen + l.discount_fen <> r.payable_fen OR l.payable_fen < later.fen)
"""

INVARIANTS_DISCOUNTS = (
    Invariant(
        "discount-agreed",
        "What came off a price is what a discount in force of that park or tier and service takes off it.",
        _AGREED,
    ),
    Invariant(
        "discount-of-invoice",
        "What came off an invoice is within a discount in force of whole invoices, and posted to the fen.",
        _INVOICES,
    ),
    Invariant(
        "discount-own-part",
        "An invoice's discount touches only what the park itself bears: not the wallet's payments, nor later awards.",
        _OWN_PART,
    ),
)
"""Run by ``marketplace check``."""
