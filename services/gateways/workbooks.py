"""Workbooks (XLSX) from outside, read within limits: what they unpack to, their rows and columns, memory and time.

A workbook is a zip of XML, and its library keeps texts and rows in memory that a few bytes can make out of nothing. So it
is looked at as a package first, and then read by a child process that writes its first sheet down as CSV: whatever a file
does, it does it to the child, whose memory and time have an end.
"""

from __future__ import annotations

import csv
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from services.gateways.packages import check_members, holds_document_type
from services.gateways.sandbox import Limits, Progress, run_limited
from tenants.kernel.errors import FieldError, Invalid, Problem, TooLarge
from tenants.kernel.messages import Message, msg

MOST_BYTES = 256 << 20
"""What all members come to when they are unpacked: about half a million rows of a registry."""
MOST_ROWS = 1_048_576
"""As many as the format has. A file that numbers its rows beyond would be padded with empty ones without end."""
MOST_COLUMNS = 256
"""Columns that are read; what stands beyond them is not, since one cell far out makes a row of that many."""
LIMITS = Limits(cpu_seconds=300, memory_mb=1024, wall_seconds=300.0, file_mb=1024)
_HALVES = "surrogatepass"
"""A workbook may hold halves of characters, which go through the CSV as they are."""
_ENDED = frozenset(("run.memory", "run.cpu_limit", "run.deadline", "run.killed", "run.crashed"))


def workbook_rows(path: Path, limits: Limits = LIMITS) -> Iterator[Sequence[str]]:
    """Yield the rows of a workbook's first sheet as text, whatever its file is called.

    Raises Invalid ``workbook.broken`` for what is none or has a document type, and TooLarge ``workbook.too_large``,
    ``workbook.too_many_rows`` or ``workbook.too_much``, which names the limit.
    """
    _check(path)
    with tempfile.NamedTemporaryFile(suffix=".csv") as target:
        try:
            run_limited(_write_down, path, Path(target.name), limits=limits)
        except Problem as problem:
            if problem.code in _ENDED:
                raise _too_much(limits) from None
            raise
        with Path(target.name).open(encoding="utf-8", errors=_HALVES, newline="") as stream:
            yield from csv.reader(stream)


def _check(path: Path) -> None:
    """Refuse a package that is too large by its directory, and XML that could refer to anything."""
    try:
        with zipfile.ZipFile(path) as package:
            check_members(package, MOST_BYTES)
            declared = any(holds_document_type(package, each) for each in package.infolist())
    except Problem as problem:
        raise _of_file(problem) from None
    except (
        zipfile.BadZipFile,
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
    ):  # damaged, locked or packed in an unknown way
        raise _broken() from None
    if declared:
        raise _broken()


def _write_down(source: Path, target: Path, *, progress: Progress) -> None:
    """Write a workbook's first sheet as CSV. Runs in a child process."""
    from openpyxl import load_workbook

    from services.gateways.company_files import cell_text

    progress("read", 0.0)
    with source.open("rb") as stream, target.open("w", encoding="utf-8", errors=_HALVES, newline="") as kept:
        writer = csv.writer(kept)
        try:
            sheet = load_workbook(stream, read_only=True, data_only=True).worksheets[0]
            columns = min(sheet.max_column or MOST_COLUMNS, MOST_COLUMNS)
            # One row more than may be: then a file that goes on is known from one that ends there.
            rows = sheet.iter_rows(values_only=True, max_col=columns, max_row=MOST_ROWS + 1)
            writer.writerows(_trimmed([cell_text(cell) for cell in cells]) for cells in _bounded(rows))
        except (Problem, MemoryError, OSError):  # of these the last: there is more to write than may be
            raise
        except Exception as error:  # the library raises what its parsers raise
            raise _broken() from error


def _bounded(rows: Iterable[Sequence[object]]) -> Iterator[Sequence[object]]:
    for number, cells in enumerate(rows, start=1):
        if number > MOST_ROWS:
            message = msg("工作簿至多 {most} 行。请拆分，或另存为 CSV 后重新上传。", most=MOST_ROWS)
            raise _refused("workbook.too_many_rows", message)
        yield cells


def _trimmed(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _of_file(problem: Problem) -> Problem:
    if problem.code == "package.too_large":
        return _refused(
            "workbook.too_large",
            msg("工作簿解压后不能超过 {most} MiB。请拆分，或另存为 CSV 后重新上传。", most=MOST_BYTES >> 20),
        )
    return problem


def _too_much(limits: Limits) -> Problem:
    return _refused(
        "workbook.too_much",
        msg(
            "读取工作簿超过 {memory} MiB 内存或 {seconds} 秒的限制。请拆分，或另存为 CSV 后重新上传。",
            memory=limits.memory_mb, seconds=f"{limits.wall_seconds:g}",
        ),
    )  # fmt: skip


def _refused(code: str, message: Message) -> TooLarge:
    return TooLarge(code, message, errors=[FieldError("file", code, message)])


def _broken() -> Invalid:
    message = msg("不是有效的 XLSX 工作簿，或含有文档类型声明。请重新导出，或另存为 CSV 后上传。")
    return Invalid("workbook.broken", message, errors=[FieldError("file", "workbook.broken", message)])
