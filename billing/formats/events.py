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
from typing import Any, NoReturn

from pydantic_core import PydanticCustomError

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


def read_event(raw: object, *, now: datetime, subject: str) -> IncomingEvent:
    """Return the event in a parsed CloudEvent. Without ``time`` it happened now. Raises BadEvent.

    ``subject`` stands for a subject that is not given.
    """
    if not isinstance(raw, Mapping):
        _refuse("", "field.not_object", msg("须为对象。请改为 JSON 对象。"))
    if raw.get("specversion") != "1.0":
        _refuse("specversion", "event.specversion", msg("须为 1.0。请按 CloudEvents 1.0 发送。"))
    content_type = raw.get("datacontenttype")
    if content_type is not None and content_type != "application/json":
        _refuse("datacontenttype", "event.content_type", msg("只接受 application/json。请改用 JSON 数据。"))
    return make_event(
        source=_text(raw, "source", MAX_TEXT),
        event_id=_text(raw, "id", MAX_TEXT),
        event_type=_text(raw, "type", MAX_TYPE),
        subject=_text(raw, "subject", MAX_TEXT) if raw.get("subject") else subject,
        time=_time(raw.get("time"), now),
        data=raw.get("data"),
        corrects=_correction(raw) if "correctsid" in raw or "correction" in raw or "correctssource" in raw else None,
    )


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
    if data is None:
        data = {}
    if not isinstance(data, Mapping):
        _refuse("data", "field.not_object", msg("须为对象。请改为 JSON 对象。"))
    text = _json(data)
    hashed = body_hash(event_type, subject, text, corrects)
    return IncomingEvent(source, event_id, event_type, subject, time, text, hashed, corrects)


def body_hash(event_type: str, subject: str, data: str, corrects: Correction | None = None) -> str:
    """Return the SHA-256 of what a retry must say again; ``data`` is the JSON text that is stored."""
    body = f"[{_quoted(event_type)}, {_quoted(subject)}]{data}"
    if corrects is not None:
        body += f"[{_quoted(corrects.source)}, {_quoted(corrects.id)}, {'void' if corrects.void else 'replace'}]"
    return hashlib.sha256(body.encode()).hexdigest()


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


def _json(data: Mapping[str, object]) -> str:
    try:
        text = _ENCODE(data)
        size = len(text.encode())
    except (ValueError, TypeError, RecursionError):
        _refuse("data", "event.data", msg("数据中有 JSON 不能表示的值（如 NaN、无穷大或损坏的字符）。请改正。"))
    if size > MAX_DATA_BYTES:
        _refuse("data", "event.too_large", msg("单个事件的数据最多 {most} 字节。请精简数据。", most=MAX_DATA_BYTES))
    if "\\u0000" in text or text.count("[") + text.count("{") > MAX_DEPTH:
        _check(data, 1)
    return text


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


# Kept: json.dumps with arguments makes an encoder for each call, which costs as much as the encoding.
_ENCODE = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_exact
).encode
_quoted = json.JSONEncoder(ensure_ascii=False).encode


def _refuse(field: str, code: str, message: Message) -> NoReturn:
    raise BadEvent(FieldError(field, code, message))
