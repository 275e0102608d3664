"""What must always be true of case-by-case decisions and what was given under them."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

# A counter of its own keeps each limit; that it is the sum of its holds is asked of all counters.
_WITHIN = """
    SELECT e.tenant_id, e.id, e.limit_fen, c.used_fen
    FROM exemptions e
    JOIN cap_counters c ON c.owner_id = e.tenant_id AND c.scope = 'exemption' AND c.key = CAST(e.id AS text)
    WHERE c.used_fen > e.limit_fen
    UNION ALL
    SELECT e.tenant_id, e.id, e.order_limit, count(DISTINCT u.quote_id)
    FROM exemptions e
    JOIN exemption_uses u ON u.tenant_id = e.tenant_id AND u.exemption_id = e.id
    WHERE EXISTS (SELECT FROM holds h WHERE h.tenant_id = u.tenant_id AND h.order_line_id = u.order_line_id
                    AND h.programme = u.programme AND h.status IN ('held', 'captured'))
    GROUP BY e.tenant_id, e.id, e.order_limit HAVING count(DISTINCT u.quote_id) > e.order_limit
"""
# What was promised is what was held with the decision among its ceilings, and the other way round.
_USES = """
    SELECT coalesce(u.tenant_id, h.tenant_id) AS tenant_id, coalesce(u.order_line_id, h.order_line_id) AS order_line_id,
           u.amount_fen, h.amount_fen AS held_fen
    FROM exemption_uses u
    FULL JOIN (
        SELECT h.tenant_id, h.order_line_id, h.programme, l ->> 'key' AS exemption, sum(h.amount_fen) AS amount_fen
        FROM holds h CROSS JOIN LATERAL jsonb_array_elements(h.ceilings) AS l
        WHERE l ->> 'scope' = 'exemption' GROUP BY 1, 2, 3, 4
    ) h ON (h.tenant_id, h.order_line_id, h.programme, h.exemption)
         = (u.tenant_id, u.order_line_id, u.programme, CAST(u.exemption_id AS text))
    WHERE u.amount_fen IS DISTINCT FROM h.amount_fen
"""
_IN_FORCE = """
    SELECT e.tenant_id, e.id, u.order_line_id, u.created_at FROM exemptions e
    JOIN exemption_uses u ON u.tenant_id = e.tenant_id AND u.exemption_id = e.id
    WHERE e.second_approved_at IS NULL OR u.created_at < e.second_approved_at OR u.created_at >= e.expires_at
       OR e.offering NOT IN ('', u.offering)
"""
_SIX_EYES = """
    SELECT tenant_id, id FROM exemptions
    WHERE first_approved_by = written_by OR second_approved_by IN (written_by, first_approved_by)
       OR (status = 'in_force' AND (first_approved_by IS NULL OR second_approved_by IS NULL))
"""

INVARIANTS_EXEMPTIONS = (
    Invariant("exemptions-within-limits", "No decision has given more fen or orders than its limits.", _WITHIN),
    Invariant("exemption-uses-are-holds", "What was promised under a decision is what its order lines held.", _USES),
    Invariant(
        "exemption-uses-in-force",
        "Nothing was promised before a decision's second approval, after its expiry, or for another offering.",
        _IN_FORCE,
    ),
    Invariant("exemptions-six-eyes", "Three people wrote and approved each decision in force.", _SIX_EYES),
)
