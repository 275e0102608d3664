"""Times at which several instruments can be booked at once, and which of them the park's quota would refuse then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.rules.slots import Span
from services.usecases import quotas
from services.usecases.instruments import read_instrument
from services.usecases.slot_search import search_together
from tenants.kernel.messages import Message
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


@dataclass(frozen=True)
class TogetherTime:
    """A time at which several instruments are free, half-open in UTC, with the refusal of each whose quota has too little
    left; with none it can be booked.
    """

    starts_at: datetime
    ends_at: datetime
    over_quota: Mapping[UUID, Message]


def find_together(
    work: Work, *, instrument_ids: Sequence[UUID], from_: datetime, to: datetime, slots: int = 1, limit: int = 20
) -> tuple[TogetherTime, ...]:
    """Return the times within ``[from_, to)`` at which all of these instruments are free, earliest first, and what of the
    acting park's quotas stands against each. Raises as ``slot_search.search_together`` does.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    times = search_together(work, instrument_ids=instrument_ids, from_=from_, to=to, slots=slots, limit=limit)
    over: list[dict[UUID, Message]] = [{} for _ in times]
    for each in dict.fromkeys(instrument_ids) if work.actor.tenant_id is not None and times else ():
        instrument = read_instrument(work, instrument_id=each)
        length = timedelta(minutes=instrument.slot_minutes * max(slots, instrument.hours.min_slots))
        spans = [Span(each, one.starts_at, one.starts_at + length) for one in times]
        for found, problem in zip(over, quotas.refusals_alone(work, instrument, spans), strict=True):
            if problem is not None:
                found[each] = problem.message
    return tuple(TogetherTime(one.starts_at, one.ends_at, found) for one, found in zip(times, over, strict=True))
