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

_DISPUTED = """
    SELECT s.tenant_id, s.dispute_id, s.number FROM attendance_dispute_steps s
    JOIN attendance_disputes d ON d.tenant_id = s.tenant_id AND d.id = s.dispute_id
    LEFT JOIN line_returns r ON r.tenant_id = s.tenant_id AND r.id = s.return_id
    LEFT JOIN line_returns u ON u.tenant_id = s.tenant_id AND u.id = s.use_return_id
    WHERE CASE WHEN d.fee_id IS NOT NULL
            THEN s.corrected OR (s.step = 'accepted') <> (r.order_line_id IS NOT DISTINCT FROM d.fee_id)
            ELSE (s.step = 'accepted') <> s.corrected OR u.order_line_id <> d.order_line_id
              OR (r.id IS NOT NULL AND NOT EXISTS (SELECT FROM attendance_fees f WHERE f.tenant_id = r.tenant_id
                    AND f.id = r.order_line_id AND f.booking_id = d.booking_id AND f.kind = 'overrun')) END
       OR (s.number = 3 AND NOT EXISTS (SELECT FROM attendance_dispute_steps p
            WHERE p.tenant_id = s.tenant_id AND p.dispute_id = s.dispute_id AND p.number = 2))
       OR (s.number > 1 AND EXISTS (SELECT FROM attendance_dispute_steps p WHERE p.tenant_id = s.tenant_id
            AND p.dispute_id = s.dispute_id AND p.number = 1 AND p.step = 'accepted'))
"""

INVARIANTS_ATTENDANCE = (
    Invariant(
        "attendance-fee-charged",
        "A fee of a booking is usage of its amount, without subsidy; and nothing else is.",
        _CHARGED,
    ),
    Invariant(
        "attendance-dispute",
        "What an accepted dispute was of was given back; the operator decided only where the park insisted.",
        _DISPUTED,
    ),
)
"""Run by ``marketplace check``."""
