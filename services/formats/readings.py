"""Batches of readings: JSON by meter, CSV (long or wide), and what an MQTT broker's webhook sends. All become columns.

A stamp in JSON is RFC 3339 with an offset, or milliseconds since 1970; in a CSV file one without an offset is in the
parks' zone. Every reading that cannot be right is named by its place.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg

MOST_READINGS = 200_000
"""Readings of one batch."""
MOST_TOLD = 50
"""Refused readings that are told one by one."""
HIGHEST = 1e15
_TIMES = {"time", "at", "timestamp", "时间"}


@dataclass
class Batch:
    """Readings in columns: the meter's place in ``codes``, microseconds since 1970, value, whether it was estimated."""

    codes: list[str] = field(default_factory=list)
    meter: list[int] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    estimated: list[bool] = field(default_factory=list)
    places: list[str] | None = None
    """Where each reading stood, where that is not its number."""
    refused: list[FieldError] = field(default_factory=list)
    refused_count: int = 0
    _known: dict[str, int] = field(default_factory=dict)

    def index_of(self, code: str) -> int:
        """Return a meter's place in ``codes``."""
        if code not in self._known:
            self._known[code] = len(self.codes)
            self.codes.append(code)
        return self._known[code]

    def add(self, code: str, at: int, value: float, estimated: bool) -> None:
        """Take one reading."""
        if len(self.at) >= MOST_READINGS:
            raise Invalid("reading.too_many", msg("一批最多 {most} 条读数。请分批发送。", most=MOST_READINGS))
        self.meter.append(self.index_of(code))
        self.at.append(at)
        self.values.append(value)
        self.estimated.append(estimated)

    def refuse(self, place: str, code: str, message: Message) -> None:
        """Note a reading that cannot be right."""
        self.refused_count += 1
        if len(self.refused) < MOST_TOLD:
            self.refused.append(FieldError(place, code, message))

    def columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        """Return the columns as arrays."""
        return (
            np.array(self.meter, dtype=np.int64),
            np.array(self.at, dtype=np.int64),
            np.array(self.values, dtype=np.float64),
            np.array(self.estimated, dtype=np.bool_),
        )


def read_json_batch(document: Any) -> Batch:
    """Return a JSON batch: ``{"series": [{"meter": code, "values": [[at, value], [at, value, "estimated"], …]}, …]}``.

    Raises Invalid when the document's shape is another; a wrong reading is noted in the batch.
    """
    found = document.get("series") if isinstance(document, Mapping) else None
    if not isinstance(found, list):
        raise _shape("series", msg("须为对象，其 series 为由 meter 与 values 组成的列表。"))
    batch = Batch()
    for number, series in enumerate(found):
        where = f"series[{number}]"
        code = series.get("meter") if isinstance(series, Mapping) else None
        values = series.get("values") if isinstance(series, Mapping) else None
        if not isinstance(code, str) or not isinstance(values, list) or not 0 < len(code) <= 64:
            raise _shape(where, msg("每个序列须有 meter（仪表编号）与 values（读数列表）。"))
        _take_values(batch, code, values, f"{where}.values")
    return batch


def read_mqtt_batch(document: Any) -> Batch:
    """Return what a broker's webhook sends: a message ``{"topic", "payload", "timestamp"?}`` or a list of them.

    The last level of the topic is the meter's code. The payload (JSON, as text, base64 or value) is a number,
    ``{"value", "at"?, "estimated"?}`` or a list of such; without ``at`` the message's ``timestamp`` (ms) is the stamp.
    """
    messages = document if isinstance(document, list) else [document]
    batch = Batch()
    for number, message in enumerate(messages):
        where = f"[{number}]"
        topic = message.get("topic") if isinstance(message, Mapping) else None
        code = topic.rstrip("/").rpartition("/")[2] if isinstance(topic, str) else ""
        if not isinstance(message, Mapping) or not 0 < len(code) <= 64 or "payload" not in message:
            batch.refuse(where, "reading.message", msg("每条消息须有 topic（末级为仪表编号）与 payload。"))
            continue
        payload = _payload(message["payload"])
        for place, item in enumerate(payload if isinstance(payload, list) else [payload]):
            _take_message(batch, code, item, message.get("timestamp"), f"{where}.payload[{place}]")
    return batch


def read_csv_batch(content: bytes, *, meter: str | None = None) -> Batch:
    """Return a CSV file: ``meter,time,value``, or ``time`` and a column for each meter's code.

    With ``meter`` a file ``time,value`` is that meter's. Empty cells are missing readings and are left out.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _shape("file", msg("文件不是 UTF-8 文本。请另存为 UTF-8 CSV。")) from error
    rows = csv.reader(io.StringIO(text, newline=""))
    header = [cell.strip() for cell in next(rows, [])]
    lower = [cell.lower() for cell in header]
    batch = Batch(places=[])
    if lower[:3] == ["meter", "time", "value"] and len(lower) == 3:
        _long_rows(batch, rows)
    elif lower and lower[0] in _TIMES and len(lower) > 1:
        codes = [meter] if meter is not None and len(header) == 2 else header[1:]
        if not all(0 < len(code) <= 64 for code in codes):
            raise _shape("file[1]", msg("首行的仪表编号须为 1 至 64 个字符。"))
        _wide_rows(batch, rows, codes)
    else:
        raise _shape("file[1]", msg("首行须为 meter,time,value，或 time 加各仪表编号。"))
    return batch


def _take_values(batch: Batch, code: str, values: Sequence[Any], where: str) -> None:
    """Take a meter's readings; the quick way for those that are as they should be."""
    if len(batch.at) + len(values) > MOST_READINGS:
        raise Invalid("reading.too_many", msg("一批最多 {most} 条读数。请分批发送。", most=MOST_READINGS))
    index = batch.index_of(code)
    meters, stamps, numbers, marks = batch.meter, batch.at, batch.values, batch.estimated
    for number, item in enumerate(values):
        try:
            stamp, value, *mark = item
            micros = _micros(stamp)
            good = value.__class__ in _NUMBERS and -HIGHEST <= value <= HIGHEST and mark in _MARKS
        except (ValueError, TypeError, OverflowError):
            batch.refuse(f"{where}[{number}]", "reading.invalid", _WANTED)
            continue
        if not good:
            batch.refuse(f"{where}[{number}]", "reading.invalid", _WANTED)
            continue
        meters.append(index)
        stamps.append(micros)
        numbers.append(value)
        marks.append(mark == ["estimated"])


_NUMBERS = (float, int)
_MARKS: tuple[list[str], ...] = ([], ["measured"], ["estimated"])
_WANTED = msg("读数须为 [时间, 数值]：时间带时区偏移（或毫秒数），数值为有限的数字；估计值在其后加 estimated。")


def _micros(stamp: Any) -> int:
    """Return a stamp (RFC 3339 with an offset, or milliseconds since 1970) as microseconds; ValueError for another."""
    if stamp.__class__ is str:
        moment = datetime.fromisoformat(stamp)
        if moment.tzinfo is not None:
            return int(moment.timestamp() * 1_000_000)
    elif stamp.__class__ is int and 0 <= stamp < 2**53:
        return int(stamp) * 1000
    raise ValueError(stamp)


def _payload(value: Any) -> Any:
    """Return a message's content: JSON in text, the same in base64, or the value itself."""
    if not isinstance(value, str):
        return value
    for text in (value, None):
        try:
            return json.loads(value if text is not None else base64.b64decode(value, validate=True))
        except ValueError:
            continue
    return None


def _take_message(batch: Batch, code: str, item: Any, timestamp: Any, where: str) -> None:
    given: Mapping[str, Any] = item if isinstance(item, Mapping) else {"value": item}
    value: Any
    value, mark = given.get("value"), given.get("estimated", False)
    wrong = msg("须为数值，或含 value 与 at（带时区偏移，或毫秒数）的对象。")
    try:
        micros = _micros(given.get("at", timestamp))
    except (ValueError, TypeError, OverflowError):
        batch.refuse(where, "reading.invalid", wrong)
        return
    if value.__class__ not in _NUMBERS or not -HIGHEST <= value <= HIGHEST or mark.__class__ is not bool:
        batch.refuse(where, "reading.invalid", wrong)
        return
    batch.add(code, micros, float(value), mark)


def _long_rows(batch: Batch, rows: Iterable[list[str]]) -> None:
    for row, cells in enumerate(rows, start=2):
        if not any(cells):
            continue
        if len(cells) != 3 or not 0 < len(cells[0].strip()) <= 64:
            batch.refuse(f"file[{row}]", "reading.columns", msg("应恰有三列：仪表编号、时间、数值。"))
            continue
        _take_cell(batch, row, cells[0].strip(), cells[1], cells[2])


def _wide_rows(batch: Batch, rows: Iterable[list[str]], codes: Sequence[str]) -> None:
    for row, cells in enumerate(rows, start=2):
        if not any(cells):
            continue
        if len(cells) != len(codes) + 1:
            batch.refuse(f"file[{row}]", "reading.columns", msg("列数与首行不同，请检查该行是否被截断。"))
            continue
        for code, cell in zip(codes, cells[1:], strict=True):
            _take_cell(batch, row, code, cells[0], cell)


def _take_cell(batch: Batch, row: int, code: str, time: str, cell: str) -> None:
    if not cell.strip():
        return
    try:
        moment = datetime.fromisoformat(time.strip())
        moment = moment.replace(tzinfo=CHINA) if moment.tzinfo is None else moment
        micros = int(moment.astimezone(UTC).timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        batch.refuse(f"file[{row}].time", "reading.time", msg("时间应形如 2025-01-01T00:15，请修改。"))
        return
    value = _number(cell)
    if value is None:
        batch.refuse(f"file[{row}].{code}", "reading.number", msg("不是数字，请修改。"))
        return
    batch.add(code, micros, value, False)
    if batch.places is not None:
        batch.places.append(f"file[{row}]")


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if -HIGHEST <= value <= HIGHEST else None


def _shape(place: str, message: Message) -> Invalid:
    return Invalid("reading.shape", message, errors=[FieldError(place, "reading.shape", message)])
