"""What must always be true of monthly minimums."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_CHARGED = """
    SELECT coalesce(m.tenant_id, r.tenant_id) AS tenant_id, m.period, m.charged_fen, r.gross_fen
    FROM minimum_charges m
    FULL JOIN (SELECT * FROM rated_usage WHERE offering = 'minimum') r
        ON r.tenant_id = m.tenant_id AND r.order_line_id = m.id
    WHERE coalesce(m.charged_fen, 0) <> coalesce(r.gross_fen, 0)
       OR (r.id IS NOT NULL AND (r.subsidy_fen <> 0 OR (r.period, r.vat_bp) IS DISTINCT FROM (m.period, m.vat_bp)))
"""
_PLANS = """
    SELECT m.tenant_id, m.period, m.minimum_fen, p.minimum_fen AS of_plans
    FROM (SELECT *, CAST(period || '-01' AS date) AS first,
                 CAST(CAST(period || '-01' AS date) + interval '1 month' AS date) AS after FROM minimum_charges) m
    LEFT JOIN LATERAL (
        SELECT sum(p.monthly_minimum_fen * greatest(0, least(c.whole_until, n.from_day, m.after)
                   - greatest(c.from_day, m.first)) / (m.after - m.first)) AS minimum_fen
        FROM subscription_charges c JOIN plans p ON p.id = c.plan_id
        LEFT JOIN subscription_charges n ON n.tenant_id = c.tenant_id AND n.replaces_id = c.period_id
        WHERE c.tenant_id = m.tenant_id AND c.charged_at <= m.charged_at) p ON true
    WHERE m.minimum_fen IS DISTINCT FROM p.minimum_fen
"""
_CHARGES = """
    SELECT m.tenant_id, m.period, m.charges_fen, coalesce(r.fen, 0) AS rated
    FROM minimum_charges m
    LEFT JOIN LATERAL (
        SELECT sum(r.gross_fen + r.agreed_discount_fen - coalesce((
            SELECT sum(b.amount_fen) FROM line_returns b WHERE b.tenant_id = r.tenant_id
                AND b.rated_usage_id = r.id AND b.returned_at <= m.charged_at), 0)) AS fen
        FROM rated_usage r
        WHERE r.tenant_id = m.tenant_id AND r.period = m.period AND r.rated_at <= m.charged_at
          AND r.offering NOT IN ('subscription', 'adjustment', 'minimum', 'joint', 'attendance')) r ON true
    WHERE m.charges_fen <> coalesce(r.fen, 0)
"""

INVARIANTS_MINIMUMS = (
    Invariant(
        "minimum-charged",
        "What a month fell short of its minimum is usage of that month, without subsidy; and nothing else is.",
        _CHARGED,
    ),
    Invariant("minimum-of-plans", "A month's minimum is that of its plans for the days they were held.", _PLANS),
    Invariant(
        "minimum-charges",
        "What counted on a minimum is what was charged by then, before discounts and less what was returned.",
        _CHARGES,
    ),
)
"""Run by ``marketplace check``."""
