"""What must always be true of the fees of bookings."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_CHARGED = """
    SELECT coalesce(f.tenant_id, r.tenant_id) AS tenant_id, f.id, f.amount_fen, r.gross_fen
    FROM attendance_fees f
    FULL JOIN (SELECT * FROM rated_usage WHERE offering = 'attendance') r
        ON r.tenant_id = f.tenant_id AND r.order_line_id = f.id
    WHERE (f.amount_fen, 0, f.vat_bp) IS DISTINCT FROM (r.gross_fen, r.subsidy_fen, r.vat_bp)
"""

INVARIANTS_ATTENDANCE = (
    Invariant(
        "attendance-fee-charged",
        "A fee of a booking is usage of its amount, without subsidy; and nothing else is.",
        _CHARGED,
    ),
)
"""Run by ``marketplace check``."""
