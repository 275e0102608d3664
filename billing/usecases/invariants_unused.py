"""What must always be true of what was booked, not used and given back."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

# The order's amounts are those that were charged and those that were given back, together.
_CHARGED = """
    SELECT g.tenant_id, g.order_line_id, g.booked_units, g.used_units, r.gross_fen, g.gross_fen AS unused_fen
    FROM unused_parts g
    JOIN rated_usage r ON r.tenant_id = g.tenant_id AND r.order_line_id = g.order_line_id
    WHERE r.quantity <> g.used_units OR r.included <> least(r.included + g.included, g.used_units)
       OR r.gross_fen <> CASE g.booked_units - r.included - g.included WHEN 0 THEN r.gross_fen + g.gross_fen
            ELSE (r.gross_fen + g.gross_fen) * (g.used_units - r.included) / (g.booked_units - r.included - g.included) END
       OR CAST(r.subsidy_fen AS numeric) * (r.gross_fen + g.gross_fen)
            > CAST(r.subsidy_fen + g.subsidy_fen AS numeric) * r.gross_fen
"""
_GIVEN_BACK = """
    SELECT g.tenant_id, g.order_line_id, g.subsidy_fen, h.released, g.payable_fen, w.amount_fen AS to_wallet
    FROM unused_parts g
    JOIN rated_usage r ON r.tenant_id = g.tenant_id AND r.order_line_id = g.order_line_id
    LEFT JOIN LATERAL (SELECT sum(amount_fen - captured_fen) AS released FROM holds h
        WHERE h.tenant_id = g.tenant_id AND h.order_line_id = g.order_line_id) h ON true
    LEFT JOIN wallet_entries w ON w.tenant_id = g.tenant_id AND w.source_id = g.order_line_id AND w.kind = 'release'
    WHERE coalesce(h.released, 0) <> g.subsidy_fen
       OR coalesce(w.amount_fen, 0) <> CASE r.payment_method WHEN 'wallet' THEN g.payable_fen ELSE 0 END
"""

INVARIANTS_UNUSED = (
    Invariant(
        "unused-part-charged",
        "A line that was used in part is charged its price in proportion, with no greater share of public money.",
        _CHARGED,
    ),
    Invariant(
        "unused-part-given-back",
        "What was not used went back to the funds and the wallet that held it, to the fen.",
        _GIVEN_BACK,
    ),
)
"""Run by ``marketplace check``."""
