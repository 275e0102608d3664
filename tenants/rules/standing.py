"""Entries of the dishonesty list: what one needs, and a list of many as a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import Message, msg
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.rules.uscc import check_uscc

LONGEST_REMARK = 500
MOST_ENTRIES = 5_000
"""Lines of one file."""
MOST_FAULTS = 100
"""Faults after which a file is not read on."""
_COLUMNS = {
    "uscc": "统一社会信用代码",
    "name": "名称",
    "source": "来源",
    "document_no": "文号",
    "valid_from": "起始日",
    "valid_until": "截止日",
}
"""The columns of a file, by their English and their Chinese names; the last one may be left empty."""
_YEARS = range(1990, 2200)


@dataclass(frozen=True)
class BlockEntry:
    """One entry. It counts from its first day until the day before ``valid_until``; for good without one."""

    uscc: str
    name: str
    source: str
    document_no: str
    valid_from: date
    valid_until: date | None


def check_entry(values: Mapping[str, str], path: str = "") -> BlockEntry:
    """Return the entry in texts by field. Raises Invalid with every wrong field, its name after ``path``."""
    until = values.get("valid_until", "").strip()
    with Faults() as faults:
        code = faults.take(f"{path}uscc", check_uscc, values.get("uscc", ""))
        name = faults.take(f"{path}name", check_name, values.get("name", ""))
        source = faults.take(f"{path}source", check_name, values.get("source", ""))
        document_no = faults.take(f"{path}document_no", check_name, values.get("document_no", ""))
        first = faults.take(f"{path}valid_from", _day, values.get("valid_from", ""))
        last = faults.take(f"{path}valid_until", _day, until) if until else None
    if last is not None and last <= first:
        message = msg("截止日须晚于起始日（不含截止日）。请改正其中之一。")
        raise Invalid("credit.days", message, errors=[FieldError(f"{path}valid_until", "credit.days", message)])
    return BlockEntry(code.code, name, source, document_no, first, last)


def check_remark(text: str) -> str:
    """Return a remark, which may be empty; Invalid ``input.too_long`` above 500 characters."""
    if len(text) > LONGEST_REMARK:
        raise Invalid("input.too_long", msg("最多 {most} 个字符。请缩短。", most=LONGEST_REMARK))
    return text.strip()


def check_grounds(text: str) -> str:
    """Return on what grounds something is decided; Invalid ``input.grounds_needed`` without any."""
    if not text.strip():
        raise Invalid("input.grounds_needed", msg("请写明依据，例如文件名称与文号。"))
    return check_remark(text)


def read_list(content: bytes) -> tuple[BlockEntry, ...]:
    """Return the entries of a CSV file (UTF-8 or GB 18030) with a line of column names.

    It is taken in whole or not at all: raises one Invalid with every fault at its line, ``lines[3].uscc``; the line of
    names is line 1.
    """
    found: list[BlockEntry] = []
    errors: list[FieldError] = []
    for number, values in _rows(content):
        try:
            found.append(check_entry(values, f"lines[{number}]."))
        except Invalid as problem:
            errors += problem.errors
        if len(errors) >= MOST_FAULTS:
            break
    if errors:
        raise Invalid(
            "credit.invalid", msg("失信记录有 {count} 处问题。请逐一改正。", count=len(errors)), errors=errors
        )
    if not found:
        raise _unreadable(msg("文件里没有记录。请在列名之后每行填写一条。"))
    return tuple(found)


def _rows(content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """Return the lines with their numbers, each by the English names of its columns."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("gb18030", errors="replace")
    if "\0" in text:
        raise _unreadable(msg("文件不是 CSV 文本。请另存为 CSV 后重新上传。"))
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise _unreadable(msg("文件不是 CSV 文本。请另存为 CSV 后重新上传。")) from error
    names = {title.strip(): name for name, own in _COLUMNS.items() for title in (name, own)}
    head = [names.get(title.strip()) for title in rows[0]] if rows else []
    missing = [own for name, own in _COLUMNS.items() if name not in head]
    if missing:
        raise _unreadable(msg("首行须为列名，缺少：{columns}。请补上这些列。", columns="、".join(missing)))
    if len(rows) > MOST_ENTRIES + 1:
        raise _unreadable(msg("一个文件最多 {most} 条记录。请拆分后分别上传。", most=MOST_ENTRIES))
    for number, row in enumerate(rows[1:], start=2):
        if any(cell.strip() for cell in row):
            yield number, {name: cell for name, cell in zip(head, row, strict=False) if name is not None}


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text.strip().replace("/", "-"))
    except ValueError:
        day = None
    if day is None or day.year not in _YEARS:
        raise Invalid("field.date", msg("须为 YYYY-MM-DD 格式的日期。请改正。"))
    return day


def _unreadable(message: Message) -> Invalid:
    return Invalid("credit.file", message, errors=[FieldError("file", "credit.file", message)])
