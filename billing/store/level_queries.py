"""What ``weighted_sum`` meters read: the level before a period, and the sums of its changes window by window.

It is worked out from the events alone: all that a park's meter ever read, in one statement and so of one moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Text, case, cast, extract, func, literal, null, select
from sqlalchemy.orm import Session
from sqlalchemy.types import Numeric

from billing.rules.levels import Change
from billing.store.meter_queries import SUBJECT, MeterQuestion
from billing.store.meter_readings import readings
from billing.store.usage import UsageEvent

Group = tuple[str | None, ...]


@dataclass
class Level:
    """One group's level when the period begins, and its changes by the start of their window within the period."""

    carry_in: Decimal = Decimal(0)
    changes: dict[datetime, Change] = field(default_factory=dict)


def level_changes(session: Session, question: MeterQuestion) -> Mapping[Group, Level]:
    """Return the levels of each group, in the order of the question's names."""
    found: dict[Group, Level] = {}
    for is_before, start, total, moment, *group in session.execute(_statement(question)):
        level = found.setdefault(tuple(group), Level())
        if is_before:
            level.carry_in = Decimal(total)
        else:
            begin = question.period.start if start is None else max(start, question.period.start)
            level.changes[begin] = Change(Decimal(total), Decimal(moment))
    return found


def _statement(question: MeterQuestion) -> Any:
    meter, period = question.meter, question.period
    conditions = [UsageEvent.time < period.end]
    if question.tenant_id is not None:
        conditions.append(UsageEvent.tenant_id == question.tenant_id)
    if question.subjects:
        conditions.append(UsageEvent.subject.in_(question.subjects))
    read = readings(meter, *conditions).subquery()
    places = _places(question)
    wanted = [
        read.c.groups[literal(places[name], literal_execute=True)].in_(list(values))
        for name, values in question.wanted.items()
    ]
    is_before = (read.c.time < period.start).label("is_before")
    window: Any = null()
    if question.size is not None:
        cut = func.date_trunc(question.size.value.lower(), read.c.time, question.timezone)
        window = case((read.c.time >= period.start, cut))
    value = cast(read.c.value, Numeric)
    rows = (
        select(is_before, window.label("start"), value.label("value"), read.c.time, *_groups(question, read))
        .where(*wanted)
        .subquery()
    )
    groups = [column for column in rows.c if column.name.startswith("g_")]
    moment = func.sum(rows.c.value * cast(extract("epoch", rows.c.time), Numeric))
    return select(rows.c.is_before, rows.c.start, func.sum(rows.c.value), moment, *groups).group_by(
        rows.c.is_before, rows.c.start, *groups
    )


def _places(question: MeterQuestion) -> dict[str, int]:
    return {name: place for place, name in enumerate(sorted(question.meter.group_by), 1)}


def _groups(question: MeterQuestion, read: Any) -> Iterator[Any]:
    places = _places(question)
    for place, name in enumerate(question.group_by):
        column = read.c.subject if name == SUBJECT else read.c.groups[literal(places[name], literal_execute=True)]
        yield cast(column, Text).label(f"g_{place}")
