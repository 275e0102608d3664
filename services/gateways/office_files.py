"""Slides and letters for Chinese readers: one East Asian typeface throughout, and the same content, the same bytes.

The libraries set the Latin typeface only, leave the East Asian one to the theme (Calibri's fallback differs on every
machine), and stamp the clock into the archive. ``finished`` puts all three right in the package that they wrote.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import Any

from services.gateways.sectioned_documents import Section, Sheet

FONT = "Microsoft YaHei"
"""By its English name, which Windows, macOS with Office, and WPS all resolve; others fall back to their own Hei."""
_DOS_EPOCH = (1980, 1, 1, 0, 0, 0)
_THUMBNAIL = "docProps/thumbnail.jpeg"
_LATIN = re.compile(rb'(<a:latin typeface="[^"]*"[^>]*/>)(?!<a:ea )')
_THEME_FONTS = re.compile(rb'(<a:latin typeface=")[^"]*("[^>]*/>\s*<a:ea typeface=")[^"]*(")')
_WORD_FONTS = re.compile(rb"<w:rFonts[^>]*/>")
_WORD_LANGUAGE = re.compile(rb"<w:lang [^>]*/>")
_THUMBNAIL_LINK = re.compile(rb'<Relationship [^>]*thumbnail\.jpeg"[^>]*/>')


def finished(package: bytes) -> bytes:
    """Return an Office package with its typefaces set, without its template's thumbnail, and with no clock in it."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as source, zipfile.ZipFile(target, "w") as result:
        for entry in source.infolist():
            if entry.filename == _THUMBNAIL:
                continue
            info = zipfile.ZipInfo(entry.filename, _DOS_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            result.writestr(info, _with_typeface(entry.filename, source.read(entry)))
    return target.getvalue()


def _with_typeface(name: str, content: bytes) -> bytes:
    font = FONT.encode()
    if name == "_rels/.rels":
        return _THUMBNAIL_LINK.sub(b"", content)
    if "/theme/" in name and name.endswith(".xml"):
        return _THEME_FONTS.sub(rb"\g<1>" + font + rb"\g<2>" + font + rb"\g<3>", content)
    if name.startswith("ppt/slides/") and name.endswith(".xml"):
        return _LATIN.sub(rb'\g<1><a:ea typeface="' + font + rb'"/>', content)
    if name in {"word/styles.xml", "word/document.xml"}:
        # A theme's typeface would win over a named one: the attributes that point to it go.
        fonts = b'<w:rFonts w:ascii="%b" w:hAnsi="%b" w:eastAsia="%b" w:cs="%b"/>' % ((font,) * 4)
        content = _WORD_FONTS.sub(fonts, content)
        return _WORD_LANGUAGE.sub(b'<w:lang w:val="zh-CN" w:eastAsia="zh-CN" w:bidi="ar-SA"/>', content)
    return content


def date_properties(properties: object, title: str, made_on: date) -> None:
    """Set a document's core properties: its title, and the day of its data as when it was made."""
    at = datetime.combine(made_on, time())
    for name, value in (
        ("title", title), ("author", ""), ("last_modified_by", ""), ("comments", ""), ("keywords", ""),
        ("subject", ""), ("created", at), ("modified", at), ("revision", 1), ("language", "zh-CN"),
    ):  # fmt: skip
        setattr(properties, name, value)


def render_docx(title: str, subtitle: str, sections: Sequence[Section], made_on: date) -> bytes:
    """Return a Word document of headings, paragraphs and tables."""
    import docx
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Cm, Pt

    document = docx.Document()
    date_properties(document.core_properties, title, made_on)
    page = document.sections[0]
    page.page_width, page.page_height = Cm(21), Cm(29.7)
    page.left_margin = page.right_margin = Cm(2.2)
    page.top_margin = page.bottom_margin = Cm(2)
    document.styles["Normal"].font.size = Pt(10.5)
    document.add_heading(title, level=0)
    document.add_paragraph(subtitle).alignment = WD_ALIGN_PARAGRAPH.LEFT
    wide = page.page_width - page.left_margin - page.right_margin
    for section in sections:
        document.add_heading(section.heading, level=1)
        for paragraph in section.paragraphs:
            document.add_paragraph(paragraph)
        for sheet in section.tables:
            _word_table(document, sheet, wide)
    target = io.BytesIO()
    document.save(target)
    return finished(target.getvalue())


def _word_table(document: object, sheet: Sheet, wide: int) -> None:
    from docx.document import Document
    from docx.shared import Pt

    if not isinstance(document, Document):
        raise TypeError(document)
    table = document.add_table(rows=len(sheet.rows) + 1, cols=len(sheet.header), style="Light Grid Accent 1")
    table.autofit = False
    parts = sum(sheet.columns)
    widths = [int(wide * part / parts) for part in sheet.columns]
    # A table's cells are found again for every one that is asked for by place: rows are taken one after the other.
    for row, texts in zip(table.rows, (sheet.header, *sheet.rows), strict=True):
        for cell, text, width in zip(row.cells, texts, widths, strict=True):
            cell.width = width
            run = cell.paragraphs[0].add_run(text)
            run.font.size = Pt(8)


class Deck:
    """Slides of 16:9, each with a title; texts are set in the East Asian typeface when the deck is saved."""

    def __init__(self, title: str, made_on: date) -> None:
        from pptx import Presentation
        from pptx.util import Inches

        self._deck = Presentation()
        self._deck.slide_width, self._deck.slide_height = Inches(13.333), Inches(7.5)
        date_properties(self._deck.core_properties, title, made_on)

    def cover(self, title: str, lines: Iterable[str]) -> None:
        """Add the first slide."""
        from pptx.util import Inches

        slide = self._slide(title, Inches(2.3), size=40)
        self._text(slide, lines, Inches(3.9), size=20)

    def texts(self, title: str, paragraphs: Iterable[str], *, size: int = 16) -> None:
        """Add a slide of paragraphs."""
        from pptx.util import Inches

        self._text(self._slide(title, Inches(0.4)), paragraphs, Inches(1.4), size=size)

    def table(self, title: str, sheet: Sheet, *, size: int = 11) -> None:
        """Add a slide with a table that fits on it; ``pages`` parts longer ones."""
        from pptx.dml.color import RGBColor
        from pptx.util import Inches

        slide = self._slide(title, Inches(0.4))
        shape = slide.shapes.add_table(
            len(sheet.rows) + 1, len(sheet.header), Inches(0.6), Inches(1.35), Inches(12.1), Inches(0.3)
        )
        parts = sum(sheet.columns)
        for column, part in zip(shape.table.columns, sheet.columns, strict=True):
            column.width = int(Inches(12.1) * part / parts)
        for number, (row, texts) in enumerate(zip(shape.table.rows, (sheet.header, *sheet.rows), strict=True)):
            row.height = Inches(0.3)
            for cell, text in zip(row.cells, texts, strict=True):
                cell.margin_top = cell.margin_bottom = Inches(0.03)
                if not number:
                    cell.fill.solid()
                    cell.fill.fore_color.rgb = RGBColor.from_string("1F4E79")  # type: ignore[no-untyped-call]
                self._run(cell.text_frame.paragraphs[0], text, size, bold=not number, light=not number)

    def content(self) -> bytes:
        """Return the file."""
        target = io.BytesIO()
        self._deck.save(target)
        return finished(target.getvalue())

    def _slide(self, title: str, top: int, size: int = 26) -> Any:
        from pptx.enum.text import PP_ALIGN
        from pptx.util import Inches

        slide = self._deck.slides.add_slide(self._deck.slide_layouts[5])
        place = slide.shapes.title
        place.left, place.top, place.width, place.height = Inches(0.6), top, Inches(12.1), Inches(0.9)
        place.text_frame.word_wrap = True
        place.text_frame.paragraphs[0].alignment = PP_ALIGN.LEFT
        self._run(place.text_frame.paragraphs[0], title, size, bold=True)
        return slide

    def _text(self, slide: Any, paragraphs: Iterable[str], top: int, *, size: int) -> None:
        from pptx.util import Inches, Pt

        frame = slide.shapes.add_textbox(Inches(0.6), top, Inches(12.1), Inches(7.2) - top).text_frame
        frame.word_wrap = True
        for number, text in enumerate(paragraphs):
            paragraph = frame.add_paragraph() if number else frame.paragraphs[0]
            paragraph.space_after = Pt(size * 0.6)
            self._run(paragraph, text, size)

    @staticmethod
    def _run(paragraph: Any, text: str, size: int, *, bold: bool = False, light: bool = False) -> None:
        from pptx.dml.color import RGBColor
        from pptx.enum.lang import MSO_LANGUAGE_ID
        from pptx.util import Pt

        run = paragraph.add_run()
        run.text = text
        run.font.name, run.font.size, run.font.bold = FONT, Pt(size), bold
        run.font.language_id = MSO_LANGUAGE_ID.SIMPLIFIED_CHINESE
        run.font.color.rgb = RGBColor.from_string(  # type: ignore[no-untyped-call]
            "FFFFFF" if light else "1D2433"
        )


def pages(sheet: Sheet, lines: int, characters: int) -> list[Sheet]:
    """Return a table in parts of about ``lines`` lines, where the widest line of a slide has ``characters``."""
    parts: list[list[tuple[str, ...]]] = [[]]
    used = 0
    whole = sum(sheet.columns)
    for row in sheet.rows:
        need = max(
            1, *(-(-len(text) // max(1, int(characters * part / whole))) for text, part in zip(row, sheet.columns, strict=True))
        )  # fmt: skip
        if parts[-1] and used + need > lines:
            parts.append([])
            used = 0
        parts[-1].append(row)
        used += need
    return [Sheet(sheet.name, sheet.header, tuple(rows), sheet.columns) for rows in parts if rows]
