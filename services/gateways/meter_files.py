"""Meters' files: ``time,value`` in any order of rows, local or with offsets, each fault named with its row.

Times may be written as meters in China write them: ``2025-01-01T00:15``, ``2025/1/1 0:15``, and ``24:00`` for the end
of a day. In a zone with summer time the hour that comes twice may come twice in the file, in its order.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import BinaryIO
from zoneinfo import ZoneInfo

import numpy as np

from services.gateways.load_files import MAX_ERRORS, Reader, TooManyFaults, numbered_lines
from services.rules.twin.inputs import Floats, Horizon, LoadSeries
from services.rules.twin.meters import (
    Filled,
    MeterSpec,
    Stamp,
    Unit,
    from_intervals,
    from_register,
    to_steps,
)
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg

_TIME = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})[T ]+(\d{1,2}):(\d{2})(?::00)?(Z|[+-]\d{2}:?\d{2})?")
_HIGHEST = 1e12
_HIGHEST_KW = 1e7
_COLUMNS = 2


@dataclass
class _Stamps:
    """Turns local stamps into UTC seconds; the second time that an ambiguous one comes, it is the later instant."""

    zone: ZoneInfo
    seen: set[str] = field(default_factory=set)

    def seconds(self, text: str) -> int | None:
        """Return seconds since the epoch, or None for what is no time; ``ValueError`` for one that never was."""
        match = _TIME.fullmatch(text)
        if match is None:
            return None
        year, month, day, hour, minute = (int(item) for item in match.groups()[:5])
        late = hour == 24 and minute == 0
        naive = datetime(year, month, day, 0 if late else hour, minute) + timedelta(days=late)  # noqa: DTZ001 - local
        if match[6]:
            return int(datetime.fromisoformat(f"{naive.isoformat()}{match[6]}").timestamp())
        local = naive.replace(tzinfo=self.zone)
        second = local.replace(fold=1)
        if local.utcoffset() != second.utcoffset():
            if local.astimezone(UTC).astimezone(self.zone).replace(tzinfo=None) != naive:
                raise ValueError(text)
            key = naive.isoformat()
            local = second if key in self.seen else local
            self.seen.add(key)
        return int(local.timestamp())


def read_meter(stream: BinaryIO, horizon: Horizon, spec: MeterSpec, *, name: str, field_name: str) -> LoadSeries:
    """Read one meter as mean kW per step of ``horizon``; rows outside of it are left out and counted in the notes.

    Raises Invalid with every faulty row and gap below ``field_name``, TooLarge at the size limit.
    """
    reader = Reader(horizon, field_name)
    digest = hashlib.sha256()
    count = horizon.steps * horizon.step_minutes // spec.interval
    values = np.full(count + (spec.unit is Unit.REGISTER), np.nan)
    outside = 0
    with contextlib.suppress(TooManyFaults):
        outside = _rows(reader, numbered_lines(stream, digest), spec, values)
    result = None
    if not reader.errors:
        result = from_register(values, spec) if spec.unit is Unit.REGISTER else from_intervals(values, spec)
        _faults(reader, result, spec)
    if reader.errors or result is None:
        raise Invalid(
            "load.invalid",
            msg("电表文件“{name}”有 {count} 处错误，请按所列行修改后重新上传。", name=name, count=len(reader.errors)),
            errors=reader.errors,
        )
    kw = to_steps(np.maximum(result.kw, 0), spec.interval, horizon.step_minutes)
    return LoadSeries(kw, name, digest.hexdigest(), _notes(spec, result, outside))


def add_meters(meters: Sequence[LoadSeries]) -> LoadSeries:
    """Add meters up; the hash is of all their files' hashes."""
    digest = hashlib.sha256("\n".join(item.sha256 for item in meters).encode()).hexdigest()
    return LoadSeries(
        kw=np.sum([item.kw for item in meters], axis=0),
        source="+".join(item.source for item in meters)[:500],
        sha256=meters[0].sha256 if len(meters) == 1 else digest,
        notes=tuple(note for item in meters for note in item.notes),
    )


def _rows(reader: Reader, lines: Iterator[tuple[int, str]], spec: MeterSpec, values: Floats) -> int:
    """Write each row's value in its place; return how many rows lie outside of the horizon."""
    stamps = _Stamps(ZoneInfo(spec.timezone))
    width = spec.interval * 60
    start = int(reader.horizon.start.timestamp())
    shift = width if spec.stamp is Stamp.END and spec.unit is not Unit.REGISTER else 0
    outside = 0
    for row, line in lines:
        if row == 1:
            _header(reader, line, spec)
            continue
        if not line:
            continue
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != _COLUMNS:
            reader.fault(row, "row", "load.columns", msg("应恰有两列，请检查该行是否被截断。"))
            continue
        second, value = _second(reader, row, cells[0], stamps), _value(reader, row, cells[1], spec)
        if second is None or value is None:
            continue
        place, rest = divmod(second - shift - start, width)
        if rest:
            reader.fault(row, "time", "load.off_grid",
                         msg("该时刻不在 {minutes} 分钟刻度上，请检查 interval_minutes。", minutes=spec.interval))  # fmt: skip
        elif not 0 <= place < len(values):
            outside += 1
        elif not math.isnan(values[place]):
            reader.fault(row, "time", "load.duplicate", msg("该时刻重复出现，请删除多余的一行。"))
        else:
            values[place] = value
    return outside


def _header(reader: Reader, line: str, spec: MeterSpec) -> None:
    cells = [cell.strip().lower() for cell in line.split(",")]
    known = {item.value for item in Unit}
    if len(cells) != _COLUMNS or cells[0] != "time":
        reader.fault(1, "header", "load.header", msg("首行应为 time 和一个数值列，例如 time,kwh。"))
    elif cells[1] in known and cells[1] != spec.unit.value:
        reader.fault(1, "header", "load.unit",
                     msg("文件首行写明 {found}，而 unit 为 {unit}，请改为一致。", found=cells[1], unit=spec.unit.value))  # fmt: skip


def _second(reader: Reader, row: int, text: str, stamps: _Stamps) -> int | None:
    try:
        second = stamps.seconds(text)
    except (ValueError, OverflowError):
        reader.fault(row, "time", "load.no_such_time", msg("当地没有这个时刻（日期不存在，或夏令时跳过），请修改。"))
        return None
    if second is None:
        reader.fault(row, "time", "load.time", msg("时间应形如 2025-01-01T00:15，请修改。"))
    return second


def _value(reader: Reader, row: int, text: str, spec: MeterSpec) -> float | None:
    try:
        value = float(text)
    except ValueError:
        reader.fault(row, "value", "load.number", msg("不是数字，请修改。"))
        return None
    if not math.isfinite(value):
        reader.fault(row, "value", "load.not_finite", msg("不是有限的数字，请修改。"))
        return None
    limit = _HIGHEST if spec.unit is Unit.REGISTER else _HIGHEST_KW
    if not 0 <= value <= limit:
        reader.fault(row, "value", "load.range",
                     msg("负荷应在 0 至 {limit} 之间，请检查计量倍率或方向。", limit=f"{limit:.0f}"))  # fmt: skip
        return None
    return value


def _faults(reader: Reader, found: Filled, spec: MeterSpec) -> None:
    try:
        for gap in found.refused:
            moment = _moment(reader.horizon, spec, gap.first)
            _note(reader, moment, "load.gap",
                  msg("自 {moment} 起缺 {count} 个时段，请补齐，或放宽 missing 与 longest_gap_minutes。",
                      moment=moment, count=gap.count))  # fmt: skip
        for place in found.fell:
            moment = _moment(reader.horizon, spec, place)
            _note(reader, moment, "load.register_fell",
                  msg("{moment} 的表码小于前一次。若电表曾清零或更换，请设 resets 为 true；若翻转，请填写 rollover。",
                      moment=moment))  # fmt: skip
    except TooManyFaults:
        pass


def _note(reader: Reader, moment: str, code: str, message: Message) -> None:
    reader.errors.append(FieldError(f"{reader.field_name}[{moment}]", code, message))
    if len(reader.errors) >= MAX_ERRORS:
        raise TooManyFaults


def _moment(horizon: Horizon, spec: MeterSpec, place: int) -> str:
    second = horizon.start.timestamp() + place * spec.interval * 60
    return datetime.fromtimestamp(second, ZoneInfo(horizon.timezone)).isoformat(timespec="minutes")


def _notes(spec: MeterSpec, found: Filled, outside: int) -> tuple[str, ...]:
    notes = []
    if found.filled:
        count = sum(gap.count for gap in found.filled)
        notes.append(msg("电表 {name}：{gaps} 处缺数共 {count} 个时段已按 {policy} 补齐。",
                         name=spec.name, gaps=len(found.filled), count=count, policy=spec.missing.value))  # fmt: skip
    if found.resets:
        notes.append(msg("电表 {name}：表码 {count} 次清零或翻转，已接续计量。", name=spec.name, count=found.resets))
    if outside:
        notes.append(msg("电表 {name}：{count} 行不在所选时段内，未使用。", name=spec.name, count=outside))
    if not found.kw.max() > 0:
        notes.append(msg("电表 {name}：全部负荷为零。", name=spec.name))
    return tuple(str(note) for note in notes)
