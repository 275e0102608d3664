"""Tables that a positioning stands on, as CSV files: who buys from whom (input–output), and what industries need.

Input–output: ``code``, ``name``, ``divisions`` (of GB/T 4754, set apart by ; or 、), then one column for each row's code: what
that sector buys from the row's. Needs: ``division``, figures that may be empty, and ``source``, which may not.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from services.rules.industries import DIVISIONS
from services.rules.positioning.fit import Demand, DemandTable
from services.rules.positioning.linkage import InputOutputTable, Sector
from services.rules.positioning.origin import Origin
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg

MOST_BYTES = 4 << 20
MOST_SECTORS = 300
MOST_ERRORS = 50
FIGURES = ("area_mu", "land_price_yuan_per_mu", "power_kva_per_mu", "electricity_yuan_per_kwh")
_ALIASES = {
    "代码": "code", "部门代码": "code", "名称": "name", "部门名称": "name", "行业大类": "divisions", "大类": "division",
    "行业": "division", "用地（亩）": "area_mu", "地价（元/亩）": "land_price_yuan_per_mu",
    "变压器容量（kVA/亩）": "power_kva_per_mu", "电价（元/kWh）": "electricity_yuan_per_kwh", "来源": "source",
}  # fmt: skip
_BETWEEN = re.compile(r"[\s,，、;；/]+")
_MOST = 10.0**15


@dataclass(frozen=True)
class ReferenceTables:
    """The tables that a positioning stands on; None where there is none."""

    input_output: InputOutputTable | None = None
    demands: DemandTable | None = None


def read_input_output(content: bytes, *, name: str, year: int | None = None, licence: str = "") -> InputOutputTable:
    """Read a table of flows; Invalid ``table.invalid`` names every faulty row (1 is the header) and its column."""
    header, rows = _rows(content, ("code", "name", "divisions"))
    faults = _Faults()
    sectors: list[Sector] = []
    of_division: dict[str, str] = {}
    for number, row in rows:
        sectors.append(_sector(number, row, of_division, faults))
    codes = [sector.code for sector in sectors]
    columns = [column for column in header if column not in {"code", "name", "divisions"}]
    for code in codes:
        if codes.count(code) > 1:
            faults.add(1, "code", msg("部门代码 {code} 出现两次。", code=code))
    if sorted(set(codes)) != sorted(columns):
        odd = "、".join(sorted(set(codes) ^ set(columns))[:10])
        faults.add(1, "code", msg("行与列的部门代码须一一对应，不同的有：{codes}。", codes=odd))
    if len(sectors) > MOST_SECTORS:
        faults.add(1, "code", msg("最多 {most} 行。请拆分。", most=MOST_SECTORS))
    faults.refuse()
    flows = tuple(tuple(_figure(number, row, code, faults) or 0.0 for code in codes) for number, row in rows)
    faults.refuse()
    return InputOutputTable(_origin(content, name, year, licence), tuple(sectors), flows)


def read_demands(content: bytes, *, name: str, year: int | None = None, licence: str = "") -> DemandTable:
    """Read what industries need; Invalid ``table.invalid`` names every faulty row (1 is the header) and its column."""
    _, rows = _rows(content, ("division", "source"))
    faults = _Faults()
    found: dict[str, Demand] = {}
    for number, row in rows:
        division = _text(row, "division")
        if division not in DIVISIONS:
            faults.add(number, "division", msg("没有代码为 {code} 的行业大类。", code=division[:10]))
        if division in found:
            faults.add(number, "division", msg("行业大类 {code} 出现两次。", code=division))
        source = _text(row, "source")
        if not 2 <= len(source) <= 500:
            faults.add(number, "source", msg("每行须写明数据来源（2 至 500 个字符）。"))
        figures = {column: _figure(number, row, column, faults) for column in FIGURES}
        if not any(value is not None for value in figures.values()):
            faults.add(number, FIGURES[0], msg("每行至少填写一项数值。"))
        found[division] = Demand(division, number, source, **figures)
    faults.refuse()
    return DemandTable(_origin(content, name, year, licence), found)


def _origin(content: bytes, name: str, year: int | None, licence: str) -> Origin:
    return Origin(name, year, licence, hashlib.sha256(content).hexdigest())


def _sector(number: int, row: Mapping[str, str | None], of_division: dict[str, str], faults: _Faults) -> Sector:
    code, name = _text(row, "code"), _text(row, "name")
    for column, text, most in (("code", code, 20), ("name", name, 100)):
        if not text or len(text) > most:
            faults.add(number, column, msg("不能为空，也不能过长。"))
    divisions = tuple(part for part in _BETWEEN.split(_text(row, "divisions")) if part)
    for division in divisions:
        if division not in DIVISIONS:
            faults.add(number, "divisions", msg("没有代码为 {code} 的行业大类。", code=division[:10]))
        elif division in of_division:
            faults.add(number, "divisions", msg("行业大类 {code} 出现两次。", code=division))
        of_division[division] = code
    return Sector(code, name, divisions)


class _Faults:
    def __init__(self) -> None:
        self.found: list[FieldError] = []

    def add(self, number: int, column: str, message: Message) -> None:
        self.found.append(FieldError(f"file[{number}].{column}", "table.row", message))
        if len(self.found) >= MOST_ERRORS:
            self.refuse()

    def refuse(self) -> None:
        if self.found:
            raise Invalid(
                "table.invalid", msg("数据表有 {count} 处需要修改。", count=len(self.found)), errors=self.found
            )


def _rows(content: bytes, needed: Sequence[str]) -> tuple[list[str], list[tuple[int, dict[str, str | None]]]]:
    """Return the header's names and the rows with their lines' numbers; empty rows are left out."""
    if len(content) > MOST_BYTES:
        _refuse(msg("文件过大，最大 {most} MiB。", most=MOST_BYTES >> 20))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        _refuse(msg("文件须为 UTF-8 编码的 CSV。"))
    if "\0" in text:
        _refuse(msg("文件须为 UTF-8 编码的 CSV。"))
    try:
        lines = list(_filled(text))
    except csv.Error as problem:
        _refuse(msg("不是有效的 CSV：{why}", why=problem))
    if len(lines) < 2:
        _refuse(msg("文件没有数据行。"))
    header = [_ALIASES.get(cell.strip(), cell.strip()) for cell in lines[0][1]]
    header = ["divisions" if cell == "division" and "divisions" in needed else cell for cell in header]
    header = ["division" if cell == "divisions" and "division" in needed else cell for cell in header]
    missing = [name for name in needed if name not in header]
    if missing or len(set(header)) < len(header):
        _refuse(msg("缺少列或列名重复：{columns}。", columns="、".join(missing or sorted(set(header)))[:200]))
    rows: list[tuple[int, dict[str, str | None]]] = []
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            _refuse(
                msg("第 {row} 行有 {count} 列，应为 {wanted} 列。", row=number, count=len(cells), wanted=len(header))
            )
        rows.append((number, dict(zip(header, cells, strict=True))))
    return header, rows


def _filled(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), start=1):
        if any(cell.strip() for cell in cells):
            yield number, cells


def _figure(number: int, row: Mapping[str, str | None], column: str, faults: _Faults) -> float | None:
    """Return a figure that is not negative, None for an empty cell."""
    text = _text(row, column).replace(",", "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= _MOST:
        faults.add(number, column, msg("应为不小于 0 的数值。"))
        return None
    return value


def _text(row: Mapping[str, str | None], column: str) -> str:
    return (row.get(column) or "").strip()


def _refuse(message: Message) -> NoReturn:
    raise Invalid("table.invalid", message, errors=[FieldError("file", "table.file", message)])
