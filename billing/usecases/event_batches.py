"""Sorting a batch of events: which are good, which are refused and why, which say something else than before."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ARRAY, Text, bindparam, func, select
from sqlalchemy.orm import Session

from billing.formats.events import MAX_TYPE, BadEvent, EventReader, differences
from billing.formats.fields import parse_number
from billing.rules.events import IncomingEvent, is_platform_source
from billing.rules.meters import Aggregation, value_at
from billing.store.event_intake import Target
from billing.store.usage import Meter
from tenants.kernel.errors import FieldError
from tenants.kernel.identifiers import parse_id
from tenants.kernel.messages import Message, msg

CLOCK_SKEW = timedelta(hours=1)
UUID_LENGTH = 36
_NOTHING: Mapping[str, object] = {}
_TEXT_ONLY = (Aggregation.COUNT, Aggregation.UNIQUE_COUNT)

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that was not taken: where it stands in its batch, its source and id as far as they can be read, and why."""

    index: int
    source: str
    id: str
    fault: FieldError

    @property
    def code(self) -> str:
        """Return the stable code of the reason."""
        return self.fault.code


@dataclass(frozen=True, slots=True)
class ValueRule:
    """What a meter asks of the value it reads."""

    slug: str
    path: str
    allow_negative: bool
    name: str | None
    """The member of the data that the path names, where that is one step."""


# Made once: every batch asks it, and making it takes longer than asking.
_ASKING = select(Meter.event_type, Meter.slug, Meter.aggregation, Meter.value_property, Meter.allow_negative).where(
    Meter.event_type == func.any(bindparam("types", type_=ARRAY(Text))), Meter.archived_at.is_(None)
)


def value_rules(session: Session, types: Collection[str]) -> dict[str, list[ValueRule]]:
    """Return the meters of each type that is metered, as far as they ask something of a value."""
    rows = session.execute(_ASKING, {"types": list(types)})
    found: dict[str, list[ValueRule]] = {}
    for event_type, slug, aggregation, path, allow_negative in rows:
        rules = found.setdefault(event_type, [])
        if path and aggregation not in _TEXT_ONLY:
            name = path.removeprefix("$.")
            rules.append(ValueRule(slug, path, allow_negative, None if "." in name else name))
    return found


def types_said(events: Iterable[object]) -> set[str]:
    """Return the types that unchecked events name, as far as they can be types."""
    said = {raw.get("type") for raw in events if isinstance(raw, Mapping) and isinstance(raw.get("type"), str)}
    return {each for each in said if isinstance(each, str) and len(each) <= MAX_TYPE and each.isprintable()}


class Batch:
    """The events of a batch by key, and what is wrong with the others."""

    def __init__(self, tenant: UUID, now: datetime) -> None:
        self._tenant = str(tenant)
        self._now = now
        self._latest = now + CLOCK_SKEW
        self._reader = EventReader(now=now, subject=self._tenant)
        self._allowed: set[tuple[str, str]] = set()
        self.events: dict[Key, IncomingEvent] = {}
        self._fresh: list[tuple[IncomingEvent, Mapping[str, object]]] = []
        self.places: dict[Key, int] = {}
        self.invalid: list[Refused] = []
        self.conflicts: list[Refused] = []

    def take(self, index: int, raw: object) -> None:
        """Read one event; of two with one key in the batch the first counts."""
        try:
            event = self._reader.read(raw)
            self._check(event)
        except BadEvent as bad:
            given = raw if isinstance(raw, Mapping) else {}
            self._refuse(index, _shown(given.get("source")), _shown(given.get("id")), bad.fault)
            return
        key = (event.source, event.id)
        first = self.events.setdefault(key, event)
        if first is event:
            self.places[key] = index
            said = cast("Mapping[str, Mapping[str, object] | None]", raw)  # it was read as one
            self._fresh.append((event, said.get("data") or _NOTHING))
        elif first.body_hash != event.body_hash:
            data = json.loads(first.data)
            stored = {"type": first.type, "subject": first.subject, "data": data, "corrects": first.corrects}
            self.compare(stored, event, index)

    def compare(self, stored: Mapping[str, Any], event: IncomingEvent, index: int | None = None) -> None:
        """Note in what an event differs from the one that came first; nothing when only the writing differs."""
        paths = differences(stored, event)
        if paths:
            place = self.places[event.key] if index is None else index
            message = msg("与已有事件不同：{paths}。首个有效；更正请用新编号。", paths=", ".join(paths[:10]))
            fault = FieldError(f"events[{place}]", "event.conflict", message)
            self.conflicts.append(Refused(place, event.source, event.id, fault))

    def take_piece(
        self, first: int, piece: Iterable[object], rules: Mapping[str, Sequence[ValueRule]]
    ) -> list[IncomingEvent]:
        """Read some events, of which the first stands at ``first``, and refuse those whose value a meter forbids.

        Returns the good ones that correct nothing.
        """
        for index, raw in enumerate(piece, first):
            self.take(index, raw)
        good = []
        for event, data in self._fresh:
            asked = rules.get(event.type)
            fault = None
            if asked and (event.corrects is None or not event.corrects.void):
                fault = _value_fault(data, asked)
            if fault is not None:
                self._drop(event, fault)
            elif event.corrects is None:
                good.append(event)
        self._fresh.clear()
        return good

    @property
    def is_faulty(self) -> bool:
        """Tell whether anything is wrong with the batch so far."""
        return bool(self.invalid or self.conflicts)

    def corrections(self) -> list[IncomingEvent]:
        """Return the corrections, as they came."""
        return [event for event in self.events.values() if event.corrects is not None]

    def check_corrections(self, known: Mapping[Key, Target], *, may_correct_platform: bool) -> list[IncomingEvent]:
        """Return the corrections that may stand; the others are refused.

        ``known`` has the stored ones of the events they name, those of this batch that correct nothing included. A
        correction of a correction in the same batch comes after it, so no chain ever closes to a ring.
        """
        kept: dict[Key, IncomingEvent] = {}
        taken: dict[Key, Key] = {}
        for event in self.corrections():
            assert event.corrects is not None  # noqa: S101 - corrections() gives no others
            key = event.corrects.key
            target = known.get(key)
            if target is None and key in kept:
                target = Target(kept[key].type, None, charged=False)
            by = taken.get(key) or (None if target is None else target.corrected_by)
            message = _correction_fault(event, target, by, may_correct_platform=may_correct_platform)
            if message is not None:
                self._drop(event, FieldError("correctsid", *message))
            else:
                kept[event.key] = event
                taken[key] = event.key
        return list(kept.values())

    def _check(self, event: IncomingEvent) -> None:
        """Raise BadEvent for what this park may not send, or not yet."""
        if event.time > self._latest:
            message = msg("时间晚于现在一小时以上。请检查设备时钟。")
            raise BadEvent(FieldError("time", "event.in_future", message))
        whose = (event.source, event.subject)
        if whose not in self._allowed:
            self._check_whose(event)
            self._allowed.add(whose)

    def _check_whose(self, event: IncomingEvent) -> None:
        if is_platform_source(event.source):
            message = msg("来源 {source} 由平台专用。请改用贵单位自己的来源名称。", source=event.source)
            raise BadEvent(FieldError("source", "event.reserved_source", message))
        subject = event.subject
        if subject != self._tenant and len(subject) == UUID_LENGTH and parse_id(subject) is not None:
            message = msg("主体是另一园区的编号。请填写本园区编号，或本园区内部的名称。")
            raise BadEvent(FieldError("subject", "event.foreign_subject", message))

    def _drop(self, event: IncomingEvent, fault: FieldError) -> None:
        del self.events[event.key]
        self._refuse(self.places[event.key], event.source, event.id, fault)

    def _refuse(self, index: int, source: str, event_id: str, fault: FieldError) -> None:
        field = f"events[{index}].{fault.field}".rstrip(".")
        self.invalid.append(Refused(index, source, event_id, FieldError(field, fault.code, fault.message)))


def _correction_fault(
    event: IncomingEvent, target: Target | None, by: Key | None, *, may_correct_platform: bool
) -> tuple[str, Message] | None:
    """Return why a correction may not stand, or None."""
    assert event.corrects is not None  # noqa: S101 - the caller has corrections only
    named = event.corrects.id
    if is_platform_source(event.corrects.source) and not may_correct_platform:
        return "event.correction_not_yours", msg("平台计量的事件不能由园区更正。请联系运营方。")
    if target is None:
        return "event.corrects_unknown", msg("没有找到被更正的事件 {id}。请核对来源和编号，并先发送原事件。", id=named)
    if target.type != event.type:
        return "event.correction_type", msg("更正须与原事件同类型（{type}）。请改正类型。", type=target.type)
    if target.charged:
        return "event.charged", msg("事件 {id} 已计费，不能用事件更正。请申请红字更正。", id=named)
    if by is not None and by != event.key:
        return "event.corrected_already", msg("事件 {id} 已由 {by} 更正。请更正后者。", id=named, by=by[1])
    return None


def _value_fault(data: Mapping[str, object], rules: Iterable[ValueRule]) -> FieldError | None:
    for rule in rules:
        value = value_at(data, rule.path) if rule.name is None else data.get(rule.name)
        if _is_unsigned(value):
            continue
        number = parse_number(value)
        field = f"data{rule.path.removeprefix('$')}"
        if number is not None and number < 0 and not rule.allow_negative:
            message = msg("计量 {meter} 不接受负数。更正请用 correctsid 指明原事件。", meter=rule.slug)
            return FieldError(field, "event.negative", message)
        if number is None and isinstance(value, str) and not _finite(value):
            message = msg("计量 {meter} 须为有限的数值。请改正。", meter=rule.slug)
            return FieldError(field, "event.not_finite", message)
    return None


def _is_unsigned(value: object) -> bool:
    """Tell at once of a value without a sign, as nearly all are, that no rule forbids it."""
    if isinstance(value, str):
        return value.replace(".", "", 1).isdecimal()
    return isinstance(value, float | int) and value >= 0


def _finite(value: str) -> bool:
    """Tell False for a text that stands for no number or an endless one: ``NaN``, ``-Infinity``."""
    try:
        return Decimal(value).is_finite()
    except InvalidOperation:
        return True


def _shown(value: object) -> str:
    """Return an unchecked name so that it can be stored and shown."""
    if not isinstance(value, str):
        return ""
    clean = value[:200].encode(errors="replace").decode()
    return "".join(letter if letter.isprintable() else "?" for letter in clean)
