"""Company registries as files: CSV (UTF-8 or GB 18030) or XLSX, with the headers that Chinese registries export.

Rows are read one by one. A row that cannot be right is set aside with the reason, never repaired by guessing. Columns
about natural persons are not read at all.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TextIO

from services.gateways.workbooks import workbook_rows
from services.rules.companies import Company
from services.rules.company_cells import (
    capital_in,
    count_in,
    day_in,
    fen_in,
    has_inner_digit,
    industry_in,
    is_active,
    name_in,
    region_in,
    region_of_parts,
    uscc_in,
)
from services.rules.personal_data import REMOVED, TITLES, free_text, is_slipped, place, without_persons
from services.rules.switchboards import switchboard_in
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg

ALIASES = {
    "name": ("name", "企业名称", "公司名称", "名称", "单位名称", "机构名称", "主体名称", "企业(机构)名称", "company_name"),
    "uscc": ("uscc", "统一社会信用代码", "社会信用代码", "信用代码", "统一信用代码", "统一社会信用代码/注册号", "credit_code"),
    "region": ("region_code", "region", "所属地区", "行政区划代码", "行政区划", "登记地区", "所属区县", "所属城市", "城市", "地区"),
    "province": ("province", "所属省份", "所在省份", "省份", "省"),
    "city": ("city", "所属城市", "所在城市", "所属地市", "城市", "地市", "市"),
    "county": ("county", "所属区县", "所在区县", "区县", "区/县"),
    "industry": (
        "industry_code", "industry", "行业代码", "国标行业代码", "国民经济行业代码", "国标行业小类", "国标行业中类", "国标行业大类",
        "所属行业", "行业", "所属国民经济行业",
    ),
    "founded_on": ("founded_on", "成立日期", "注册日期", "成立时间", "注册时间"),
    "capital": ("capital", "注册资本", "注册资金", "注册资本(金)"),
    "capital_wan": ("注册资本(万元)", "注册资金(万元)", "注册资本(万元人民币)", "注册资本(万)", "注册资本万元"),
    "capital_fen": ("capital_fen",),
    "status": ("status", "经营状态", "登记状态", "企业状态", "营业状态", "经营状况"),
    "scope": ("scope", "经营范围", "主营业务", "经营(业务)范围"),
    "switchboard": (
        "switchboard", "总机", "总机电话", "总机号码", "企业总机", "公司总机", "固定电话", "固话", "座机", "座机号码", "公司电话", "企业电话",
        "单位电话", "联系电话", "电话", "电话号码", "400电话", "800电话", "客服电话", "服务热线", "客服热线", "company_phone",
    ),
    "expansions": ("expansions", "异地扩张次数", "异地投资次数", "异地分支机构数", "prior_expansions"),
    "as_of": ("as_of", "数据日期", "更新日期", "数据截至", "数据截止日期", "更新时间"),
}  # fmt: skip
"""What a column is called, per field, after NFKC and without blanks. Columns of other names are not read, those of people
above all. Of telephones all columns are read, in this order; only an organisation's number is kept."""
REQUIRED = ("name", "uscc", "region")
FIELDS = ("name", "uscc", "region", "industry", "founded_on", "capital", "capital_fen", "status", "scope", "switchboard",
          "expansions", "as_of")  # fmt: skip
"""What a row may say, in the order in which files are given back."""
HEADER_WITHIN = 10
"""Rows in which the headings must come: exports put a title and a note above them."""
ENCODINGS = ("utf-8-sig", "gb18030")
MOST_SHOWN = 100
LONGEST_SCOPE = 8000
EARLIEST = date(1840, 1, 1)
_PLAIN_NUMBER = re.compile(r"[0-9][0-9,]*(?:\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True)
class Refused:
    """A row set aside: its number in the file (from 1) and why, as a stable code."""

    row: int
    reason: str


@dataclass(frozen=True)
class RawRow:
    """A row's number in its file, its cells by field, and whether they have slipped under other headings."""

    number: int
    values: Mapping[str, str]
    slipped: bool


@dataclass
class CompanyFile:
    """A registry being read. After ``rows`` is exhausted, the other fields tell what was left out.

    ``reasons`` counts refused rows by reason, ``warned`` kept rows by warning; ``refused`` keeps the first hundred.
    """

    table: Iterator[Sequence[object]]
    default_as_of: date
    refused: list[Refused] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    warned: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    dropped: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[Company]:
        """Yield the companies.

        Raises Invalid when the file has no header with name, credit code and region.
        """
        for raw in self.raw_rows():
            try:
                company, warnings = read_company(raw, self.default_as_of)
            except ValueError as error:
                self._refuse(raw.number, str(error))
                continue
            self.accepted += 1
            if warnings:
                self.warned.update(warnings)
            yield company

    def raw_rows(self) -> Iterator[RawRow]:
        """Yield the rows that are not empty, only the cells of known columns; Invalid as for ``rows``."""
        start, header = self._header()
        columns = self._columns(header)
        region_parts = _parts_of(columns)
        width, own = len(header), [(name, at) for name, at in columns.items() if name in FIELDS]
        wan = columns.get("capital_wan")
        phones = _phones(header)
        for number, cells in enumerate(self.table, start=start + 1):
            here = len(cells)
            values = {name: cell_text(cells[at]) if at < here else "" for name, at in own}
            if region_parts:
                values["region"] = _region_text(
                    *(cell_text(cells[at]) if 0 <= at < here else "" for at in region_parts)
                )
            if wan is not None:
                values["capital"] = _in_wan(cell_text(cells[wan]) if wan < here else "")
            if len(phones) > 1:
                values["switchboard"] = ";".join(filter(None, (cell_text(cells[at]) for at in phones if at < here)))
            if not any(values.values()):
                continue
            beyond = here > width and any(cell_text(cell) for cell in cells[width:])
            yield RawRow(number, values, is_slipped(values, cells_beyond=beyond))

    def stripped_rows(self) -> Iterator[RawRow]:
        """Yield the rows as ``raw_rows`` does, without what may be a natural person's."""
        for raw in self.raw_rows():
            values = without_persons(raw.values, slipped=raw.slipped or is_no_code(raw.values["uscc"]))
            yield RawRow(raw.number, values, raw.slipped)

    def _refuse(self, row: int, reason: str) -> None:
        self.reasons[reason] += 1
        if len(self.refused) < MOST_SHOWN:
            self.refused.append(Refused(row, reason))

    def _header(self) -> tuple[int, list[str]]:
        """Return the number of the row of headings, and them; the first row where no row has all that must be there."""
        first: list[str] | None = None
        for number, cells in enumerate(self.table, start=1):
            header = [_heading(cell) for cell in cells]
            first = header if first is None else first
            if not _missing(_found(header)):
                return number, header
            if number == HEADER_WITHIN:
                break
        missing = _missing(_found(first or []))
        raise Invalid(
            "companies.no_header",
            msg("企业名录缺少列：{missing}。首行须为列名，请补上后重新导入。", missing="、".join(missing)),
        )

    def _columns(self, header: list[str]) -> dict[str, int]:
        columns = _found(header)
        taken = {*columns.values(), *_phones(header)}
        self.dropped = tuple(
            title
            for at, title in enumerate(header)
            if at not in taken and any(part in title.lower().replace("_", "") for part in TITLES)
        )
        if "status" not in columns:
            self.warnings.append("no_status")
        if "as_of" not in columns:
            self.warnings.append("no_as_of")
        return columns


def read_company(raw: RawRow, default_as_of: date) -> tuple[Company, tuple[str, ...]]:
    """Return the company of a row and what is odd about it.

    ValueError with the reason's code when it cannot be right. A row that lacks only its code says so last: ``no_code``
    and ``bad_uscc`` mean that all else is well.
    """
    company, warnings, fault = _read(raw, default_as_of)
    if fault:
        raise ValueError(fault)
    return company, warnings


def read_uncoded(raw: RawRow, default_as_of: date) -> Company | None:
    """Return the company of a row that lacks its code and nothing else: whose it is, name and region may tell."""
    try:
        company, _, fault = _read(raw, default_as_of)
    except ValueError:
        return None
    return company if fault == "no_code" else None


def _read(raw: RawRow, default_as_of: date) -> tuple[Company, tuple[str, ...], str]:
    """Return the company of a row, what is odd about it, and what is wrong with its code."""
    values, warnings = raw.values, []
    if raw.slipped:
        raise ValueError("slipped")
    as_of = day_in(values.get("as_of", "")) or default_as_of
    founded_on = day_in(values.get("founded_on", ""))
    if founded_on is not None and founded_on > as_of:
        raise ValueError("founded_in_future")
    if founded_on is not None and founded_on < EARLIEST:
        raise ValueError("bad_date")
    name = name_in(values["name"])
    if name == REMOVED or name.isdecimal():
        raise ValueError("bad_name")
    capital_fen, odd = _capital(values)
    warnings += odd
    phone = switchboard_in(values.get("switchboard", ""))
    if phone.dropped:
        warnings.append("switchboard_dropped")
    code, fault = _code_in(values["uscc"])
    company = Company(
        uscc=code,
        as_of=as_of,
        name=free_text(name),
        region_code=region_in(values["region"]),
        industry_code=industry_in(values.get("industry", "")),
        expansions=count_in(values.get("expansions", "")),
        scope=free_text(values.get("scope", ""))[:LONGEST_SCOPE],
        active=is_active(values["status"]) if "status" in values else True,
        founded_on=founded_on,
        capital_fen=capital_fen,
        switchboard=phone.number,
    )
    if code and not has_inner_digit(code):
        warnings.append("inner_digit")
    return company, tuple(warnings), fault


def _capital(values: Mapping[str, str]) -> tuple[int | None, list[str]]:
    """Return the capital in fen, None where it is unknown, and what is odd about it."""
    if values.get("capital_fen"):
        return fen_in(values["capital_fen"]), []
    capital = capital_in(values.get("capital", ""))
    if capital is None:
        return None, ["capital_unread"]
    return capital.fen, [] if capital.currency in {"", "CNY"} else ["capital_foreign"]


def _code_in(text: str) -> tuple[str, str]:
    """Return the credit code, or what is wrong with it."""
    try:
        return uscc_in(text), ""
    except ValueError as error:
        return "", str(error)


def is_no_code(text: str) -> bool:
    """Tell whether a cell holds anything but a credit code: what stands beside it may then be anybody's."""
    return bool(_code_in(text)[1])


def _heading(cell: object) -> str:
    return "".join(unicodedata.normalize("NFKC", cell_text(cell)).lstrip("\ufeff").split())


def _found(header: list[str]) -> dict[str, int]:
    columns: dict[str, int] = {}
    for name, aliases in ALIASES.items():
        for alias in aliases:
            if alias in header:
                columns[name] = header.index(alias)
                break
    return columns


def _phones(header: list[str]) -> list[int]:
    return [header.index(alias) for alias in ALIASES["switchboard"] if alias in header]


def _missing(columns: dict[str, int]) -> list[str]:
    has = columns.keys() | ({"region"} if columns.keys() & {"province", "city", "county"} else set())
    return [ALIASES[name][1] for name in REQUIRED if name not in has]


def _parts_of(columns: dict[str, int]) -> tuple[int, int, int] | None:
    """Return the columns of province, city and county, -1 for none, where the region stands in several of them."""
    parts = [columns.get(name, -1) for name in ("province", "city", "county")]
    if sum(at >= 0 for at in parts) < 2 and "region" in columns:
        return None
    return None if columns.get("region", -1) not in {-1, *parts} else (parts[0], parts[1], parts[2])


@lru_cache(maxsize=50_000)
def _region_text(province: str, city: str, county: str) -> str:
    try:
        return region_of_parts(province, city, county)
    except ValueError:
        return "".join(place(part) for part in (province, city, county) if part)


def _in_wan(text: str) -> str:
    return f"{text}万元" if _PLAIN_NUMBER.fullmatch(text) else text


def open_company_file(content: bytes, *, default_as_of: date) -> CompanyFile:
    """Return a registry from the bytes of a CSV or XLSX file; Invalid when it is neither."""
    if content[:4] == b"PK\x03\x04":
        return CompanyFile(_sheet(content), default_as_of)
    return CompanyFile(_cells(io.StringIO(_decode(content), newline="")), default_as_of)


def open_company_path(path: Path, *, default_as_of: date) -> CompanyFile:
    """Return a registry from a file, read row by row when it is UTF-8 CSV."""
    return CompanyFile(open_table(path), default_as_of)


def open_table(path: Path) -> Iterator[Sequence[object]]:
    """Return the rows of a CSV or XLSX file, read one by one."""
    with path.open("rb") as stream:
        if stream.read(4) == b"PK\x03\x04":
            return workbook_rows(path)
    return _lines(path, _encoding(path))


def _lines(path: Path, encoding: str) -> Iterator[Sequence[object]]:
    with path.open(encoding=encoding, newline="") as stream:
        yield from _cells(stream)


def _cells(stream: TextIO) -> Iterator[Sequence[object]]:
    try:
        yield from csv.reader(stream)
    except csv.Error as error:
        raise _unreadable() from error


def _encoding(path: Path) -> str:
    for encoding in ENCODINGS:
        try:
            with path.open(encoding=encoding) as stream:
                while stream.read(1 << 20):
                    pass
        except UnicodeDecodeError:
            continue
        return encoding
    raise _unreadable()


def _decode(content: bytes) -> str:
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _unreadable()


def _sheet(content: bytes) -> Iterator[Sequence[object]]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield from workbook_rows(Path(file.name))


def _unreadable() -> Invalid:
    return Invalid("companies.unreadable", msg("无法读取企业名录。请另存为 UTF-8 的 CSV 或 XLSX 后重新导入。"))


def cell_text(cell: object) -> str:
    """Return a cell as text without blanks around it; a moment as its day."""
    if isinstance(cell, str):
        return cell.strip()
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
