"""What always holds of readings, alarms and work orders."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

INVARIANTS_MONITORING = (
    Invariant(
        "reading-version",
        "A reading that was replaced n times stands with version n + 1, and the n values before it are kept.",
        """
        SELECT r.tenant_id, r.meter_id, r.at, r.version, count(v.version) AS kept FROM readings r
        LEFT JOIN reading_versions v ON v.tenant_id = r.tenant_id AND v.meter_id = r.meter_id AND v.at = r.at
        WHERE r.version > 1 OR v.version IS NOT NULL
        GROUP BY r.tenant_id, r.meter_id, r.at, r.version HAVING count(v.version) <> r.version - 1
        """,
    ),
    Invariant(
        "virtual-meter-level",
        "A virtual meter stands on meters of lower levels alone, so it never comes back to itself.",
        """
        SELECT m.tenant_id, m.id FROM site_meters m CROSS JOIN LATERAL jsonb_array_elements(m.formula) t
        LEFT JOIN site_meters p ON p.tenant_id = m.tenant_id AND p.id = CAST(t ->> 'meter_id' AS uuid)
        WHERE m.formula IS NOT NULL AND (p.id IS NULL OR p.depth >= m.depth)
        """,
    ),
    Invariant(
        "alarm-crossing",
        "Each crossing of a rule is one alarm, and the last one has not ended exactly while the rule's alarm is on.",
        """
        SELECT r.tenant_id, r.id, r.crossings, count(a.id) AS alarms FROM alarm_rules r
        LEFT JOIN alarms a ON a.tenant_id = r.tenant_id AND a.rule_id = r.id
        GROUP BY r.tenant_id, r.id, r.crossings, r.is_on
        HAVING count(a.id) <> r.crossings OR count(a.id) FILTER (WHERE a.ended_at IS NULL) <> CAST(r.is_on AS integer)
        """,
    ),
    Invariant(
        "alarm-steps",
        "An alarm was told once for each level that it has reached.",
        """
        SELECT a.tenant_id, a.id, a.level, count(s.level) AS told FROM alarms a
        LEFT JOIN alarm_steps s ON s.tenant_id = a.tenant_id AND s.alarm_id = a.id
        GROUP BY a.tenant_id, a.id, a.level HAVING count(s.level) <> a.level
        """,
    ),
    Invariant(
        "work-order-steps",
        "A work order was found once, escalated as often as its level says, and closed once if it is closed.",
        """
        SELECT w.tenant_id, w.id, w.status, w.level FROM work_orders w
        LEFT JOIN work_order_steps s ON s.tenant_id = w.tenant_id AND s.work_order_id = w.id
        GROUP BY w.tenant_id, w.id, w.status, w.level, w.verified_at
        HAVING count(*) FILTER (WHERE s.kind = 'found') <> 1
            OR count(*) FILTER (WHERE s.kind = 'escalated') <> w.level
            OR count(*) FILTER (WHERE s.kind = 'closed') <> CAST(w.status = 'closed' AS integer)
            OR count(*) FILTER (WHERE s.kind = 'verified') <> CAST(w.verified_at IS NOT NULL AS integer)
        """,
    ),
)
"""Checked over the whole database by ``marketplace check``."""
