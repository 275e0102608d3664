"""A load as a CSV file: ``time,kw`` (or ``time,kwh``), one row per step, stamped with the start of the step.

Read line by line in bounded memory; every fault is named with its row, and nothing is filled in by guessing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO
from zoneinfo import ZoneInfo

import numpy as np

from services.rules.twin.inputs import Floats, Horizon, LoadSeries
from tenants.kernel.errors import FieldError, Invalid, TooLarge
from tenants.kernel.messages import Message, msg

MAX_BYTES = 16 * 1024 * 1024
MAX_LINE = 200
MAX_ERRORS = 50
_HIGHEST_KW = 1e7
_UNITS = ("kw", "kwh")


class TooManyFaults(Exception):  # noqa: N818 - ends reading early, never leaves the readers
    """There are already as many faults as will be told."""


@dataclass
class Reader:
    """What is wrong with a file so far, by row and column below ``field_name``."""

    horizon: Horizon
    field_name: str
    errors: list[FieldError] = field(default_factory=list)

    def fault(self, row: int, column: str, code: str, message: Message) -> None:
        """Note a fault of a row (counted from 1, the header included)."""
        self.errors.append(FieldError(f"{self.field_name}[{row}].{column}", code, message))
        if len(self.errors) >= MAX_ERRORS:
            raise TooManyFaults


def read_load_csv(stream: BinaryIO, horizon: Horizon, *, name: str = "load.csv") -> LoadSeries:
    """Read exactly the steps of ``horizon``; Invalid lists rows and columns, TooLarge stops at the size limit.

    Stamps without an offset are local to the horizon's zone.
    """
    reader = Reader(horizon, name)
    values = np.full(horizon.steps, np.nan)
    digest = hashlib.sha256()
    lines = numbered_lines(stream, digest)
    try:
        scale = _header(reader, next(lines, (1, "")))
        for row, line in lines:
            _row(reader, values, scale, row, line)
        _gaps(reader, values)
    except TooManyFaults:
        pass
    if reader.errors:
        raise Invalid(
            "load.invalid",
            msg("负荷文件“{name}”有 {count} 处错误，请按所列行修改后重新上传。", name=name, count=len(reader.errors)),
            errors=reader.errors,
        )
    notes = () if values.max() > 0 else (str(msg("全部负荷为零。")),)
    return LoadSeries(values, name, digest.hexdigest(), notes)


def series_from_values(values: Floats, horizon: Horizon, *, name: str, field_name: str) -> LoadSeries:
    """Take values that are already numbers; their count must be that of the steps."""
    if len(values) != horizon.steps:
        wrong = msg("应有 {steps} 个值，实有 {count} 个。", steps=horizon.steps, count=len(values))
        raise Invalid("load.length", wrong, errors=[FieldError(field_name, "load.length", wrong)])
    return LoadSeries(values, name, hashlib.sha256(values.astype("<f8").tobytes()).hexdigest())


def numbered_lines(stream: BinaryIO, digest: hashlib._Hash) -> Iterator[tuple[int, str]]:
    """Yield numbered lines; a line or a file that is too long is refused before it is held in memory."""
    row, size = 0, 0
    while line := stream.readline(MAX_LINE + 1):
        row, size = row + 1, size + len(line)
        digest.update(line)
        if size > MAX_BYTES:
            raise TooLarge(
                "load.too_large", msg("负荷文件超过 {limit} MB，请只保留时间与功率两列。", limit=MAX_BYTES >> 20)
            )
        if len(line) > MAX_LINE:
            raise Invalid("load.malformed", msg("负荷文件第 {row} 行过长，请确认它是文本 CSV。", row=row))
        try:
            yield row, line.decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise Invalid(
                "load.malformed", msg("负荷文件第 {row} 行不是 UTF-8 文本，请另存为 UTF-8 CSV。", row=row)
            ) from error


def _header(reader: Reader, first: tuple[int, str]) -> float:
    """Return what turns a value into kW."""
    cells = [cell.strip().lower() for cell in first[1].split(",")]
    if len(cells) != len(_UNITS) or cells[0] != "time" or cells[1] not in _UNITS:
        reader.fault(1, "header", "load.header", msg("首行应为 time,kw 或 time,kwh。"))
        raise TooManyFaults
    return 1.0 if cells[1] == "kw" else 1 / reader.horizon.hours


def _row(reader: Reader, values: Floats, scale: float, row: int, line: str) -> None:
    if not line:
        return
    cells = line.split(",")
    if len(cells) != len(_UNITS):
        reader.fault(row, "row", "load.columns", msg("应恰有两列，请检查该行是否被截断。"))
        return
    step = _step(reader, row, cells[0].strip())
    value = _value(reader, row, cells[1])
    if step is None or value is None:
        return
    if not math.isnan(values[step]):
        reader.fault(row, "time", "load.duplicate", msg("该时刻重复出现，请删除多余的一行。"))
        return
    values[step] = value * scale


def _step(reader: Reader, row: int, text: str) -> int | None:
    horizon = reader.horizon
    try:
        stamp = datetime.fromisoformat(text)
        if stamp.tzinfo is None:
            stamp = stamp.replace(tzinfo=ZoneInfo(horizon.timezone))
        seconds = (stamp.astimezone(UTC) - horizon.start).total_seconds()
    except (ValueError, OverflowError):
        reader.fault(row, "time", "load.time", msg("时间应形如 2025-01-01T00:15，请修改。"))
        return None
    step, rest = divmod(seconds, horizon.step_minutes * 60)
    if rest or not 0 <= step < horizon.steps:
        reader.fault(
            row,
            "time",
            "load.off_grid",
            msg("该时刻不在所选时段的 {minutes} 分钟刻度上。", minutes=horizon.step_minutes),
        )
        return None
    return int(step)


def _value(reader: Reader, row: int, text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        reader.fault(row, "value", "load.number", msg("不是数字，请修改。"))
        return None
    if not math.isfinite(value):
        reader.fault(row, "value", "load.not_finite", msg("不是有限的数字，请修改。"))
        return None
    if not 0 <= value <= _HIGHEST_KW:
        reader.fault(
            row,
            "value",
            "load.range",
            msg("负荷应在 0 至 {limit} 之间，请检查计量倍率或方向。", limit=int(_HIGHEST_KW)),
        )
        return None
    return value


def _gaps(reader: Reader, values: Floats) -> None:
    """Name each run of missing steps by its first moment."""
    missing = np.isnan(values)
    if missing.any() and not reader.errors:
        starts = np.flatnonzero(missing & ~np.concatenate([[False], missing[:-1]]))
        ends = np.flatnonzero(missing & ~np.concatenate([missing[1:], [False]]))
        zone = ZoneInfo(reader.horizon.timezone)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            seconds = reader.horizon.start.timestamp() + start * reader.horizon.step_minutes * 60
            moment = datetime.fromtimestamp(seconds, zone).isoformat(timespec="minutes")
            found = FieldError(
                f"{reader.field_name}[{moment}]", "load.gap",
                msg("自 {moment} 起缺 {count} 个时段，请补齐。", moment=moment, count=end - start + 1),
            )  # fmt: skip
            reader.errors.append(found)
            if len(reader.errors) >= MAX_ERRORS:
                raise TooManyFaults
