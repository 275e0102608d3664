"""What must always be true of the rolling aid register."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_GRANTS = """
    SELECT g.*, g.amount_fen - coalesce(r.released, 0) AS left_fen FROM aid_grants g
    LEFT JOIN (SELECT grant_id, sum(amount_fen) AS released FROM aid_releases GROUP BY grant_id) r ON r.grant_id = g.id
"""
# In the order of their numbers: what was entered before a grant counted against its ceiling. What was given back since
# makes the sum smaller; what came with a park from another group was under no ceiling here.
_WITHIN = f"""
    WITH grants AS ({_GRANTS})
    SELECT g.id, g.register, g.controller_id, g.limit_fen, c.taken FROM grants g
    CROSS JOIN LATERAL (
        SELECT sum(b.left_fen) AS taken FROM grants b
        WHERE b.register = g.register AND b.controller_id = g.controller_id AND b.moved_from IS NULL
          AND b.seq <= g.seq AND b.granted_at > g.since
    ) c
    WHERE g.moved_from IS NULL AND c.taken > g.limit_fen
"""  # noqa: S608 - put together from the text above
_HOLDS = f"""
    WITH grants AS ({_GRANTS}),
    counted AS (
        SELECT tenant_id, source_id, programme, sum(left_fen) AS left_fen FROM grants GROUP BY 1, 2, 3
    ),
    due AS (
        SELECT h.tenant_id, h.order_line_id AS source_id, h.programme,
               sum(CASE h.status WHEN 'held' THEN h.amount_fen
                   ELSE h.captured_fen - h.withdrawn_fen - h.returned_fen END) AS due_fen
        FROM holds h JOIN programmes p ON p.slug = h.programme
        JOIN policy_versions v ON v.programme_id = p.id AND v.version = h.version
        WHERE jsonb_typeof(v.policy -> 'rolling') = 'object' GROUP BY 1, 2, 3
    )
    SELECT tenant_id, source_id, programme, left_fen, due_fen FROM counted FULL JOIN due
        USING (tenant_id, source_id, programme)
    WHERE coalesce(left_fen, 0) <> coalesce(due_fen, 0)
"""  # noqa: S608 - put together from the text above

INVARIANTS_AID = (
    Invariant("aid-within-ceilings", "No grant took a controller above its rolling ceiling.", _WITHIN),
    Invariant(
        "aid-is-holds",
        "What a rolling register counts of an order line is what its holds hold or have spent and not got back.",
        _HOLDS,
    ),
    Invariant(
        "aid-released-once",
        "No more of a grant was given back than was granted.",
        f"SELECT id, amount_fen, left_fen FROM ({_GRANTS}) g WHERE left_fen < 0",  # noqa: S608 - put together from the text above
    ),
)
