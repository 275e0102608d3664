"""What must always be true of awards that come after the delivery."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_AWARDED = """
    SELECT e.tenant_id, e.id, e.programme, e.amount_fen FROM entitlements e
    LEFT JOIN rated_usage r ON r.tenant_id = e.tenant_id AND r.order_line_id = e.order_line_id
    WHERE NOT EXISTS (
        SELECT FROM jsonb_array_elements(r.awards) AS a
        WHERE a = e.award AND a ->> 'mode' = e.mode AND a ->> 'payee' = e.payee
          AND a ->> 'programme' = e.programme AND CAST(a ->> 'version' AS integer) = e.version
          AND CAST(a ->> 'amount_fen' AS bigint) = e.amount_fen)
"""
_CAPTURED = """
    SELECT e.tenant_id, e.id, e.granted_fen, coalesce(h.captured, 0) AS captured FROM entitlements e
    LEFT JOIN LATERAL (
        SELECT sum(captured_fen) AS captured FROM holds h WHERE h.tenant_id = e.tenant_id
          AND h.order_line_id = e.order_line_id AND h.programme = e.programme
    ) h ON true
    WHERE coalesce(e.granted_fen, 0) <> coalesce(h.captured, 0)
"""
_WITHDRAWN = """
    SELECT e.tenant_id, e.id, h.id AS hold_id FROM entitlements e
    JOIN holds h ON h.tenant_id = e.tenant_id AND h.order_line_id = e.order_line_id AND h.programme = e.programme
    WHERE e.status = 'withdrawn' AND h.captured_fen <> h.withdrawn_fen
"""
_JOURNALS = """
    SELECT e.tenant_id, e.id, e.granted_fen, p.amount_fen AS booked FROM entitlements e
    FULL JOIN (SELECT * FROM journals WHERE source_kind = 'later_grant') j ON j.source_id = CAST(e.id AS text)
    LEFT JOIN postings p ON p.journal_id = j.id AND p.side = 'credit' AND p.account = 'grants:park:' || e.tenant_id
    WHERE e.granted_fen IS DISTINCT FROM p.amount_fen
"""
_OWED = """
    SELECT coalesce(b.tenant_id, g.tenant_id) AS tenant_id, b.balance, g.unpaid
    FROM (SELECT a.tenant_id, sum(CASE p.side WHEN 'credit' THEN p.amount_fen ELSE -p.amount_fen END) AS balance
          FROM postings p JOIN accounts a ON a.code = p.account WHERE a.code LIKE 'grants:park:%'
          GROUP BY a.tenant_id) b
    FULL JOIN (SELECT e.tenant_id, sum(h.captured_fen - h.withdrawn_fen - h.disbursed_fen) AS unpaid
               FROM entitlements e JOIN holds h ON h.tenant_id = e.tenant_id
                AND h.order_line_id = e.order_line_id AND h.programme = e.programme
               GROUP BY e.tenant_id) g ON g.tenant_id = b.tenant_id
    WHERE coalesce(b.balance, 0) <> coalesce(g.unpaid, 0)
"""

INVARIANTS_ENTITLEMENTS = (
    Invariant(
        "entitlement-awarded", "An entitlement is an award that was kept with its delivery, to the fen.", _AWARDED
    ),
    Invariant(
        "entitlement-captured", "What was granted after a delivery was captured from its funds, to the fen.", _CAPTURED
    ),
    Invariant("entitlement-withdrawn", "What a park gave up is in its funds again.", _WITHDRAWN),
    Invariant("entitlement-journal", "Every grant after a delivery is in the books, once and to the fen.", _JOURNALS),
    Invariant(
        "grants-books", "The books owe a park what was granted to it after deliveries and is not paid out yet.", _OWED
    ),
)
"""Run by ``marketplace check`` and after every fault test."""
