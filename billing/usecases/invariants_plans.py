"""What must always be true of plans and the fees of subscriptions."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_CHARGED = """
    SELECT coalesce(c.tenant_id, r.tenant_id) AS tenant_id, c.period_id, c.charged_fen, r.gross_fen
    FROM subscription_charges c
    FULL JOIN (SELECT * FROM rated_usage WHERE offering = 'subscription') r
        ON r.tenant_id = c.tenant_id AND r.order_line_id = c.period_id
    WHERE coalesce(c.charged_fen, 0) <> coalesce(r.gross_fen, 0)
       OR (r.id IS NOT NULL AND (r.subsidy_fen <> 0 OR r.price_id IS DISTINCT FROM c.plan_id))
"""
_FEES = """
    SELECT c.tenant_id, c.period_id, c.due_fen, c.credit_fen
    FROM (
        SELECT c.*, CASE c.billed_every WHEN 'year' THEN p.yearly_fee_fen ELSE p.monthly_fee_fen END AS fee_fen
        FROM subscription_charges c JOIN plans p ON p.id = c.plan_id
    ) c
    LEFT JOIN (
        SELECT b.*, CASE b.billed_every WHEN 'year' THEN q.yearly_fee_fen ELSE q.monthly_fee_fen END AS fee_fen
        FROM subscription_charges b JOIN plans q ON q.id = b.plan_id
    ) b ON b.tenant_id = c.tenant_id AND b.period_id = c.replaces_id
    WHERE c.due_fen <> c.fee_fen - c.fee_fen * (c.from_day - c.whole_from) / (c.whole_until - c.whole_from)
       OR c.credit_fen + c.replaced_back_fen <> coalesce(CASE WHEN c.from_day >= b.whole_until THEN 0 ELSE
              b.fee_fen - b.fee_fen * (c.from_day - b.whole_from) / (b.whole_until - b.whole_from) END, 0)
"""
_CREDITED = """
    SELECT c.tenant_id, c.period_id, c.due_fen, c.charged_fen, n.credit_fen AS moved, r.returned
    FROM subscription_charges c
    JOIN (SELECT tenant_id, order_line_id, sum(amount_fen) AS returned FROM line_returns GROUP BY 1, 2) r
        ON r.tenant_id = c.tenant_id AND r.order_line_id = c.period_id
    LEFT JOIN subscription_charges n ON n.tenant_id = c.tenant_id AND n.replaces_id = c.period_id
    WHERE r.returned > least(c.charged_fen, c.due_fen - coalesce(n.credit_fen, 0))
"""
_LEFT_OVER = """
    SELECT tenant_id, sum(carried_out_fen - carried_in_fen) AS left_over FROM subscription_charges
    GROUP BY tenant_id HAVING sum(carried_out_fen - carried_in_fen) < 0
"""
_USES = """
    SELECT coalesce(c.tenant_id, u.tenant_id) AS tenant_id, coalesce(c.offering, u.offering) AS offering,
           c.units, u.units AS used, c.included, u.included AS used_included
    FROM plan_counters c
    FULL JOIN (SELECT tenant_id, month_from, offering, sum(units) AS units, sum(included) AS included FROM plan_uses
               WHERE given_back_at IS NULL GROUP BY 1, 2, 3) u
        ON u.tenant_id = c.tenant_id AND u.month_from = c.month_from AND u.offering = c.offering
    WHERE (coalesce(c.units, 0), coalesce(c.included, 0)) <> (coalesce(u.units, 0), coalesce(u.included, 0))
"""

INVARIANTS_PLANS = (
    Invariant("subscription-charged", "What a period was charged is usage of the park, by that plan.", _CHARGED),
    Invariant("subscription-fees", "A period's fee and credit are those of its plans for its days.", _FEES),
    Invariant("subscription-credited", "No part of a fee is both given back and credited to the next fee.", _CREDITED),
    Invariant("subscription-left-over", "What is left over of fees is used once.", _LEFT_OVER),
    Invariant("plan-uses", "A plan's counters are what order lines count on them.", _USES),
)
"""Run by ``marketplace check``."""
