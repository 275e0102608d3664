"""An issuing request as files: a workbook of two sheets as the tax bureau's template has them, or one flat CSV."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from billing.usecases.e_invoices import RequestSheets
from marketplace.formats.tables import Cell, Table, csv_file, xlsx_book

INVOICES = "1-发票基本信息"
LINES = "2-发票明细信息"


def request_book(sheets: RequestSheets, made_at: datetime) -> bytes:
    """Return the request as XLSX."""
    tables = (
        Table(INVOICES, sheets.invoice_header, sheets.invoice_rows),
        Table(LINES, sheets.line_header, sheets.line_rows),
    )
    return xlsx_book(tables, made_at)


def request_csv(sheets: RequestSheets) -> bytes:
    """Return the request as CSV: a row for each line, with its invoice's columns before those that only lines have."""
    own = [place for place, name in enumerate(sheets.line_header) if name not in sheets.invoice_header]
    header = [*sheets.invoice_header, *(sheets.line_header[place] for place in own)]
    return csv_file(Table(INVOICES, header, list(_flat(sheets, own))))


def _flat(sheets: RequestSheets, own: list[int]) -> Iterator[list[Cell]]:
    lines = iter(sheets.line_rows)
    for invoice, count in zip(sheets.invoice_rows, sheets.lines_of, strict=True):
        for _ in range(count):
            line = next(lines)
            yield [*invoice, *(line[place] for place in own)]
