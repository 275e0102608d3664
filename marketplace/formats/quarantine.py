"""Rows that an import set aside, as a CSV file that may be mended and imported again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from itertools import chain
from typing import IO

from marketplace.formats.tables import quoted
from services.rules.company_imports import REASONS
from services.usecases.company_imports import RefusedRow

ABOUT = ("行号", "原因代码", "原因")
TITLES = {
    "name": "企业名称", "uscc": "统一社会信用代码", "region": "行政区划", "industry": "行业代码", "founded_on": "成立日期",
    "capital": "注册资本", "capital_fen": "capital_fen", "status": "经营状态", "scope": "经营范围", "switchboard": "总机",
    "expansions": "异地扩张次数", "as_of": "数据日期", "on": "日期",
}  # fmt: skip
"""What a field's column is called, as the reader knows it too."""


def write_quarantine(rows: Iterable[RefusedRow], target: IO[bytes]) -> None:
    """Write ``rows`` as CSV (UTF-8 with its mark), one by one; the columns are those of the file that was imported."""
    waiting = iter(rows)
    first = next(waiting, None)
    stream = io.TextIOWrapper(target, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(stream)
    fields = [] if first is None else list(first.cells)
    writer.writerow([*ABOUT, *(TITLES[field] for field in fields)])
    for row in () if first is None else chain((first,), waiting):
        reason = REASONS.get(row.reason)
        told = (row.row, row.reason, row.reason if reason is None else str(reason))
        writer.writerow([*told, *(_cell(row.cells.get(field, "")) for field in fields)])
    stream.detach()


def _cell(text: str) -> object:
    return quoted(text) if text.strip("-") else ""
