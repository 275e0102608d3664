"""The contract's ``Meter`` and ``CloudEvent``, and the rate command that joins them with a charge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from billing.formats.charge import ChargeDocument
from billing.formats.documents import Document, read_document
from billing.formats.fields import Moment, Name, Number, Path, Timezone, parse_instant, parse_number
from billing.rules import meters
from billing.rules.charges import Charge
from billing.rules.meters import Aggregation, Meter, Reading, UsageEvent, WindowSize, text_of
from billing.rules.periods import DEFAULT_ZONE, Period, start_of_day
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg

MAX_EVENTS = 1_000_000
_ID_LENGTH = 500


class MeterDocument(Document):
    """A meter's definition."""

    slug: Name
    event_type: Name
    aggregation: Literal["count", "sum", "max", "min", "avg", "unique_count", "latest", "weighted_sum"]
    value_property: Path | None = None
    group_by: dict[Name, Path] = Field(default_factory=dict, max_length=20)
    filters: dict[Path, list[Any]] = Field(default_factory=dict, max_length=20)
    carry_in: Number | None = None

    @field_validator("group_by", "filters", mode="before")
    @classmethod
    def _nothing(cls, value: object) -> object:
        return {} if value is None else value

    @model_validator(mode="after")
    def _value_where_needed(self) -> MeterDocument:
        if self.value_property is None and self.aggregation != "count":
            raise PydanticCustomError("meter.no_value_property", "value_property")
        return self

    def to_rules(self) -> Meter:
        """Return the rules' meter."""
        return Meter(
            slug=self.slug,
            event_type=self.event_type,
            aggregation=Aggregation(self.aggregation),
            value_path=self.value_property,
            group_by=self.group_by,
            filters={path: tuple(text_of(value) or "" for value in values) for path, values in self.filters.items()},
        )


class PeriodDocument(Document):
    """A half-open period; plain days begin at midnight in the zone."""

    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    timezone: Timezone = DEFAULT_ZONE
    window_size: Literal["MINUTE", "HOUR", "DAY", "MONTH"] | None = Field(default=None, alias="windowSize")

    @model_validator(mode="after")
    def _in_order(self) -> PeriodDocument:
        period = self.to_rules()
        if period.start >= period.end:
            raise PydanticCustomError("period.order", "from is not before to")
        return self

    def to_rules(self) -> Period:
        """Return the rules' period, in UTC."""
        return Period(_start(self.start, self.timezone), _start(self.end, self.timezone))


def _start(moment: object, timezone: str) -> datetime:
    if isinstance(moment, datetime):
        return moment
    assert isinstance(moment, date)  # noqa: S101 - the field's validator gives nothing else
    return start_of_day(moment, timezone)


class RateDocument(Document):
    """The rate command's input; events are read one by one, so that a bad one spoils only itself."""

    meter: MeterDocument
    charge: ChargeDocument
    events: list[Any] = Field(max_length=MAX_EVENTS)
    period: PeriodDocument
    carry_in: Number | None = None

    @model_validator(mode="after")
    def _one_carry_in(self) -> RateDocument:
        if self.carry_in is not None and self.meter.carry_in is not None:
            raise PydanticCustomError("meter.carry_in_twice", "carry_in")
        return self


class EventDocument(Document, extra="allow"):
    """A CloudEvent 1.0; extension attributes are allowed and not looked at."""

    specversion: Literal["1.0"] = "1.0"
    id: str = Field(min_length=1, max_length=_ID_LENGTH)
    source: str = Field(min_length=1, max_length=_ID_LENGTH)
    type: str = Field(min_length=1, max_length=_ID_LENGTH)
    subject: str = Field(default="", max_length=_ID_LENGTH)
    time: Any
    data: dict[str, Any] | None = None

    @field_validator("time", mode="before")
    @classmethod
    def _time(cls, value: object) -> object:
        return parse_instant(value)

    def to_rules(self) -> UsageEvent:
        """Return the rules' event."""
        return UsageEvent(self.id, self.source, self.type, self.subject, self.time, self.data or {})


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that could not be taken: its place in the input, a stable code and the reason."""

    index: int
    id: str | None
    source: str | None
    code: str
    message: Message


@dataclass(frozen=True, slots=True)
class RateCommand:
    """Everything an amount is made from."""

    meter: Meter
    charge: Charge
    period: Period
    timezone: str
    window_size: WindowSize | None
    carry_in: Decimal
    readings: tuple[Reading, ...]
    duplicates: int
    rejected: tuple[Rejected, ...]
    ignored: int
    """Events of other types, outside the period, or left out by a filter."""


def read_rate(document: object) -> RateCommand:
    """Return the command in ``document``. Raises Invalid; single bad events are in ``rejected`` instead."""
    outer, raw_events = _without_events(document)
    parsed = read_document(RateDocument, outer)
    period = parsed.period.to_rules()
    meter = parsed.meter.to_rules()
    sorter = _Sorter(meter, period)
    for index, raw in enumerate(raw_events):
        sorter.take(index, raw)
    size = parsed.period.window_size
    return RateCommand(
        meter=meter,
        charge=parsed.charge.to_rules(),
        period=period,
        timezone=parsed.period.timezone,
        window_size=None if size is None else WindowSize(size),
        carry_in=parsed.carry_in or parsed.meter.carry_in or Decimal(0),
        readings=tuple(sorter.readings),
        duplicates=sorter.duplicates,
        rejected=tuple(sorter.rejected),
        ignored=sorter.ignored,
    )


def _without_events(document: object) -> tuple[object, Sequence[object]]:
    """Take a list of events out of the document: they are checked one by one."""
    if isinstance(document, Mapping) and isinstance(document.get("events"), list):
        events = document["events"]
        if len(events) > MAX_EVENTS:
            raise Invalid("rate.too_many_events", msg("一次最多计费 {count} 个事件。请分批提交。", count=MAX_EVENTS))
        return {**document, "events": []}, events
    return document, ()


class _Sorter:
    """Sorts raw events into readings, duplicates, rejected and ignored ones; the first of a (source, id) counts."""

    def __init__(self, meter: Meter, period: Period) -> None:
        self._meter = meter
        self._period = period
        self._seen: dict[tuple[str, str], UsageEvent] = {}
        self.readings: list[Reading] = []
        self.rejected: list[Rejected] = []
        self.duplicates = 0
        self.ignored = 0

    def take(self, index: int, raw: object) -> None:
        """Sort one raw event."""
        try:
            event = read_document(EventDocument, raw).to_rules()
        except Invalid as refusal:
            self._reject(index, raw, refusal)
            return
        known = self._seen.setdefault((event.source, event.id), event)
        if known is not event:
            self.duplicates += 1
            if not same_event(known, event):
                self._refuse(
                    index, event, "event.conflict", msg("同一来源和编号的事件内容不同。首个有效；更正请用新编号。")
                )
            return
        if not meters.counts(self._meter, event) or event.time not in self._period:
            self.ignored += 1
            return
        reading = meters.read_event(self._meter, event, parse_number)
        if reading is None:
            message = msg("事件在 {path} 处没有可用的值。请补上有限的数值。", path=self._meter.value_path)
            self._refuse(index, event, "event.no_value", message)
            return
        self.readings.append(reading)

    def _refuse(self, index: int, event: UsageEvent, code: str, message: Message) -> None:
        self.rejected.append(Rejected(index, event.id, event.source, code, message))

    def _reject(self, index: int, raw: object, refusal: Invalid) -> None:
        fault = refusal.errors[0] if refusal.errors else FieldError("", refusal.code, refusal.message)
        message = msg("字段 {field}：{reason}", field=fault.field, reason=str(fault.message))
        given = raw if isinstance(raw, Mapping) else {}
        names = [_named(given.get("id")), _named(given.get("source"))]
        self.rejected.append(Rejected(index, names[0], names[1], "event.invalid", message))


def _named(value: object) -> str | None:
    """Return an unchecked name so that it can be shown: short, and without halves of characters."""
    return value[:_ID_LENGTH].encode(errors="replace").decode() if isinstance(value, str) else None


def same_event(one: UsageEvent, other: UsageEvent) -> bool:
    """Tell whether two events of one (source, id) say the same; a retry may carry another time."""
    return (one.type, one.subject, one.data) == (other.type, other.subject, other.data)


def rate_json(
    command: RateCommand, quantity: Decimal, amount_fen: int, found: Sequence[meters.Window]
) -> dict[str, Any]:
    """Return the rate command's answer; windows look as in the meter query."""
    return {
        "quantity": meters.plain(quantity),
        "amount_fen": amount_fen,
        "windows": [
            {
                "value": meters.plain(window.quantity),
                "windowStart": _moment(window.period.start),
                "windowEnd": _moment(window.period.end),
                "groupBy": dict(window.group),
            }
            for window in found
        ],
        "duplicates": command.duplicates,
        "rejected": [
            {
                "index": item.index,
                "id": item.id,
                "source": item.source,
                "code": item.code,
                "reason": str(item.message),
            }
            for item in command.rejected
        ],
        "ignored": command.ignored,
    }


def _moment(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
