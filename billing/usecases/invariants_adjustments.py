"""What must always be true of adjustments."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_CHARGED = """
    SELECT coalesce(a.tenant_id, r.tenant_id) AS tenant_id, a.id, a.amount_fen, r.gross_fen
    FROM (SELECT a.*, l.vat_bp AS line_vat_bp FROM invoice_adjustments a
          LEFT JOIN invoice_lines l ON l.tenant_id = a.tenant_id AND l.invoice_id = a.invoice_id
              AND l.line = a.invoice_line
          WHERE a.status = 'charged') a
    FULL JOIN (SELECT * FROM rated_usage WHERE offering = 'adjustment') r
        ON r.tenant_id = a.tenant_id AND r.order_line_id = a.id
    WHERE (a.amount_fen, 0, a.line_vat_bp) IS DISTINCT FROM (r.gross_fen, r.subsidy_fen, r.vat_bp)
"""
_EARLIER = """
    SELECT a.tenant_id, a.id FROM invoice_adjustments a
    JOIN invoices adjusted ON adjusted.tenant_id = a.tenant_id AND adjusted.id = a.invoice_id
    JOIN rated_usage r ON r.tenant_id = a.tenant_id AND r.order_line_id = a.id
    JOIN invoice_lines l ON l.tenant_id = r.tenant_id AND l.rated_usage_id = r.id AND NOT l.voided
    JOIN invoices standing ON standing.tenant_id = l.tenant_id AND standing.id = l.invoice_id
    WHERE standing.id = adjusted.id OR standing.finalized_at < adjusted.finalized_at
"""

INVARIANTS_ADJUSTMENTS = (
    Invariant(
        "adjustment-charged",
        "A decided adjustment is usage of its amount at its line's rate of VAT, without subsidy; and no other is.",
        _CHARGED,
    ),
    Invariant("adjustment-later", "An adjustment stands on a later invoice than the line it adjusts.", _EARLIER),
)
"""Run by ``marketplace check``."""
