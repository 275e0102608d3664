"""Quantities of a meter, in one statement: from roll-ups, and from the events that these do not hold yet.

An answer is always fresh and exact. Of the period, whole days and quarters of an hour come from roll-ups; from events
come the ends, what was written after the roll-ups' last step, and the days of which an event was corrected since then.
All parts see one snapshot of the database, so no event is missed or counted twice while a worker rolls up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from billing.rules.meters import Meter, WindowSize
from billing.rules.periods import Period
from billing.rules.rollups import Cut, cut
from billing.store.meter_statements import SUBJECT, Shape, spans_of, statement, wanted_name

__all__ = ["SUBJECT", "MeterQuestion", "Quantity", "quantities", "raw_quantities"]

Answer = TypeVar("Answer")
_TRIES = 3
_PROGRESS = """
    SELECT epoch, upto::text FROM meter_progress
    WHERE meter = %(meter)s AND upto <= pg_snapshot_xmax(pg_current_snapshot())
    """


@dataclass(frozen=True)
class MeterQuestion:
    """What is asked of a meter. ``group_by`` names properties of the meter, or ``subject``.

    ``wanted`` are the values that count of some properties: only events with one of them for each.
    """

    meter: Meter
    period: Period
    timezone: str
    size: WindowSize | None
    group_by: Sequence[str]
    subjects: Sequence[str]
    tenant_id: UUID | None
    wanted: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Quantity:
    """One answer: where its window starts (None for the whole period), its group, and the value.

    An average comes as its sum and count, so that its one rounding is done where all others are.
    """

    start: datetime | None
    group: Mapping[str, str | None]
    value: Decimal
    count: int


def quantities(session: Session, question: MeterQuestion) -> list[Quantity]:
    """Return the quantity per window and group; those without events are left out."""
    parts = cut(question.period, question.timezone, question.size)
    return freshest(session, question.meter, parts, partial(_ask, session, question))


def freshest(
    session: Session, meter: Meter, parts: Cut, ask: Callable[[Cut, Mapping[str, Any]], Answer]
) -> Answer:  # fmt: skip
    """Ask from roll-ups and what they do not hold yet; from events alone where there are none."""
    if parts.days or parts.quarters:
        for _ in range(_TRIES):  # it fails only when the roll-ups begin a new epoch at this moment
            before = _progress(session, meter)
            if before is None:
                break
            found = ask(parts, {"epoch": before[0], "known": before[1]})
            after = _progress(session, meter)
            if after is not None and after[0] == before[0]:
                return found
    return ask(Cut((), (), ()), {})


def raw_quantities(session: Session, question: MeterQuestion) -> list[Quantity]:
    """Return the same from events alone."""
    return _ask(session, question, Cut((), (), ()), {})


def _progress(session: Session, meter: Meter) -> tuple[int, str] | None:
    """Return epoch and end of the roll-ups, for the planner. Within an epoch the end only ever moves on.

    None when there are none, or the database was restored from a dump and they count another server's transactions.
    """
    row = session.connection().exec_driver_sql(_PROGRESS, {"meter": meter.slug}).one_or_none()
    return None if row is None else (row[0], row[1])


def _ask(session: Session, question: MeterQuestion, parts: Cut, progress: Mapping[str, Any]) -> list[Quantity]:
    shape = Shape(
        timezone=question.timezone,
        size=question.size,
        group_by=tuple(question.group_by),
        of_subjects=bool(question.subjects),
        of_one_park=question.tenant_id is not None,
        days=len(parts.days),
        quarters=len(parts.quarters),
        edges=len(parts.edges),
        wanted=tuple(question.wanted),
    )
    asked = statement(question.meter, shape)
    values = {
        **asked.constants,
        **progress,
        **spans_of(parts),
        "from_": question.period.start,
        "to": question.period.end,
        "subjects": list(question.subjects),
        "tenant": question.tenant_id,
        **{wanted_name(place): list(each) for place, each in enumerate(question.wanted.values())},
    }
    groups = len(shape.group_by)
    return [
        Quantity(
            start=row[0],
            group=dict(zip(shape.group_by, row[1 : groups + 1], strict=True)),
            value=Decimal(row[groups + 1]),
            count=int(row[groups + 2]),
        )
        for row in session.connection().exec_driver_sql(asked.text, values)
        if row[groups + 2]
    ]
