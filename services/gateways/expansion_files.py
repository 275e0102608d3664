"""Files of expansions, CSV or XLSX: who expanded where and when, for ranking by what companies have done.

A row that cannot be right is set aside with the reason, like a registry's, and the file goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from services.gateways.company_files import MOST_SHOWN, RawRow, Refused, cell_text, is_no_code, open_table
from services.rules.company_cells import day_in, region_in, uscc_in
from services.rules.expansions import Expansion
from services.rules.personal_data import REMOVED, without_persons
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg

ALIASES = {
    "uscc": ("uscc", "credit_code", "统一社会信用代码", "社会信用代码", "信用代码"),
    "name": ("name", "company", "company_name", "企业名称", "公司名称", "名称", "单位名称"),
    "region": (
        "region_code", "region", "to_region", "to_region_code", "destination", "city", "city_code", "to_city",
        "扩张地区代码", "扩张地区", "行政区划", "目的地区", "目的城市", "目的地", "投资地区", "投资城市", "地区代码", "地区", "城市",
    ),
    "on": ("date", "on", "event_date", "expanded_on", "日期", "扩张日期", "投资日期", "发生日期", "成立日期", "时间"),
}  # fmt: skip
"""What a column is called, per field; the first that is there counts."""
HEADER = ("uscc", "name", "region_code", "date")
"""The columns under which expansions are handed to an engine."""


@dataclass(frozen=True)
class ExpansionFile:
    """The expansions of a file, in order and each once. ``reasons`` counts refused rows; ``refused`` are the first hundred."""

    expansions: tuple[Expansion, ...]
    refused: tuple[Refused, ...]
    reasons: Counter[str]


def read_expansion_file(path: Path) -> ExpansionFile:
    """Return the expansions of a file.

    Raises Invalid ``expansions.no_header`` without columns of the company (code or name), the region and the date.
    """
    found: set[Expansion] = set()
    refused: list[Refused] = []
    reasons: Counter[str] = Counter()
    for raw in expansion_rows(path):
        try:
            found.add(read_expansion(raw))
        except ValueError as error:
            reasons[str(error)] += 1
            if len(refused) < MOST_SHOWN:
                refused.append(Refused(raw.number, str(error)))
    return ExpansionFile(tuple(sorted(found)), tuple(refused), reasons)


def expansion_rows(path: Path) -> Iterator[RawRow]:
    """Yield the rows of a file that are not empty, only the cells of known columns; Invalid as above."""
    table = open_table(path)
    header = [cell_text(cell).lstrip("\ufeff") for cell in next(table, ())]
    columns = {
        name: header.index(next(alias for alias in aliases if alias in header))
        for name, aliases in ALIASES.items()
        if any(alias in header for alias in aliases)
    }
    missing = [ALIASES[name][-1] for name in ("region", "on") if name not in columns]
    if "uscc" not in columns and "name" not in columns:
        missing.insert(0, "统一社会信用代码")
    if missing:
        raise Invalid(
            "expansions.no_header",
            msg("扩张事件文件缺少列：{missing}。首行须为列名，请补上后重试。", missing="、".join(missing)),
        )
    for number, cells in enumerate(table, start=2):
        values = {name: cell_text(cells[at]) if at < len(cells) else "" for name, at in columns.items()}
        if any(values.values()):
            yield RawRow(number, values, slipped=False)


def stripped_expansion_rows(path: Path) -> Iterator[RawRow]:
    """Yield the rows as ``expansion_rows`` does, without what may be a natural person's."""
    for raw in expansion_rows(path):
        code = raw.values.get("uscc", "")
        yield replace(raw, values=without_persons(raw.values, slipped=not code or is_no_code(code)))


def read_expansion(raw: RawRow) -> Expansion:
    """Return the expansion that a row tells of; ValueError with the reason's code when it cannot be right."""
    values = raw.values
    code, name = values.get("uscc", ""), " ".join(values.get("name", "").split())
    if not code and name in {"", REMOVED}:
        raise ValueError("no_company")
    on = day_in(values["on"])
    if on is None:
        raise ValueError("bad_date")
    return Expansion(uscc_in(code) if code else "", "" if code else name, region_in(values["region"]), on)
