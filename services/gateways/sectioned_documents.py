"""Documents of headings, sentences and tables, as an A4 PDF and as a workbook with a sheet for each table."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

import xlsxwriter

TEMPLATE = Path(__file__).with_name("sectioned_document.typ")


@dataclass(frozen=True)
class Sheet:
    """A table of the report. ``columns`` are the widths in parts; texts stand in those above one."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    columns: tuple[float, ...]


@dataclass(frozen=True)
class Section:
    """One heading with its sentences and tables."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Sheet, ...] = ()


def render_pdf(title: str, subtitle: str, sections: Sequence[Section]) -> bytes:
    """Return the pages. Fonts come from a package: no other font of the machine is used."""
    import pylopdf_fonts_zh_cn
    import typst

    document = {
        "title": title,
        "subtitle": subtitle,
        "sections": [
            {
                "heading": section.heading,
                "paragraphs": section.paragraphs,
                "tables": [
                    {"header": sheet.header, "rows": sheet.rows, "columns": sheet.columns} for sheet in section.tables
                ],
            }
            for section in sections
        ],
    }
    fonts = Path(str(pylopdf_fonts_zh_cn.sans_path())).parent
    compiler = typst.Compiler(
        str(TEMPLATE), root=str(TEMPLATE.parent), font_paths=[str(fonts)], ignore_system_fonts=True
    )
    pdf = compiler.compile(format="pdf", sys_inputs={"report": json.dumps(document, ensure_ascii=False)})
    assert isinstance(pdf, bytes)  # noqa: S101 - one document, no output file: typst answers with its bytes
    return pdf


def render_workbook(title: str, sections: Sequence[Section], made_on: date) -> bytes:
    """A sheet for each table. Texts stay texts: a name can never become a formula."""
    target = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(target, options)
    book.set_properties({"title": title, "created": datetime.combine(made_on, time())})
    bold = book.add_format({"bold": True, "bg_color": "#E5F0EA"})
    for section in sections:
        for table in section.tables:
            sheet = book.add_worksheet(table.name)
            sheet.freeze_panes(1, 1)
            for place, (name, width) in enumerate(zip(table.header, table.columns, strict=True)):
                sheet.set_column(place, place, max(12, 14 * width))
                sheet.write_string(0, place, name, bold)
            for number, row in enumerate(table.rows, start=1):
                for place, cell in enumerate(row):
                    if table.columns[place] <= 1 and _is_number(cell):
                        sheet.write_number(number, place, float(cell))
                    else:
                        sheet.write_string(number, place, cell)
    book.close()
    return target.getvalue()


def _is_number(cell: str) -> bool:
    return cell.removeprefix("-").replace(".", "", 1).isdecimal()
