"""Bringing a meter's roll-ups up to date, in one transaction a step.

The step holds the row of the meter's progress, so of several workers one works and the others pass on; killed anywhere
it leaves nothing behind. It takes the events of finished transactions only: those before the oldest that is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Text,
    Uuid,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP, aggregate_order_by, array, insert
from sqlalchemy.orm import Session, aliased
from sqlalchemy.types import Numeric

from billing.rules.meters import Aggregation, Meter
from billing.rules.periods import DEFAULT_ZONE
from billing.rules.rollups import ROLLED_FROM
from billing.store import usage
from billing.store.late_usage import note_late
from billing.store.meter_readings import readings, transaction
from billing.store.rollups import DAY, QUARTER, MeterProgress, MeterRollup
from billing.store.usage import EventCorrection, UsageEvent
from tenants.kernel.database import Instant

_LATEST = ("latest_time", "latest_received", "latest_source", "latest_event")
_BOUNDS = text(
    "SELECT CAST(CAST(pg_snapshot_xmin(s) AS text) AS bigint), CAST(CAST(pg_snapshot_xmax(s) AS text) AS bigint)"
    " FROM pg_current_snapshot() s"
)
Days = Sequence[tuple[UUID, datetime]]


@dataclass(frozen=True)
class Step:
    """What one step did: from which transaction to which, and whether events are left before the oldest open one."""

    first: int
    upto: int
    more: bool


def begin_progress(session: Session, now: datetime) -> None:
    """Let the roll-ups of meters begin that have none yet. A weighted level is always worked out from events."""
    begin = select(usage.Meter.slug, literal(0), transaction(0), literal(now, Instant())).where(
        usage.Meter.aggregation != Aggregation.WEIGHTED_SUM
    )
    names = ["meter", "epoch", "upto", "rolled_at"]
    session.execute(insert(MeterProgress).from_select(names, begin).on_conflict_do_nothing())


def lock_progress(session: Session, slug: str) -> tuple[int, int] | None:
    """Return epoch and end of a meter's roll-ups and keep them from other workers; None while another one has them."""
    locked = session.execute(
        select(MeterProgress.epoch, cast(MeterProgress.upto, Text))
        .where(MeterProgress.meter == slug)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    return None if locked is None else (locked[0], int(locked[1]))


def progress_ends(session: Session) -> list[tuple[str, int, str]]:
    """Return slug, epoch and end of every meter's roll-ups."""
    ends = select(MeterProgress.meter, MeterProgress.epoch, cast(MeterProgress.upto, Text))
    return [(row[0], row[1], row[2]) for row in session.execute(ends)]


def note_checked(session: Session, ends: Sequence[tuple[str, int, str]]) -> None:
    """Note that roll-ups were checked up to these ends; one that has begun a new epoch meanwhile is left alone."""
    for slug, epoch, upto in ends:
        session.execute(
            update(MeterProgress)
            .where(MeterProgress.meter == slug, MeterProgress.epoch == epoch)
            .values(checked_upto=transaction(int(upto)))
        )


def roll(session: Session, meter: Meter, epoch: int, first: int, most: int, now: datetime) -> Step:
    """Add about ``most`` events from transaction ``first`` on, and work out anew the days that were corrected.

    What came after its month began to be charged is noted. The caller holds the meter's progress.
    """
    oldest_open, newest = session.execute(_BOUNDS).one()
    if first > newest:  # restored from a dump: these numbers are of another server
        epoch, first = epoch + 1, 0
    upto = _upto(session, meter, first, oldest_open, most)
    if upto > first:
        days = _corrected(session, meter, first, upto)
        span = (UsageEvent.written_in >= transaction(first), UsageEvent.written_in < transaction(upto))
        _add(session, meter, epoch, *span, *([~_within(days)] if days else []))
        if days:
            _empty(session, meter, epoch, days)
            _add(session, meter, epoch, UsageEvent.written_in < transaction(upto), _within(days))
        note_late(session, meter, first, upto, days)
    session.execute(
        update(MeterProgress)
        .where(MeterProgress.meter == meter.slug)
        .values(
            epoch=epoch,
            upto=transaction(max(first, upto)),
            rolled_at=now,
            checked_upto=case((MeterProgress.epoch == epoch, MeterProgress.checked_upto), else_=transaction(0)),
        )
    )
    return Step(first, upto, upto < oldest_open)


def _upto(session: Session, meter: Meter, first: int, oldest_open: int, most: int) -> int:
    """Return the transaction before which about ``most`` events wait; a transaction is never cut in two."""
    found = session.execute(
        select(cast(UsageEvent.written_in, Text))
        .where(
            UsageEvent.type == meter.event_type,
            UsageEvent.written_in >= transaction(first),
            UsageEvent.written_in < transaction(oldest_open),
        )
        .order_by(UsageEvent.written_in)
        .offset(most)
        .limit(1)
    ).scalar_one_or_none()
    return oldest_open if found is None else int(found) + 1


def corrected_days(meter: Meter, *where: ColumnElement[bool]) -> Any:
    """Return a query of the parks and days of which an event was corrected."""
    target = aliased(UsageEvent)
    return (
        select(target.tenant_id, day_of(target.time).label("day"))
        .distinct()
        .join(
            EventCorrection,
            and_(
                EventCorrection.tenant_id == target.tenant_id,
                EventCorrection.corrected_source == target.source,
                EventCorrection.corrected_id == target.event_id,
            ),
        )
        .where(target.type == meter.event_type, target.time >= ROLLED_FROM, *where)
    )


def day_of(moment: Any) -> ColumnElement[Any]:
    """Return the start of a moment's day, as days are rolled up."""
    return func.date_trunc(
        literal("day", literal_execute=True), moment, literal(DEFAULT_ZONE, literal_execute=True),
        type_=TIMESTAMP(timezone=True),
    )  # fmt: skip


def _corrected(session: Session, meter: Meter, first: int, upto: int) -> Days:
    span = (EventCorrection.written_in >= transaction(first), EventCorrection.written_in < transaction(upto))
    return [(row[0], row[1]) for row in session.execute(corrected_days(meter, *span))]


def _within(days: Days) -> ColumnElement[bool]:
    return tuple_(UsageEvent.tenant_id, day_of(UsageEvent.time)).in_(_listed(days))


def _listed(days: Days) -> Any:
    parks = cast([park for park, _ in days], ARRAY(Uuid))
    starts = cast([start for _, start in days], ARRAY(TIMESTAMP(timezone=True)))
    rows = func.unnest(parks, starts).table_valued("park", "start", name="days").render_derived()
    return select(rows.c.park, rows.c.start)


def _empty(session: Session, meter: Meter, epoch: int, days: Days) -> None:
    """Take out of the roll-ups what they hold of some days."""
    touched = or_(
        *(
            and_(
                MeterRollup.tenant_id == park,
                MeterRollup.bucket >= start,
                MeterRollup.bucket < start + timedelta(days=1),
            )
            for park, start in days
        )
    )
    nothing = dict.fromkeys(("total", "least", "greatest", "latest", *_LATEST))
    session.execute(
        update(MeterRollup)
        .where(MeterRollup.meter == meter.slug, MeterRollup.epoch == epoch, touched)
        .values(events=0, **nothing),
        execution_options={"synchronize_session": False},
    )


def _add(session: Session, meter: Meter, epoch: int, *where: ColumnElement[bool]) -> None:
    """Add what the meter reads in some events to the roll-ups."""
    read = readings(meter, UsageEvent.time >= ROLLED_FROM, *where).cte("read")
    quarters = _quarters(meter, read)
    both = union_all(_rows(quarters, QUARTER), _rows(_by_day(meter, quarters), DAY)).subquery("both")
    names = [column.name for column in both.c]
    told_apart = [both.c.subject, both.c.value] if _TELLS_APART[meter.aggregation] else [both.c.subject]
    key = func.sha256(func.convert_to(cast(array(told_apart) + both.c.groups, Text), "UTF8"))
    rows = select(
        literal(meter.slug).label("meter"), literal(epoch).label("epoch"), key.label("key"), *(both.c[name] for name in names)
    )  # fmt: skip
    adding = insert(MeterRollup).from_select(["meter", "epoch", "key", *names], rows)
    new = adding.excluded
    newer = or_(
        MeterRollup.latest_time.is_(None),
        tuple_(*(new[name] for name in _LATEST)) > tuple_(*(getattr(MeterRollup, name) for name in _LATEST)),
    )
    changes: dict[str, Any] = {
        "events": MeterRollup.events + new.events,
        "total": func.coalesce(MeterRollup.total, 0) + new.total,
        "least": func.least(MeterRollup.least, new.least),
        "greatest": func.greatest(MeterRollup.greatest, new.greatest),
    }
    if meter.aggregation is Aggregation.LATEST:
        changes |= {name: case((newer, new[name]), else_=getattr(MeterRollup, name)) for name in ("latest", *_LATEST)}
    session.execute(
        adding.on_conflict_do_update(constraint="pk_meter_rollups", set_=changes),
    )


_TELLS_APART = {each: each is Aggregation.UNIQUE_COUNT for each in Aggregation}


def _quarters(meter: Meter, read: CTE) -> CTE:
    """Return what was read, by park, quarter of an hour, subject and groups, and value where values are told apart."""
    bucket = func.date_bin(
        literal("15 minutes", literal_execute=True), read.c.time, literal(ROLLED_FROM), type_=TIMESTAMP(timezone=True)
    )
    keys = [read.c.tenant_id, bucket.label("bucket"), read.c.subject, read.c.groups]
    texts = _TELLS_APART[meter.aggregation]
    number = cast(None, Numeric) if texts else read.c.value
    order = (read.c.time, read.c.received_at, read.c.source, read.c.event_id)
    columns = [
        func.count().label("events"),
        func.sum(number).label("total"),
        func.min(number).label("least"),
        func.max(number).label("greatest"),
        (read.c.value if texts else cast(None, Text)).label("value"),
        *_last(meter, number, order, order),
    ]
    groups = [*keys, *([read.c.value] if texts else [])]
    return select(*keys, *columns).group_by(*groups).cte("quarters")


def _by_day(meter: Meter, quarters: CTE) -> CTE:
    day = day_of(quarters.c.bucket)
    keys = [quarters.c.tenant_id, day.label("bucket"), quarters.c.subject, quarters.c.groups]
    order = tuple(quarters.c[name] for name in _LATEST)
    columns = [
        cast(func.sum(quarters.c.events), MeterRollup.events.type).label("events"),
        func.sum(quarters.c.total).label("total"),
        func.min(quarters.c.least).label("least"),
        func.max(quarters.c.greatest).label("greatest"),
        quarters.c.value,
        *_last(meter, quarters.c.latest, order, order),
    ]
    return select(*keys, *columns).group_by(*keys, quarters.c.value).cte("by_day")


def _last(
    meter: Meter, number: ColumnElement[Any], columns: Sequence[ColumnElement[Any]], order: Sequence[ColumnElement[Any]]
) -> list[ColumnElement[Any]]:
    """Return the last reading and when it was, or nulls for meters that do not ask for it."""
    pairs = list(zip(("latest", *_LATEST), (number, *columns), strict=True))
    if meter.aggregation is not Aggregation.LATEST:
        return [cast(None, getattr(MeterRollup, name).type).label(name) for name, _ in pairs]
    falling = [column.desc() for column in order]
    return [
        func.array_agg(aggregate_order_by(column, *falling), type_=ARRAY(column.type))[1].label(name)
        for name, column in pairs
    ]


def _rows(source: CTE, grain: int) -> Any:
    return select(literal(grain).label("grain"), *source.c)
