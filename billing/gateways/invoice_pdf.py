"""An invoice's values set as a PDF page by typst, with fonts from a package: no other font of the machine is used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("invoice.typ")


class InvoicePrinter:
    """Sets one invoice after another; the fonts are read once. For one thread."""

    def __init__(self) -> None:
        import pylopdf_fonts_zh_cn
        import typst

        fonts = Path(str(pylopdf_fonts_zh_cn.sans_path())).parent
        self._compiler = typst.Compiler(
            str(TEMPLATE), root=str(TEMPLATE.parent), font_paths=[str(fonts)], ignore_system_fonts=True
        )

    def render(self, document: Mapping[str, Any]) -> bytes:
        """Return the PDF of an invoice; the same values give the same bytes."""
        inputs = {"invoice": json.dumps(document, ensure_ascii=False)}
        pdf = self._compiler.compile(format="pdf", sys_inputs=inputs)
        assert isinstance(pdf, bytes)  # noqa: S101 - one document, no output file: typst answers with its bytes
        return pdf


def render_invoice(document: Mapping[str, Any]) -> bytes:
    """Return the PDF of one invoice."""
    return InvoicePrinter().render(document)
