"""Every money and isolation invariant of the system, each a query for the rows that break it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from billing.usecases import rollups
from billing.usecases.invariants import INVARIANTS as BILLING
from billing.usecases.invariants_adjustments import INVARIANTS_ADJUSTMENTS as ADJUSTMENTS
from billing.usecases.invariants_aid import INVARIANTS_AID as AID
from billing.usecases.invariants_attendance import INVARIANTS_ATTENDANCE as ATTENDANCE
from billing.usecases.invariants_books import INVARIANTS_BOOKS as BOOKS
from billing.usecases.invariants_claims import INVARIANTS_CLAIMS as CLAIMS
from billing.usecases.invariants_credit_notes import INVARIANTS_CREDIT_NOTES as CREDIT_NOTES
from billing.usecases.invariants_discounts import INVARIANTS_DISCOUNTS as DISCOUNTS
from billing.usecases.invariants_e_invoices import INVARIANTS_E_INVOICES as E_INVOICES
from billing.usecases.invariants_entitlements import INVARIANTS_ENTITLEMENTS as ENTITLEMENTS
from billing.usecases.invariants_exemptions import INVARIANTS_EXEMPTIONS as EXEMPTIONS
from billing.usecases.invariants_joint import INVARIANTS_JOINT as JOINT
from billing.usecases.invariants_metered import INVARIANTS_METERED as METERED
from billing.usecases.invariants_minimums import INVARIANTS_MINIMUMS as MINIMUMS
from billing.usecases.invariants_once import INVARIANTS_ONCE as ONCE
from billing.usecases.invariants_plans import INVARIANTS_PLANS as PLANS
from billing.usecases.invariants_returns import INVARIANTS_RETURNS as RETURNS
from billing.usecases.invariants_unused import INVARIANTS_UNUSED as UNUSED
from billing.usecases.invariants_usage import INVARIANTS_USAGE as USAGE
from services.usecases.invariants import INVARIANTS as SERVICES
from services.usecases.invariants_carbon import INVARIANTS_CARBON as CARBON
from services.usecases.invariants_leads import LEADS
from services.usecases.invariants_monitoring import INVARIANTS_MONITORING as MONITORING
from services.usecases.invariants_samples import SAMPLES
from services.usecases.invariants_waiting import WAITING
from tenants.kernel.invariants import Invariant
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases.invariants import INVARIANTS as TENANTS

ORDERS = (
    Invariant(
        "order-sums",
        "An order's amounts are the sums of its lines'.",
        """
        SELECT o.tenant_id, o.id FROM orders o JOIN order_lines l ON l.tenant_id = o.tenant_id AND l.order_id = o.id
        GROUP BY o.tenant_id, o.id, o.gross_fen, o.subsidy_fen, o.payable_fen
        HAVING (o.gross_fen, o.subsidy_fen, o.payable_fen)
            <> (sum(l.gross_fen), sum(l.subsidy_fen), sum(l.payable_fen))
        """,
    ),
    Invariant(
        "order-lines",
        "No order is without lines.",
        """
        SELECT o.tenant_id, o.id FROM orders o WHERE NOT EXISTS
            (SELECT FROM order_lines l WHERE l.tenant_id = o.tenant_id AND l.order_id = o.id)
        """,
    ),
    Invariant(
        "order-status",
        "An order is open exactly while one of its lines is.",
        """
        SELECT o.tenant_id, o.id, o.status FROM orders o JOIN order_lines l
            ON l.tenant_id = o.tenant_id AND l.order_id = o.id
        GROUP BY o.tenant_id, o.id, o.status
        HAVING (o.status = 'placed') <> bool_or(l.status = 'placed')
        """,
    ),
    Invariant(
        "line-open-hold",
        "Public money is held exactly for open lines, to the fen of their instant subsidy.",
        """
        SELECT l.tenant_id, l.id, l.status, coalesce(h.held, 0) AS held FROM order_lines l
        LEFT JOIN LATERAL (SELECT sum(amount_fen) AS held FROM holds h
            WHERE h.tenant_id = l.tenant_id AND h.order_line_id = l.id AND h.status = 'held') h ON true
        WHERE coalesce(h.held, 0) <> CASE WHEN l.status = 'placed' THEN l.subsidy_fen ELSE 0 END
        """,
    ),
    Invariant(
        "line-captured",
        "A delivered line has captured exactly its subsidy but what it did not use, any other nothing; later awards apart.",
        """
        SELECT l.tenant_id, l.id, l.status, coalesce(h.captured, 0) AS captured FROM order_lines l
        LEFT JOIN LATERAL (SELECT sum(captured_fen) AS captured FROM holds h
            WHERE h.tenant_id = l.tenant_id AND h.order_line_id = l.id
              AND NOT EXISTS (SELECT FROM entitlements e WHERE e.tenant_id = h.tenant_id
                              AND e.order_line_id = h.order_line_id AND e.programme = h.programme)) h ON true
        LEFT JOIN unused_parts g ON g.tenant_id = l.tenant_id AND g.order_line_id = l.id
        WHERE coalesce(h.captured, 0)
            <> CASE WHEN l.status = 'delivered' THEN l.subsidy_fen - coalesce(g.subsidy_fen, 0) ELSE 0 END
        """,
    ),
    Invariant(
        "line-rated",
        "A line is charged exactly when it was delivered; its order's amounts are what was charged and what was not used.",
        """
        SELECT l.tenant_id, l.id, l.status FROM order_lines l
        LEFT JOIN rated_usage r ON r.tenant_id = l.tenant_id AND r.order_line_id = l.id
        LEFT JOIN unused_parts g ON g.tenant_id = l.tenant_id AND g.order_line_id = l.id
        WHERE (l.status = 'delivered') <> (r.id IS NOT NULL) OR coalesce(g.booked_units, l.quantity) <> l.quantity
           OR (r.gross_fen + coalesce(g.gross_fen, 0), r.subsidy_fen + coalesce(g.subsidy_fen, 0),
               r.payable_fen + coalesce(g.payable_fen, 0)) <> (l.gross_fen, l.subsidy_fen, l.payable_fen)
        """,
    ),
    Invariant(
        "line-actual-use",
        "Only a booking by actual use is charged less than was booked: the started hours between the notes of it.",
        """
        SELECT l.tenant_id, l.id, l.quantity, r.quantity AS charged FROM order_lines l
        JOIN rated_usage r ON r.tenant_id = l.tenant_id AND r.order_line_id = l.id
        LEFT JOIN unused_parts g ON g.tenant_id = l.tenant_id AND g.order_line_id = l.id
        LEFT JOIN bookings b ON b.tenant_id = l.tenant_id AND b.id = l.booking_id
             AND b.attendance ->> 'metering' = 'actual'
        LEFT JOIN attendance_notes i ON i.tenant_id = b.tenant_id AND i.booking_id = b.id AND i.step = 'checked_in'
        LEFT JOIN attendance_notes o ON o.tenant_id = b.tenant_id AND o.booking_id = b.id AND o.step = 'checked_out'
        WHERE (g.order_line_id IS NOT NULL OR b.id IS NOT NULL)
          AND r.quantity <> CASE WHEN o.id IS NULL THEN l.quantity ELSE least(l.quantity, greatest(1,
                ceil(EXTRACT(epoch FROM least(o.at, b.ends_at) - i.at) / 3600))) END
        """,
    ),
    Invariant(
        "line-corrected-use",
        "Times are put right exactly by an accepted dispute of them, and nobody pays for more than they justify.",
        """
        WITH accepted AS (SELECT d.* FROM attendance_disputes d WHERE d.booking_id IS NOT NULL AND EXISTS
            (SELECT FROM attendance_dispute_steps s WHERE s.tenant_id = d.tenant_id AND s.dispute_id = d.id AND s.corrected))
        SELECT coalesce(a.tenant_id, c.tenant_id) AS tenant_id, coalesce(a.booking_id, c.booking_id) AS booking_id
        FROM accepted a
        FULL JOIN attendance_corrections c ON c.tenant_id = a.tenant_id AND c.booking_id = a.booking_id
            AND (c.came_at, c.left_at) = (a.came_at, a.left_at)
        WHERE a.id IS NULL OR c.booking_id IS NULL
        UNION ALL
        SELECT a.tenant_id, a.booking_id FROM accepted a
        JOIN bookings b ON b.tenant_id = a.tenant_id AND b.id = a.booking_id
        JOIN order_lines l ON l.tenant_id = a.tenant_id AND l.id = a.order_line_id
        JOIN rated_usage r ON r.tenant_id = a.tenant_id AND r.order_line_id = a.order_line_id
        LEFT JOIN LATERAL (SELECT sum(amount_fen) AS fen, max(gross_fen) AS sold FROM line_returns t
            WHERE t.tenant_id = a.tenant_id AND t.order_line_id = a.order_line_id) t ON true
        WHERE l.booking_id <> b.id OR b.provider_id <> a.provider_id
           OR (a.used_units IS NOT NULL) <> (b.attendance ->> 'metering' = 'actual')
           OR (a.used_units < l.quantity AND l.quantity > l.included AND r.gross_fen > 0
               AND coalesce(t.sold, r.gross_fen) - coalesce(t.fen, 0)
                 > l.gross_fen * greatest(a.used_units - l.included, 0) / (l.quantity - l.included)
                   * coalesce(t.sold, r.gross_fen) / r.gross_fen)
        """,
    ),
    Invariant(
        "line-result",
        "A delivered line bears the hash of what its run delivered.",
        """
        SELECT l.tenant_id, l.id FROM order_lines l JOIN runs r ON r.tenant_id = l.tenant_id AND r.id = l.run_id
        WHERE l.status = 'delivered' AND l.result_sha256 IS DISTINCT FROM r.manifest_sha256
        """,
    ),
    Invariant(
        "line-site-month",
        "A line of a site's month is open, delivered, failed or cancelled as that month is, once its job has come through.",
        """
        SELECT l.tenant_id, l.id, l.status, m.status AS month FROM order_lines l
        JOIN site_months m ON m.tenant_id = l.tenant_id AND m.id = l.site_month_id
        WHERE m.order_line_id <> l.id OR (l.status <> 'placed' AND l.status <> m.status)
           OR (l.status = 'placed' AND m.status = 'cancelled')
           OR (l.status = 'delivered' AND l.result_sha256 IS DISTINCT FROM m.record_sha256)
        UNION ALL
        SELECT m.tenant_id, m.id, NULL, m.status FROM site_months m WHERE NOT EXISTS
            (SELECT FROM order_lines l WHERE l.tenant_id = m.tenant_id AND l.site_month_id = m.id)
        """,
    ),
    Invariant(
        "line-samples",
        "A line of samples has their test request, which ends as the line does, and as many units as tests.",
        """
        SELECT l.tenant_id, l.id, l.status, b.status AS samples FROM order_lines l
        JOIN sample_batches b ON b.tenant_id = l.tenant_id AND b.id = l.sample_batch_id
        WHERE b.order_line_id <> l.id OR b.offering <> l.offering
           OR l.quantity <> jsonb_array_length(b.tests)
                * (SELECT count(*) FROM samples s WHERE s.tenant_id = b.tenant_id AND s.batch_id = b.id)
           OR (l.status = 'delivered') AND b.status <> 'reported' OR (l.status = 'failed') AND b.status <> 'failed'
           OR (l.status = 'cancelled') <> (b.status = 'cancelled')
           OR (l.status = 'delivered' AND l.result_sha256 IS DISTINCT FROM b.report_sha256)
        UNION ALL
        SELECT b.tenant_id, b.id, NULL, b.status FROM sample_batches b
        WHERE b.order_line_id IS NOT NULL AND NOT EXISTS
            (SELECT FROM order_lines l WHERE l.tenant_id = b.tenant_id AND l.sample_batch_id = b.id)
        """,
    ),
    Invariant(
        "repeat-of-line",
        "A line repeats what its run repeats, and costs nobody anything.",
        """
        SELECT l.tenant_id, l.id FROM order_lines l JOIN runs r ON r.tenant_id = l.tenant_id AND r.id = l.run_id
        WHERE l.repeats IS DISTINCT FROM r.repeats
        """,
    ),
    Invariant(
        "line-attendance-fee",
        "A fee of a booking belongs to its line and to how it ended: cancelled, missed, or reported after staying longer.",
        """
        SELECT f.tenant_id, f.id, f.kind, b.status FROM attendance_fees f
        LEFT JOIN bookings b ON b.tenant_id = f.tenant_id AND b.id = f.booking_id
        LEFT JOIN order_lines l ON l.tenant_id = f.tenant_id AND l.id = f.order_line_id
        WHERE b.order_line_id IS DISTINCT FROM f.order_line_id OR l.gross_fen IS DISTINCT FROM f.base_fen
           OR b.status <> CASE f.kind WHEN 'late_cancel' THEN 'cancelled' WHEN 'no_show' THEN 'no_show'
                ELSE 'reported' END
           OR (b.attendance->>'version')::int IS DISTINCT FROM f.rule_version
        """,
    ),
    Invariant(
        "standing-order-first",
        "A standing order began with a line for its site and service, at the price that was agreed for a month.",
        """
        SELECT s.tenant_id, s.id FROM standing_orders s WHERE NOT EXISTS
            (SELECT FROM order_lines l JOIN site_months m ON m.tenant_id = l.tenant_id AND m.id = l.site_month_id
                WHERE l.tenant_id = s.tenant_id AND l.order_id = s.order_id AND m.site_id = s.site_id
                  AND m.offering = s.offering AND l.payable_fen = s.most_payable_fen)
        """,
    ),
)
"""What must hold between orders, deliveries and money."""

SUBSCRIPTIONS = (
    Invariant(
        "plan-use-of-line",
        "Units that cost nothing are counted once, for a line that is open or was delivered with them.",
        """
        SELECT l.tenant_id, l.id, l.included, u.included AS counted FROM order_lines l
        LEFT JOIN plan_uses u ON u.tenant_id = l.tenant_id AND u.order_line_id = l.id AND u.given_back_at IS NULL
        LEFT JOIN unused_parts g ON g.tenant_id = l.tenant_id AND g.order_line_id = l.id
        WHERE (l.status IN ('placed', 'delivered')
                AND CASE WHEN l.repeats IS NULL THEN l.included - coalesce(g.included, 0) ELSE 0 END
                    <> coalesce(u.included, 0))
           OR (l.status NOT IN ('placed', 'delivered') AND u.order_line_id IS NOT NULL)
        UNION ALL
        SELECT r.tenant_id, r.order_line_id, r.included, l.included FROM rated_usage r
        JOIN order_lines l ON l.tenant_id = r.tenant_id AND l.id = r.order_line_id
        LEFT JOIN unused_parts g ON g.tenant_id = l.tenant_id AND g.order_line_id = l.id
        WHERE (r.included + coalesce(g.included, 0), r.discount_fen + coalesce(g.discount_fen, 0),
               r.agreed_discount_fen + coalesce(g.agreed_discount_fen, 0), r.agreed_discount_id, r.repeats)
            IS DISTINCT FROM (l.included, l.discount_fen, l.agreed_discount_fen, l.agreed_discount_id, l.repeats)
        """,
    ),
    Invariant(
        "subscription-charge-period",
        "What was charged is a period that has begun, of that tier and those days.",
        """
        SELECT c.tenant_id, c.period_id FROM subscription_charges c
        JOIN plans q ON q.id = c.plan_id
        LEFT JOIN subscription_periods p ON p.tenant_id = c.tenant_id AND p.id = c.period_id
        WHERE (p.tier, p.billed_every, p.whole_from, p.whole_until, p.replaces_id)
            IS DISTINCT FROM (q.tier, c.billed_every, c.whole_from, c.whole_until, c.replaces_id)
           OR CAST(p.starts_at AT TIME ZONE 'Asia/Shanghai' AS date) <> c.from_day
        """,
    ),
)
"""What must hold between subscriptions and their fees."""

ALL = (
    *TENANTS,
    *SERVICES,
    *MONITORING,
    *SAMPLES,
    *WAITING,
    *CARBON,
    *BILLING,
    *EXEMPTIONS,
    *BOOKS,
    *ADJUSTMENTS,
    *ATTENDANCE,
    *DISCOUNTS,
    *JOINT,
    *MINIMUMS,
    *LEADS,
    *AID,
    *ONCE,
    *CLAIMS,
    *E_INVOICES,
    *ENTITLEMENTS,
    *RETURNS,
    *UNUSED,
    *USAGE,
    *METERED,
    *CREDIT_NOTES,
    *PLANS,
    *ORDERS,
    *SUBSCRIPTIONS,
)


@dataclass(frozen=True)
class Broken:
    """An invariant that does not hold, and rows that show it (ten at most)."""

    name: str
    sentence: str
    rows: tuple[dict[str, Any], ...]


def check(work: Work) -> tuple[Broken, ...]:
    """Check every invariant over the whole database and return those that do not hold."""
    work.actor.require(Permission.RUN_PLATFORM)
    return _broken(work, {each: each.sql for each in ALL})


def check_recent(work: Work) -> tuple[Broken, ...]:
    """Check every invariant, those of metered events only where something has come since they were last found to hold.

    What nobody has touched since stays for ``check``: a roll-up that was changed by hand is found there.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    note = rollups.checking(work)
    found = _broken(work, {each: each.recent or each.sql for each in ALL})
    if not {each.name for each in found} & {each.name for each in ALL if each.recent}:
        note()
    return found


def _broken(work: Work, queries: Mapping[Invariant, str]) -> tuple[Broken, ...]:
    found = []
    for invariant, query in queries.items():
        rows = work.session.execute(text(query)).mappings().fetchmany(10)
        if rows:
            found.append(Broken(invariant.name, invariant.sentence, tuple(dict(row) for row in rows)))
    return tuple(found)
