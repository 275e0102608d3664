"""CloudEvents 1.0 as a park sends them: checked by hand, since this is the hottest path of the system.

An event that is refused names its field; what is taken comes out ready to be stored: instants in UTC, data as JSON
text, and the hash of all that a retry must say again (type, subject, data and what it corrects, not the time).

A correction names its event by the extension attributes ``correctsid`` and ``correctssource`` (its own source when that
is not given), and says by ``correction`` whether it stands in its place (``replace``, the default) or leaves it empty
(``void``). They are three texts because CloudEvents allows no objects there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn

from pydantic_core import PydanticCustomError, to_json

from billing.formats.fields import parse_instant
from billing.rules.events import Correction, IncomingEvent
from tenants.kernel.errors import FieldError
from tenants.kernel.messages import Message, msg

MAX_TEXT = 200
MAX_TYPE = 100
MAX_DATA_BYTES = 64 * 1024
MAX_DEPTH = 32


class BadEvent(ValueError):  # noqa: N818 - it carries the fault of one field
    """An event that cannot be taken; ``fault`` says which field and why."""

    def __init__(self, fault: FieldError) -> None:
        super().__init__(fault.code)
        self.fault = fault


class _Head(NamedTuple):
    """What many events of a batch say alike, checked, and how the text begins that is hashed."""

    source: str
    type: str
    subject: str
    hashed: bytes


class EventReader:
    """Reads the events of one batch. What they have in common is checked once for each way it is said."""

    def __init__(self, *, now: datetime, subject: str) -> None:
        self._now = now
        self._subject = subject
        self._heads: dict[tuple[object, ...], _Head] = {}
        self._times: dict[str, datetime] = {}

    def read(self, raw: object) -> IncomingEvent:
        """Return the event in a parsed CloudEvent. Without ``time`` it happened now. Raises BadEvent."""
        if type(raw) is not dict and not isinstance(raw, Mapping):
            _refuse("", "field.not_object", msg("须为对象。请改为 JSON 对象。"))
        said = (
            raw.get("source"), raw.get("type"), raw.get("subject"), raw.get("specversion"), raw.get("datacontenttype")
        )  # fmt: skip
        try:
            head = self._heads.get(said)
        except TypeError:  # an array or object where a text belongs
            head = None
        if head is None:
            head = self._heads[said] = _head(raw, self._subject)
        event_id = _text(raw, "id", MAX_TEXT)
        written = raw.get("time")
        time = self._times.get(written) if type(written) is str else None
        if time is None:
            time = _time(written, self._now)
            if type(written) is str:
                self._times[written] = time
        corrects = None
        if "correctsid" in raw or "correction" in raw or "correctssource" in raw:
            corrects = _correction(raw)
        text, hashed = _written(raw.get("data"), head.hashed, corrects)
        return IncomingEvent(head.source, event_id, head.type, head.subject, time, text, hashed, corrects)


def read_event(raw: object, *, now: datetime, subject: str) -> IncomingEvent:
    """Return the event in a parsed CloudEvent. Without ``time`` it happened now. Raises BadEvent.

    ``subject`` stands for a subject that is not given.
    """
    return EventReader(now=now, subject=subject).read(raw)


def _head(raw: Mapping[str, object], subject: str) -> _Head:
    if raw.get("specversion") != "1.0":
        _refuse("specversion", "event.specversion", msg("须为 1.0。请按 CloudEvents 1.0 发送。"))
    content_type = raw.get("datacontenttype")
    if content_type is not None and content_type != "application/json":
        _refuse("datacontenttype", "event.content_type", msg("只接受 application/json。请改用 JSON 数据。"))
    source = _text(raw, "source", MAX_TEXT)
    event_type = _text(raw, "type", MAX_TYPE)
    given = _text(raw, "subject", MAX_TEXT) if raw.get("subject") else subject
    return _Head(source, event_type, given, _hashed_first(event_type, given))


def make_event(
    *,
    source: str,
    event_id: str,
    event_type: str,
    subject: str,
    time: datetime,
    data: object,
    corrects: Correction | None = None,
) -> IncomingEvent:
    """Return an event made inside the platform. Raises BadEvent for data that is no JSON object."""
    text, hashed = _written(data, _hashed_first(event_type, subject), corrects)
    return IncomingEvent(source, event_id, event_type, subject, time, text, hashed, corrects)


def body_hash(event_type: str, subject: str, data: str, corrects: Correction | None = None) -> str:
    """Return the SHA-256 of what a retry must say again; ``data`` is the JSON text that is stored."""
    return _hash(_hashed_first(event_type, subject), data.encode(), corrects)


def _hashed_first(event_type: str, subject: str) -> bytes:
    return f"[{_quoted(event_type)}, {_quoted(subject)}]".encode()


def _hash(first: bytes, data: bytes, corrects: Correction | None) -> str:
    body = first + data
    if corrects is not None:
        kind = "void" if corrects.void else "replace"
        body += f"[{_quoted(corrects.source)}, {_quoted(corrects.id)}, {kind}]".encode()
    return hashlib.sha256(body).hexdigest()


def _written(data: object, first: bytes, corrects: Correction | None) -> tuple[str, str]:
    """Return data as JSON text, and the hash of an event that says it after ``first``."""
    if data is None:
        data = {}
    if type(data) is not dict and not isinstance(data, Mapping):
        _refuse("data", "field.not_object", msg("须为对象。请改为 JSON 对象。"))
    text = _json(data)
    return text.decode(), _hash(first, text, corrects)


def differences(before: Mapping[str, Any], event: IncomingEvent) -> list[str]:
    """Return the paths in which an event says something else than the stored one of its key."""
    found = [name for name in ("type", "subject") if before[name] != getattr(event, name)]
    if before.get("corrects") != event.corrects:
        found.append("correctsid")
    return found + _differing(before["data"], json.loads(event.data), "data")


def _differing(one: object, other: object, path: str) -> list[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        names = sorted({*one, *other})
        return [
            inner
            for name in names
            for inner in (
                _differing(one[name], other[name], f"{path}.{name}")
                if name in one and name in other
                else [f"{path}.{name}"]
            )
        ]
    same = one == other and isinstance(one, bool) is isinstance(other, bool)
    return [] if same else [path]


def _correction(raw: Mapping[str, object]) -> Correction:
    """Return what an event corrects; BadEvent when that is half said, or is the event itself."""
    event_id = _text(raw, "correctsid", MAX_TEXT)
    source = _text(raw, "correctssource" if "correctssource" in raw else "source", MAX_TEXT)
    kind = raw.get("correction", "replace")
    if kind not in {"replace", "void"}:
        _refuse("correction", "event.correction", msg("须为 replace（替换）或 void（作废）。请改正。"))
    if (source, event_id) == (raw.get("source"), raw.get("id")):
        _refuse("correctsid", "event.corrects_itself", msg("事件不能更正自己。请填写被更正事件的编号。"))
    if kind == "void" and raw.get("data"):
        _refuse("data", "event.void_with_data", msg("作废不带数据。请删除数据，或改用 replace。"))
    return Correction(source, event_id, kind == "void")


def _text(raw: Mapping[str, object], name: str, limit: int) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= limit or not value.isprintable():
        _refuse(name, "field.text", msg("须为 1 至 {limit} 个可打印字符。请改正。", limit=limit))
    return value


def _time(value: object, now: datetime) -> datetime:
    if value is None:
        return now
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    try:
        return parse_instant(value)
    except PydanticCustomError:
        _refuse("time", "field.moment", msg("须为带时区的时间，如 2026-05-01T08:00:00+08:00。请改正。"))


def _json(data: Mapping[str, object]) -> bytes:
    """Return data in its one form: members by name, nothing between the tokens."""
    try:
        text = _plain_json(data) or _ENCODE(data).encode()
    except (ValueError, TypeError, RecursionError):
        _refuse("data", "event.data", msg("数据中有 JSON 不能表示的值（如 NaN、无穷大或损坏的字符）。请改正。"))
    if len(text) > MAX_DATA_BYTES:
        _refuse("data", "event.too_large", msg("单个事件的数据最多 {most} 字节。请精简数据。", most=MAX_DATA_BYTES))
    if b"\\u0000" in text or text.count(b"[") + text.count(b"{") > MAX_DEPTH:
        _check(data, 1)
    return text


def _plain_json(data: Mapping[str, object]) -> bytes | None:
    """Return the form of data that nests nothing, as that of nearly all events; None where it takes a closer look.

    The two write small fractions in another way (1e-7, 1e-07); what differs in nothing else is compared and found alike.
    """
    if not _PLAIN.issuperset(map(type, data.values())) or not _TEXT.issuperset(map(type, data)):
        return None
    text = to_json(dict(sorted(data.items())))
    return None if b"NaN" in text or b"Infinity" in text else text


def _check(value: object, depth: int) -> None:
    """Refuse what the database cannot keep: the character NUL, and nesting without sense."""
    if depth > MAX_DEPTH:
        _refuse("data", "document.too_deep", msg("嵌套超过 {depth} 层。请减少嵌套层数。", depth=MAX_DEPTH))
    if isinstance(value, str) and "\0" in value:
        _refuse("data", "event.data", msg("数据中有空字符（NUL）。请删除。"))
    if isinstance(value, Mapping):
        for name, member in value.items():
            _check(name, depth)
            _check(member, depth + 1)
    elif isinstance(value, list | tuple):
        for member in value:
            _check(member, depth + 1)


def _exact(value: object) -> object:
    """Write an exact decimal as the number it is, or as text where a JSON reader would round it."""
    if isinstance(value, Decimal):
        if value == value.to_integral_value() and abs(value) < 2**53:
            return int(value)
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    raise TypeError(type(value).__name__)


_PLAIN = frozenset({str, int, float, bool, type(None)})
_TEXT = frozenset({str})
# Kept: json.dumps with arguments makes an encoder for each call, which costs as much as the encoding.
_ENCODE = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_exact
).encode
_quoted = json.JSONEncoder(ensure_ascii=False).encode


def _refuse(field: str, code: str, message: Message) -> NoReturn:
    raise BadEvent(FieldError(field, code, message))
