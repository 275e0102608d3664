"""A credit note's values set as a red-letter PDF page by typst, with the fonts that invoices have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("credit_note.typ")


def render_credit_note(document: Mapping[str, Any]) -> bytes:
    """Return the PDF of a credit note; the same values give the same bytes."""
    import pylopdf_fonts_zh_cn
    import typst

    fonts = Path(str(pylopdf_fonts_zh_cn.sans_path())).parent
    pdf = typst.compile(
        str(TEMPLATE),
        root=str(TEMPLATE.parent),
        font_paths=[str(fonts)],
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"note": json.dumps(document, ensure_ascii=False)},
    )
    assert isinstance(pdf, bytes)  # noqa: S101 - one document, no output file: typst answers with its bytes
    return pdf
