"""The statements that answer meter queries, each made once for all questions of its shape.

Making one takes several times as long as asking it. What differs from question to question is bound by name; the driver
sends it along with the text, so the planner still knows each value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Select,
    String,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.types import Numeric

from billing.rules.meters import Aggregation, Meter, WindowSize
from billing.rules.rollups import Cut
from billing.store.meter_readings import readings
from billing.store.rollup_calls import corrected_days, day_of
from billing.store.rollups import DAY, QUARTER, MeterProgress, MeterRollup
from billing.store.usage import EventCorrection, TransactionId, UsageEvent
from tenants.kernel.database import Instant

SUBJECT = "subject"
SOME, ALL = "some", "all"
_ORDER = ("time", "received_at", "source", "event_id")
_ROLLED_ORDER = ("latest_time", "latest_received", "latest_source", "latest_event")
_ROLLED_VALUE = {
    Aggregation.COUNT: "events",
    Aggregation.SUM: "total",
    Aggregation.AVG: "total",
    Aggregation.MAX: "greatest",
    Aggregation.MIN: "least",
    Aggregation.UNIQUE_COUNT: "value",
    Aggregation.LATEST: "latest",
}
_MOST_KEPT = 500
_BLIND_TO_NULLS = frozenset((Aggregation.COUNT, Aggregation.SUM, Aggregation.MAX, Aggregation.MIN))
"""What may be asked of all parks without looking first whether an event has a value."""
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy gives it no types


class Shape(NamedTuple):
    """What the text of a question depends on, beside its meter; questions of one shape share a statement.

    ``days``, ``quarters`` and ``edges`` say into how many parts the period is cut; all are 0 for one from events alone.
    ``by_park`` asks for many parks at once: ``some`` that are named, or ``all`` from one to another. ``as_of`` answers as a
    snapshot saw the events. ``wanted`` are the groups of which only some values count.
    """

    timezone: str
    size: WindowSize | None
    group_by: tuple[str, ...]
    of_subjects: bool
    of_one_park: bool
    days: int = 0
    quarters: int = 0
    edges: int = 0
    by_park: str = ""
    as_of: bool = False
    wanted: tuple[str, ...] = ()


def wanted_name(place: int) -> str:
    """Return how a statement knows the values that count of the group at a place of ``Shape.wanted``."""
    return f"wanted_{place}"


class Statement(NamedTuple):
    """A statement as the driver takes it, and the values in it that are the same for all questions of its shape."""

    text: str
    constants: Mapping[str, Any]


_kept: dict[tuple[Any, ...], Statement] = {}


def statement(meter: Meter, shape: Shape) -> Statement:
    """Return the statement of a shape; meters are never edited, but what they read is part of what it is kept under.

    Its columns are ``start``, one for each group, ``value`` and ``counted``; or ``park``, ``value``, ``counted`` (of an
    average only) and ``snapshot``, the name of what the statement saw. It takes ``from_`` and ``to``, the
    ``subjects``, the ``tenant`` and the wanted values where the shape has them and, where it has parts, ``known`` and what ``spans_of``
    returns.
    """
    reads = (
        meter.slug, meter.event_type, meter.aggregation, meter.value_path, meter.allow_negative,
        tuple(sorted(meter.group_by.items())), tuple(sorted(meter.filters.items())),
    )  # fmt: skip
    found = _kept.get((reads, shape))
    if found is None:
        compiled = _made(meter, shape).compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        constants = {name: value for name, value in compiled.params.items() if name not in _named(shape)}
        found = Statement(str(compiled), constants)
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[reads, shape] = found
    return found


def spans_of(parts: Cut) -> dict[str, Any]:
    """Return the values by which a statement knows the parts of a period."""
    return {
        f"{name}_{place}_{end}": getattr(span, end)
        for name, spans in (("days", parts.days), ("quarters", parts.quarters), ("edges", parts.edges))
        for place, span in enumerate(spans)
        for end in ("start", "end")
    }


def _named(shape: Shape) -> set[str]:
    spans = (("days", shape.days), ("quarters", shape.quarters), ("edges", shape.edges))
    ends = {f"{name}_{place}_{end}" for name, many in spans for place in range(many) for end in ("start", "end")}
    parks = {"parks", "first_park", "last_park", "as_of"}
    wanted = {wanted_name(place) for place, _ in enumerate(shape.wanted)}
    return ends | parks | wanted | {"from_", "to", "subjects", "tenant", "epoch", "known"}


def _asked(name: str, kind: Any) -> Any:
    """Return the place of a value that comes with each question."""
    return bindparam(name, type_=kind, required=False)


def _between(moment: Any, start: str, end: str) -> ColumnElement[bool]:
    return and_(moment >= _asked(start, Instant()), moment < _asked(end, Instant()))


def _made(meter: Meter, shape: Shape) -> Select[Any]:
    """Put the parts of an answer together."""
    parts = _parts(meter, shape) if shape.days or shape.quarters else [_raw(meter, shape)]
    rows = union_all(*parts).subquery("parts")
    if shape.by_park:
        return _by_park(meter, rows.c)
    window = null() if shape.size is None else _window(shape, rows.c.at)
    groups = [rows.c[f"g{place}"] for place, _ in enumerate(shape.group_by)]
    query = select(
        window.label("start"),
        *groups,
        _aggregate(meter, rows.c).label("value"),
        func.sum(rows.c.number).label("counted"),
    )
    keys = [*([] if shape.size is None else [window]), *groups]
    return query.group_by(*keys).order_by(*keys) if keys else query


def _by_park(meter: Meter, columns: Any) -> Select[Any]:
    counted = func.sum(columns.number) if meter.aggregation is Aggregation.AVG else null()
    snapshot = cast(func.pg_current_snapshot(), Text).label("snapshot")
    return select(columns.park, _aggregate(meter, columns).label("value"), counted.label("counted"), snapshot).group_by(
        columns.park
    )


def _parts(meter: Meter, shape: Shape) -> list[Select[Any]]:
    """Return the parts of an answer. ``known`` was the roll-ups' end a moment ago; the statement reads the one of now."""
    epoch = _asked("epoch", MeterProgress.epoch.type)
    state = (
        select(MeterProgress.upto).where(MeterProgress.meter == meter.slug, MeterProgress.epoch == epoch).cte("state")
    )
    upto = select(state.c.upto).scalar_subquery()
    known = cast(_asked("known", String()), TransactionId())
    corrected = corrected_days(
        meter, EventCorrection.written_in >= upto, *_of_park(shape, EventCorrection.tenant_id)
    ).cte("corrected")
    settled = ~_is_corrected(corrected, UsageEvent.tenant_id, day_of(UsageEvent.time))
    on_corrected_days = (
        UsageEvent.tenant_id == corrected.c.tenant_id,
        UsageEvent.time >= corrected.c.day,
        UsageEvent.time < corrected.c.day + timedelta(days=1),
    )
    found = [
        _raw(meter, shape, UsageEvent.written_in >= upto, UsageEvent.written_in >= known, settled),
        _raw(meter, shape, *on_corrected_days),
        *(_rolled(meter, shape, DAY, f"days_{place}", corrected) for place in range(shape.days)),
        *(_rolled(meter, shape, QUARTER, f"quarters_{place}", corrected) for place in range(shape.quarters)),
    ]
    if shape.edges:
        inside = [
            _between(UsageEvent.time, f"edges_{place}_start", f"edges_{place}_end") for place in range(shape.edges)
        ]
        found.append(_raw(meter, shape, or_(*inside), UsageEvent.written_in < upto, settled))
    return found


def _is_corrected(corrected: CTE, tenant: ColumnElement[Any] | Any, day: Any) -> ColumnElement[bool]:
    return exists().where(corrected.c.tenant_id == tenant, corrected.c.day == day)


def _raw(meter: Meter, shape: Shape, *where: ColumnElement[bool]) -> Select[Any]:
    """Return a part of the answer that is read from events, one row each."""
    read = readings(
        meter,
        _between(UsageEvent.time, "from_", "to"),
        *_whose(shape, UsageEvent.tenant_id, UsageEvent.subject),
        *where,
        as_of=_asked("as_of", String()) if shape.as_of else None,
        of_all=shape.by_park == ALL and meter.aggregation in _BLIND_TO_NULLS,
    ).subquery()
    wanted = _wanted(meter, shape, read.c.groups)
    columns = [
        read.c.time.label("at"),
        *_park(shape, read.c.tenant_id),
        *_groups(meter, shape, read.c.subject, read.c.groups),
        literal(1, literal_execute=True).label("number"),
        _same_type(meter, read.c.value).label("value"),
    ]
    return select(*columns, *_moments(meter, [read.c[name] for name in _ORDER])).where(*wanted)


def _rolled(meter: Meter, shape: Shape, grain: int, span: str, corrected: CTE) -> Select[Any]:
    """Return a part of the answer that is read from roll-ups of one grain."""
    value = getattr(MeterRollup, _ROLLED_VALUE[meter.aggregation])
    # Working the day of each bucket out took a third of the question of all parks; a day's bucket is its start.
    day = MeterRollup.bucket if grain == DAY else day_of(MeterRollup.bucket)
    columns = [
        MeterRollup.bucket.label("at"),
        *_park(shape, MeterRollup.tenant_id),
        *_groups(meter, shape, MeterRollup.subject, MeterRollup.groups),
        MeterRollup.events.label("number"),
        _same_type(meter, value).label("value"),
    ]
    return select(*columns, *_moments(meter, [getattr(MeterRollup, name) for name in _ROLLED_ORDER])).where(
        MeterRollup.meter == meter.slug,
        MeterRollup.epoch == _asked("epoch", MeterProgress.epoch.type),
        MeterRollup.grain == grain,
        _between(MeterRollup.bucket, f"{span}_start", f"{span}_end"),
        MeterRollup.events > 0,
        *_whose(shape, MeterRollup.tenant_id, MeterRollup.subject),
        *_wanted(meter, shape, MeterRollup.groups),
        ~_is_corrected(corrected, MeterRollup.tenant_id, day),
    )


def _park(shape: Shape, tenant: Any) -> list[ColumnElement[Any]]:
    return [tenant.label("park")] if shape.by_park else []


def _of_park(shape: Shape, tenant: Any) -> list[ColumnElement[bool]]:
    if shape.by_park == ALL:
        return [tenant.between(_asked("first_park", Uuid()), _asked("last_park", Uuid()))]
    if shape.by_park == SOME:
        return [tenant == func.any(_asked("parks", ARRAY(Uuid)))]
    return [tenant == _asked("tenant", Uuid())] if shape.of_one_park else []


def _whose(shape: Shape, tenant: Any, subject: Any) -> list[ColumnElement[bool]]:
    named = [subject == func.any(_asked("subjects", ARRAY(Text)))] if shape.of_subjects else []
    return [*_of_park(shape, tenant), *named]


def _wanted(meter: Meter, shape: Shape, groups: Any) -> list[ColumnElement[bool]]:
    places = _places(meter)
    return [
        groups[literal(places[name], literal_execute=True)] == func.any(_asked(wanted_name(place), ARRAY(Text)))
        for place, name in enumerate(shape.wanted)
    ]


def _places(meter: Meter) -> dict[str, int]:
    """Return where each group stands in the arrays of events and roll-ups."""
    return {name: place for place, name in enumerate(sorted(meter.group_by), 1)}


def _groups(meter: Meter, shape: Shape, subject: Any, groups: Any) -> list[ColumnElement[Any]]:
    places = _places(meter)
    columns = [
        subject if name == SUBJECT else groups[literal(places[name], literal_execute=True)] for name in shape.group_by
    ]
    return [cast(column, Text).label(f"g{place}") for place, column in enumerate(columns)]


def _same_type(meter: Meter, value: Any) -> ColumnElement[Any]:
    return cast(value, Text if meter.aggregation is Aggregation.UNIQUE_COUNT else Numeric)


def _moments(meter: Meter, columns: Sequence[Any]) -> list[ColumnElement[Any]]:
    """Return by what the latest of two readings is known, where that is asked for."""
    if meter.aggregation is not Aggregation.LATEST:
        return []
    return [column.label(f"o{place}") for place, column in enumerate(columns)]


def _window(shape: Shape, moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the start of a moment's window: cut by the clock on the wall of the zone."""
    assert shape.size is not None  # noqa: S101 - the caller has looked
    return func.date_trunc(
        literal(shape.size.value.lower(), literal_execute=True), moment, literal(shape.timezone, literal_execute=True)
    )


def _aggregate(meter: Meter, columns: Any) -> ColumnElement[Any]:
    latest = (
        aggregate_order_by(columns.value, *(columns[f"o{place}"].desc() for place, _ in enumerate(_ORDER)))
        if meter.aggregation is Aggregation.LATEST
        else columns.value
    )
    by_name: Mapping[Aggregation, ColumnElement[Any]] = {
        Aggregation.COUNT: func.sum(columns.number),
        Aggregation.SUM: func.sum(columns.value),
        Aggregation.AVG: func.sum(columns.value),
        Aggregation.MAX: func.max(columns.value),
        Aggregation.MIN: func.min(columns.value),
        Aggregation.UNIQUE_COUNT: func.count(columns.value.distinct()),
        Aggregation.LATEST: func.array_agg(latest, type_=ARRAY(Numeric))[1],
    }
    return by_name[meter.aggregation]
