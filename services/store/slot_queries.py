"""Free slots, worked out where the bookings are: the starts that an instrument's hours allow, less what is busy.

The grid of starts is that of ``services.rules.slots``; which days are worked, the caller knows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Window:
    """Where slots are looked for: on the days that begin at ``midnights``, within ``[from_, to)``, booked at ``now``."""

    midnights: Sequence[datetime]
    from_: datetime
    to: datetime
    now: datetime


# The starts come in order and are looked up one by one until there are enough; what is not shown is not looked up.
_FREE = """
SELECT s.instrument_id, s.instrument_name, s.region_code, s.starts_at, s.ends_at,
       CAST(s.units - b.busy AS integer) AS free_units, CAST(:waited AS boolean) AND {awaited} AS waited
FROM (
    SELECT i.provider_id, i.id AS instrument_id, i.name AS instrument_name, i.region_code, i.units, t.starts_at,
           i.id = ANY (ARRAY(SELECT w.instrument_id FROM waiting_turns w WHERE w.open)) AS awaited,
           t.starts_at + make_interval(mins => l.minutes) AS ends_at, i.before_minutes, i.after_minutes
    FROM instruments i
    CROSS JOIN LATERAL (SELECT CAST(i.slot_minutes AS integer) * greatest(i.min_slots, :slots) AS minutes) l
    CROSS JOIN unnest(CAST(:days AS timestamptz[])) AS d (midnight)
    CROSS JOIN LATERAL generate_series(
        0, (i.closes_hour - i.opens_hour) * 60 - l.minutes, CAST(i.slot_minutes AS integer)) AS g (minute)
    CROSS JOIN LATERAL (SELECT d.midnight + make_interval(hours => i.opens_hour, mins => g.minute) AS starts_at) t
    WHERE i.id = ANY (CAST(string_to_array(:instruments, ',') AS uuid[])) AND t.starts_at >= :from_
      AND t.starts_at + make_interval(mins => l.minutes) <= :to
      AND t.starts_at >= CAST(:now AS timestamptz) + make_interval(mins => i.min_notice_minutes)
      AND t.starts_at <= CAST(:now AS timestamptz) + make_interval(days => i.max_notice_days)
    ORDER BY {order} OFFSET 0
) s
CROSS JOIN LATERAL (
    SELECT count(DISTINCT r.unit) AS busy FROM reservations r
    WHERE r.provider_id = s.provider_id AND r.instrument_id = s.instrument_id AND r.active AND r.unit <= s.units
      AND (r.held_until IS NULL OR r.held_until > CAST(:now AS timestamptz))
      AND r.during && tstzrange(s.starts_at - make_interval(mins => s.before_minutes),
                                s.ends_at + make_interval(mins => s.after_minutes))
) b
WHERE b.busy < s.units AND (CAST(:waited AS boolean) OR NOT {awaited})
LIMIT :limit
"""


# Nobody but who waits may take such a slot: as taking it asks, with no reservation of one's own yet.
_AWAITED = """(s.awaited AND waited_for(s.provider_id, s.instrument_id, '00000000-0000-0000-0000-000000000000',
    tstzrange(s.starts_at - make_interval(mins => s.before_minutes), s.ends_at + make_interval(mins => s.after_minutes)),
    CAST(:now AS timestamptz), NULL, '{}'))"""


def _ordered(order: str, awaited: str = _AWAITED) -> TextClause:
    return text(_FREE.format(order=order, awaited=awaited))


_EARLIEST = _ordered("t.starts_at, i.name, i.id")
_UNRESERVED = _ordered("t.starts_at, i.name, i.id", awaited="false")
_NEAREST = _ordered("abs(extract(epoch FROM t.starts_at - CAST(:wanted AS timestamptz))), t.starts_at")


def earliest_free(
    session: Session, instruments: Collection[UUID], window: Window, limit: int, slots: int = 1, *, waited: bool = False
) -> Sequence[RowMapping]:
    """Return free slots of some instruments, by time and name: as long as the shortest booking of at least ``slots``.

    Those that go to somebody else who waits for them are left out, or with ``waited`` are marked.
    """
    parameters = _parameters(instruments, window, limit, slots, waited=waited)
    return session.execute(_EARLIEST, parameters).mappings().all()


def earliest_unreserved(
    session: Session, instruments: Collection[UUID], window: Window, limit: int, slots: int
) -> Sequence[RowMapping]:
    """Return free slots as ``earliest_free`` does, whoever waits for them."""
    return session.execute(_UNRESERVED, _parameters(instruments, window, limit, slots)).mappings().all()


def nearest_free(
    session: Session, instrument_id: UUID, window: Window, wanted: datetime, limit: int
) -> Sequence[RowMapping]:
    """Return an instrument's free slots for which nobody else waits that are nearest to a moment, the nearest first."""
    parameters = _parameters([instrument_id], window, limit, 1) | {"wanted": wanted}
    return session.execute(_NEAREST, parameters).mappings().all()


def _parameters(
    instruments: Collection[UUID], window: Window, limit: int, slots: int, *, waited: bool = False
) -> dict[str, Any]:
    return {
        "instruments": ",".join(each.hex for each in instruments),  # the driver quotes an array item by item
        "days": list(window.midnights),
        "from_": window.from_,
        "to": window.to,
        "now": window.now,
        "limit": limit,
        "slots": slots,
        "waited": waited,
    }
