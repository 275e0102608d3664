"""Labels as an A4 PDF, with their bars drawn and not as a font."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.rules.code128 import bars

TEMPLATE = Path(__file__).with_name("sample_labels.typ")


@dataclass(frozen=True)
class Label:
    """What stands on one label; the number as bars too."""

    number: str
    name: str
    material: str
    position: str


def render_labels(labels: Sequence[Label]) -> bytes:
    """Return the pages. Fonts come from a package: no other font of the machine is used."""
    import pylopdf_fonts_zh_cn
    import typst

    rows = []
    for each in labels:
        drawn, modules = bars(each.number)
        rows.append({**vars(each), "bars": drawn, "modules": modules})
    fonts = Path(str(pylopdf_fonts_zh_cn.sans_path())).parent
    compiler = typst.Compiler(
        str(TEMPLATE), root=str(TEMPLATE.parent), font_paths=[str(fonts)], ignore_system_fonts=True
    )
    pdf = compiler.compile(format="pdf", sys_inputs={"data": json.dumps({"labels": rows}, ensure_ascii=False)})
    assert isinstance(pdf, bytes)  # noqa: S101 - one document, no output file: typst answers with its bytes
    return pdf
