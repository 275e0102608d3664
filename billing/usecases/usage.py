"""Reading usage: what a meter counted, and what delivered services cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic_core import PydanticCustomError
from sqlalchemy import select

from billing.formats.fields import parse_timezone
from billing.rules.levels import levels
from billing.rules.meters import Aggregation, WindowSize, average, plain, window_of
from billing.rules.periods import DEFAULT_ZONE, Period
from billing.store import usage
from billing.store.level_queries import level_changes
from billing.store.meter_queries import SUBJECT, MeterQuestion, quantities
from billing.store.settlements import meter_of
from billing.store.usage_queries import USAGE_KEYS, usage_sums
from tenants.kernel.errors import FieldError, Invalid, NotFound
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

MOST_LEVELS = 20_000
"""Rows that a question about levels may answer: a level stands in every window, however little happens."""


@dataclass(frozen=True)
class MeterView:
    """A meter: which events it counts, and how; ``unit`` is what its quantities are shown in, empty for a bare number."""

    slug: str
    name: str
    event_type: str
    aggregation: str
    value_property: str | None
    group_by: dict[str, str]
    allow_negative: bool = True
    archived_at: datetime | None = None
    unit: str = ""


@dataclass(frozen=True)
class MeterRow:
    """A quantity within one window, for one group."""

    value: Decimal
    window_start: datetime
    window_end: datetime
    subject: str | None
    group_by: dict[str, str | None]

    def document(self) -> dict[str, Any]:
        """Return the row as the public OpenMeter client reads it."""
        return {
            "value": int(self.value) if self.value == self.value.to_integral_value() else float(self.value),
            "windowStart": _moment(self.window_start),
            "windowEnd": _moment(self.window_end),
            "subject": self.subject,
            "groupBy": self.group_by,
        }


@dataclass(frozen=True)
class MeterAnswer:
    """The answer to a meter query; windows and groups without events are left out."""

    from_: datetime
    to: datetime
    window_size: str | None
    rows: tuple[MeterRow, ...]

    def document(self) -> dict[str, Any]:
        """Return the answer as the public OpenMeter client reads it."""
        return {
            "from": _moment(self.from_),
            "to": _moment(self.to),
            "windowSize": self.window_size,
            "data": [row.document() for row in self.rows],
        }


@dataclass(frozen=True)
class UsageSum:
    """What delivered services came to. ``key`` is an offering, a day, a month or a park's id.

    ``returned_fen`` of the list price was taken back since; the other amounts are without it.
    """

    key: str
    deliveries: int
    quantity: Decimal
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    returned_fen: int = 0

    @property
    def quantity_text(self) -> str:
        """Return the quantity as people write it."""
        return plain(self.quantity)


def list_meters(work: Work) -> tuple[MeterView, ...]:
    """Return all meters that were not laid down, by slug."""
    work.actor.require(Permission.READ_USAGE)
    rows = work.session.execute(
        select(usage.Meter).where(usage.Meter.archived_at.is_(None)).order_by(usage.Meter.slug)
    ).scalars()
    return tuple(meter_view(row) for row in rows)


def meter_view(row: usage.Meter) -> MeterView:
    """Return a stored meter as it is shown."""
    return MeterView(
        slug=row.slug,
        name=row.name,
        event_type=row.event_type,
        aggregation=row.aggregation,
        value_property=row.value_property,
        group_by=dict(row.group_by),
        allow_negative=row.allow_negative,
        archived_at=row.archived_at,
        unit=row.unit,
    )


def query_meter(
    work: Work,
    *,
    slug: str,
    from_: datetime,
    to: datetime,
    window_size: str | None = None,
    group_by: Sequence[str] = (),
    subject: Sequence[str] = (),
    filter_group_by: Mapping[str, Sequence[str]] | None = None,
    timezone: str = DEFAULT_ZONE,
    park_id: UUID | None = None,
) -> MeterAnswer:
    """Return what a meter counted from ``from_`` until just before ``to``, of the acting park or, for staff, of all.

    ``window_size`` is MINUTE, HOUR, DAY or MONTH, cut by the clock of ``timezone``; without it the whole period is one
    window. Subjects that are named answer one by one. ``filter_group_by`` leaves only events with one of the named values for
    each of its groups. A ``weighted_sum`` answers in each window in which a level stood
    or changed. Raises NotFound for an unknown meter, Invalid for the rest.
    """
    work.actor.require(Permission.READ_USAGE)
    row = work.session.execute(select(usage.Meter).where(usage.Meter.slug == slug)).scalar_one_or_none()
    if row is None:
        raise NotFound("meter.not_found", msg("没有找到计量 {slug}。请核对名称。", slug=slug))
    meter = meter_of(row)
    names = list(dict.fromkeys([*group_by, *([SUBJECT] if subject else [])]))
    unknown = [name for name in names if name != SUBJECT and name not in meter.group_by]
    if unknown:
        raise _refused("groupBy", "meter.group_unknown", msg("计量没有分组 {name}。请改正。", name=unknown[0]))
    wanted = dict(sorted((filter_group_by or {}).items()))
    for name in wanted:
        if name not in meter.group_by:
            message = msg("计量没有分组 {name}。请改正。", name=name[:64])
            raise _refused("filterGroupBy", "meter.group_unknown", message)
    question = MeterQuestion(
        meter=meter,
        period=_period(from_, to),
        timezone=_zone(timezone),
        size=_size(window_size),
        group_by=names,
        subjects=tuple(subject),
        tenant_id=work.actor.tenant_id or park_id,
        wanted=wanted,
    )
    is_level = meter.aggregation is Aggregation.WEIGHTED_SUM
    return MeterAnswer(from_, to, window_size, tuple((_level_rows if is_level else _rows)(work, question)))


def list_usage(
    work: Work, *, from_: datetime, to: datetime, group_by: str = "offering", park_id: UUID | None = None
) -> tuple[UsageSum, ...]:
    """Return what deliveries used in a period cost, by ``offering``, ``day``, ``month`` (in Shanghai) or ``park``.

    A park's own; for staff those of ``park_id`` or of all. Raises Invalid for an unknown grouping or an empty period.
    """
    work.actor.require(Permission.READ_USAGE)
    if group_by not in USAGE_KEYS:
        message = msg("分组须为其中之一：{choices}。请改正。", choices=", ".join(USAGE_KEYS))
        raise _refused("group_by", "usage.group_unknown", message)
    found = usage_sums(work.session, _period(from_, to), group_by, work.actor.tenant_id or park_id)
    return tuple(UsageSum(*row) for row in found)


def check_period(start: datetime, end: datetime) -> None:
    """Raise Invalid unless both moments carry their offset and the first comes first."""
    _period(start, end)


def _rows(work: Work, question: MeterQuestion) -> list[MeterRow]:
    rows = []
    for found in quantities(work.session, question):
        start = question.period.start if found.start is None else max(found.start, question.period.start)
        window = window_of(start, question.period, question.timezone, question.size)
        is_average = question.meter.aggregation is Aggregation.AVG
        rows.append(
            MeterRow(
                value=average(found.value, found.count) if is_average else found.value,
                window_start=window.start,
                window_end=window.end,
                subject=found.group.get(SUBJECT),
                group_by={name: value for name, value in found.group.items() if name != SUBJECT},
            )
        )
    return rows


def _level_rows(work: Work, question: MeterQuestion) -> list[MeterRow]:
    """Return the windows of a weighted sum, in time; a level also stands in windows in which nothing came in."""
    rows: list[MeterRow] = []
    for group, level in level_changes(work.session, question).items():
        named = dict(zip(question.group_by, group, strict=True))
        for window, quantity in levels(
            level.carry_in, level.changes, question.period, question.timezone, question.size
        ):
            if len(rows) >= MOST_LEVELS:
                message = msg("结果超过 {most} 行。请缩短时间范围，或用更大的窗口。", most=MOST_LEVELS)
                raise _refused("windowSize", "meter.too_many_windows", message)
            groups = {name: value for name, value in named.items() if name != SUBJECT}
            rows.append(MeterRow(quantity, window.start, window.end, named.get(SUBJECT), groups))
    return sorted(rows, key=lambda row: (row.window_start, str(row.subject), str(row.group_by)))


def _period(start: datetime, end: datetime) -> Period:
    if start.tzinfo is None or end.tzinfo is None:
        raise _refused("from", "field.moment", msg("时间须带时区，如 2026-05-01T08:00:00+08:00。请改正。"))
    if start >= end:
        raise _refused("from", "period.order", msg("开始时间须早于结束时间。请改正。"))
    return Period(start, end)


def _zone(name: str) -> str:
    try:
        return parse_timezone(name)
    except PydanticCustomError:
        message = msg("没有这个时区。请用 IANA 名称，如 Asia/Shanghai。")
        raise _refused("windowTimeZone", "field.timezone", message) from None


def _size(name: str | None) -> WindowSize | None:
    if name is None:
        return None
    try:
        return WindowSize(name)
    except ValueError:
        message = msg("须为其中之一：{choices}。请改正。", choices=", ".join(WindowSize))
        raise _refused("windowSize", "field.choice", message) from None


def _refused(field: str, code: str, message: Message) -> Invalid:
    return Invalid(code, message, errors=[FieldError(field, code, message)])


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
