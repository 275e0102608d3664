"""What must always be true of agreements on joint facilities."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

_SHARES = """
    SELECT a.id, sum(p.share_bp) AS shares, count(*) FILTER (WHERE p.role = 'lead') AS leads
    FROM joint_agreements a LEFT JOIN joint_parties p ON p.agreement_id = a.id
    GROUP BY a.id, a.members
    HAVING coalesce(sum(p.share_bp), 0) <> 10000 OR count(*) FILTER (WHERE p.role = 'lead') <> 1
        OR array_agg(p.park_id ORDER BY p.park_id) IS DISTINCT FROM a.members
"""
_SIGNED = """
    SELECT a.id, p.park_id FROM joint_agreements a JOIN joint_parties p ON p.agreement_id = a.id
    WHERE p.signed_sha256 <> a.sha256 OR (a.registered_at IS NOT NULL AND p.signed_at IS NULL)
       OR p.signed_at > a.registered_at
"""

INVARIANTS_JOINT = (
    Invariant(
        "joint-shares", "The parties of an agreement are its members, with one lead and shares of a whole.", _SHARES
    ),
    Invariant("joint-signed", "An agreement in force was signed by all before, each under its very terms.", _SIGNED),
)
"""Run by ``marketplace check``."""
