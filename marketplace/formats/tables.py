"""Tables as files for spreadsheets: CSV and XLSX. Texts stay texts: a name can never become a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import xlsxwriter

Cell = str | int | float | Decimal | None
_RISKY = ("=", "+", "-", "@", "\t", "\r")
CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

MOST_OF_A_SHEETS_NAME = 31


@dataclass(frozen=True)
class Table:
    """A title, the names of the columns, and rows of as many cells. Money is in yuan, as ``Decimal``."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def csv_file(table: Table) -> bytes:
    """Return a CSV file, with a mark of its encoding, because spreadsheets guess, and risky beginnings quoted."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow([quoted(name) for name in table.header])
    for row in table.rows:
        writer.writerow([quoted(cell) for cell in row])
    return stream.getvalue().encode("utf-8-sig")


def xlsx_file(table: Table, made_at: datetime) -> bytes:
    """Return a workbook of one sheet. ``made_at`` is the workbook's own date."""
    return xlsx_book((table,), made_at)


def xlsx_book(tables: Sequence[Table], made_at: datetime) -> bytes:
    """Return a workbook with a sheet for each table, named by its title when there are several."""
    target = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(target, options)
    book.set_properties({"title": tables[0].title, "created": made_at.replace(tzinfo=None)})
    bold, money = book.add_format({"bold": True, "bg_color": "#E5F0EA"}), book.add_format({"num_format": "#,##0.00"})
    for table in tables:
        sheet = book.add_worksheet(table.title[:MOST_OF_A_SHEETS_NAME] if len(tables) > 1 else None)
        _fill(sheet, table, bold, money)
    book.close()
    return target.getvalue()


def _fill(sheet: Any, table: Table, bold: Any, money: Any) -> None:
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, max(1, len(table.rows)), len(table.header) - 1)
    for place, name in enumerate(table.header):
        sheet.write_string(0, place, name, bold)
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, max(1, len(table.header) - 1), 16)
    for number, row in enumerate(table.rows, start=1):
        for place, cell in enumerate(row):
            if isinstance(cell, Decimal):
                sheet.write_number(number, place, float(cell), money)
            elif isinstance(cell, int | float):
                sheet.write_number(number, place, cell)
            else:
                sheet.write_string(number, place, cell or "")


def quoted(cell: Cell) -> Cell:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_RISKY) else cell
