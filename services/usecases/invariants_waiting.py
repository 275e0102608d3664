"""What always holds of waiting lists."""

from __future__ import annotations

from tenants.kernel.invariants import Invariant

WAITING = (
    Invariant(
        "waiting-turn",
        "A turn belongs to one place with the same wish, is open exactly until its place has ended, and has a number of its list.",
        """
        SELECT w.provider_id, w.instrument_id, w.number FROM waiting_turns w
        JOIN waiting_lists l ON l.provider_id = w.provider_id AND l.instrument_id = w.instrument_id
        LEFT JOIN waiting_places p ON p.provider_id = w.provider_id AND p.instrument_id = w.instrument_id
            AND p.number = w.number AND w.wished = tstzrange(p.from_at, p.to_at) AND p.slots = w.slots
        LEFT JOIN waiting_steps s ON s.tenant_id = p.tenant_id AND s.place_id = p.id AND s.kind <> 'passed'
        GROUP BY w.provider_id, w.instrument_id, w.number, w.open, l.last_number
        HAVING count(p.id) <> 1 OR w.open <> (count(s.id) = 0) OR w.number > l.last_number
        """,
    ),
    Invariant(
        "waiting-place",
        "A place has its turn.",
        """
        SELECT p.tenant_id, p.id FROM waiting_places p WHERE NOT EXISTS (SELECT FROM waiting_turns w
            WHERE w.provider_id = p.provider_id AND w.instrument_id = p.instrument_id AND w.number = p.number)
        """,
    ),
    Invariant(
        "waiting-offer",
        "What was offered was held for the place's park on its instrument, within its wish, and counted among no limit.",
        """
        SELECT s.tenant_id, s.id FROM waiting_steps s
        JOIN waiting_places p ON p.tenant_id = s.tenant_id AND p.id = s.place_id
        LEFT JOIN slot_holds h ON h.tenant_id = s.tenant_id AND h.id = s.hold_id
        WHERE s.kind = 'offered' AND (h.id IS NULL OR h.instrument_id <> p.instrument_id OR h.place IS NOT NULL
            OR h.starts_at <> s.starts_at OR h.ends_at <> s.ends_at OR h.held_at <> s.noted_at
            OR h.starts_at < p.from_at OR h.ends_at > p.to_at)
        """,
    ),
)
"""Checked over the whole database by ``marketplace check``."""
