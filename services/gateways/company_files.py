"""Company registries as files: CSV (UTF-8 or GB 18030) or XLSX, with the headers that Chinese registries export.

Rows are read one by one. A row that cannot be right is set aside with the reason, never repaired by guessing. Columns
about natural persons are not read at all.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from operator import mul
from pathlib import Path
from typing import TextIO

from services.rules.companies import Company
from services.rules.industries import DIVISIONS, division_of
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg
from tenants.rules.regions import regions
from tenants.rules.uscc import check_uscc

ALIASES = {
    "name": ("name", "企业名称", "公司名称", "名称", "单位名称"),
    "uscc": ("uscc", "统一社会信用代码", "社会信用代码", "信用代码"),
    "region": ("region_code", "region", "所属地区", "行政区划代码", "行政区划", "所属区县", "所属城市", "城市", "地区"),
    "industry": ("industry_code", "industry", "行业代码", "国标行业代码", "国民经济行业代码", "所属行业", "行业"),
    "founded_on": ("founded_on", "成立日期", "注册日期", "成立时间"),
    "capital": ("capital", "注册资本", "注册资金"),
    "capital_fen": ("capital_fen",),
    "status": ("status", "经营状态", "登记状态", "企业状态"),
    "scope": ("scope", "经营范围", "主营业务"),
    "expansions": ("expansions", "异地扩张次数", "异地投资次数", "异地分支机构数", "prior_expansions"),
    "as_of": ("as_of", "数据日期", "更新日期", "数据截至"),
}
"""What a column is called, per field. Columns of other names are not read, those of people above all:"""
PERSONAL = (
    "法定代表人",
    "法人",
    "负责人",
    "联系人",
    "电话",
    "手机",
    "邮箱",
    "身份证",
    "股东",
    "email",
    "phone",
    "mobile",
)
"""Parts of the names of columns about natural persons; the report says that they were dropped."""
REQUIRED = ("name", "uscc", "region")
ACTIVE = ("存续", "在业", "在营", "开业", "正常", "迁入", "active")
INACTIVE = ("注销", "吊销", "撤销", "迁出", "停业", "歇业", "清算", "inactive")

MOST_SHOWN = 100
LONGEST_SCOPE = 8000
MOST_CAPITAL_FEN = 10**15
_CODE_VALUES = {character: value for value, character in enumerate("0123456789ABCDEFGHJKLMNPQRTUWXY")}
_CODE_WEIGHTS = (*(pow(3, place, 31) for place in range(17)), 1)
_UNITS = {"": 1, "元": 1, "万": 10_000, "万元": 10_000, "亿": 100_000_000, "亿元": 100_000_000}
_CAPITAL = re.compile(r"([0-9,]+(?:\.[0-9]+)?)\s*(亿元|万元|亿|万|元)?\s*(人民币元?|元人民币|CNY|RMB)?")
_INDUSTRY = re.compile(r"[A-T]?([0-9]{2,4})", re.ASCII)
_DAY = re.compile(r"([12][0-9]{3})[-/.年]?([01]?[0-9])[-/.月]?([0-3]?[0-9])日?", re.ASCII)


@dataclass(frozen=True)
class Refused:
    """A row set aside: its number in the file (the header is 1) and why, as a stable code."""

    row: int
    reason: str


@dataclass
class CompanyFile:
    """A registry being read. After ``rows`` is exhausted, the other fields tell what was left out.

    ``reasons`` counts refused rows by reason; ``refused`` keeps the first hundred.
    """

    table: Iterator[Sequence[object]]
    default_as_of: date
    refused: list[Refused] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    dropped: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[Company]:
        """Yield the companies.

        Raises Invalid when the file has no header with name, credit code and region.
        """
        columns = self._columns()
        for number, cells in enumerate(self.table, start=2):
            values = {name: cell_text(cells[at]) for name, at in columns.items() if at < len(cells)}
            if not any(values.values()):
                continue
            try:
                company = self._company(values)
            except ValueError as error:
                self._refuse(number, str(error))
                continue
            self.accepted += 1
            yield company

    def _refuse(self, row: int, reason: str) -> None:
        self.reasons[reason] += 1
        if len(self.refused) < MOST_SHOWN:
            self.refused.append(Refused(row, reason))

    def _columns(self) -> dict[str, int]:
        header = [cell_text(cell).lstrip("\ufeff") for cell in next(self.table, ())]
        columns: dict[str, int] = {}
        for name, aliases in ALIASES.items():
            for alias in aliases:
                if alias in header:
                    columns[name] = header.index(alias)
                    break
        missing = [ALIASES[name][1] for name in REQUIRED if name not in columns]
        if missing:
            raise Invalid(
                "companies.no_header",
                msg("企业名录缺少列：{missing}。首行须为列名，请补上后重新导入。", missing="、".join(missing)),
            )
        taken = set(columns.values())
        self.dropped = tuple(
            title for at, title in enumerate(header) if at not in taken and any(part in title for part in PERSONAL)
        )
        if "status" not in columns:
            self.warnings.append("no_status")
        if "as_of" not in columns:
            self.warnings.append("no_as_of")
        return columns

    def _company(self, values: dict[str, str]) -> Company:
        """Return the company of a row; ValueError with the reason's code when it cannot be right."""
        as_of = day_in(values.get("as_of", "")) or self.default_as_of
        founded_on = day_in(values.get("founded_on", ""))
        if founded_on is not None and founded_on > as_of:
            raise ValueError("founded_in_future")
        name = " ".join(values["name"].split())
        if not 2 <= len(name) <= 200:
            raise ValueError("bad_name")
        return Company(
            uscc=uscc_in(values["uscc"]),
            as_of=as_of,
            name=name,
            region_code=region_in(values["region"]),
            industry_code=_industry(values.get("industry", "")),
            expansions=_count(values.get("expansions", "")),
            scope=values.get("scope", "")[:LONGEST_SCOPE],
            active=_is_active(values.get("status", ""), known="status" in values),
            founded_on=founded_on,
            capital_fen=_capital(values),
        )


def open_company_file(content: bytes, *, default_as_of: date) -> CompanyFile:
    """Return a registry from the bytes of a CSV or XLSX file; Invalid when it is neither."""
    if content[:4] == b"PK\x03\x04":
        return CompanyFile(_sheet(io.BytesIO(content)), default_as_of)
    return CompanyFile(_cells(io.StringIO(_decode(content), newline="")), default_as_of)


def open_company_path(path: Path, *, default_as_of: date) -> CompanyFile:
    """Return a registry from a file, read row by row when it is UTF-8 CSV."""
    return CompanyFile(open_table(path), default_as_of)


def open_table(path: Path) -> Iterator[Sequence[object]]:
    """Return the rows of a CSV or XLSX file, read one by one when it is UTF-8 CSV."""
    with path.open("rb") as stream:
        if stream.read(4) == b"PK\x03\x04":
            return _sheet(path)
    if not _is_utf8(path):
        return _cells(io.StringIO(_decode(path.read_bytes()), newline=""))
    return _lines(path)


def _lines(path: Path) -> Iterator[Sequence[object]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        yield from _cells(stream)


def _cells(stream: TextIO) -> Iterator[Sequence[object]]:
    try:
        yield from csv.reader(stream)
    except csv.Error as error:
        raise _unreadable() from error


def _is_utf8(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as stream:
            while stream.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _decode(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _unreadable()


def _sheet(source: io.BytesIO | Path) -> Iterator[Sequence[object]]:
    from openpyxl import load_workbook

    try:
        book = load_workbook(source, read_only=True, data_only=True)
        yield from book.worksheets[0].iter_rows(values_only=True)
    except Exception as error:  # the library raises what its parsers raise
        raise _unreadable() from error


def _unreadable() -> Invalid:
    return Invalid("companies.unreadable", msg("无法读取企业名录。请另存为 UTF-8 的 CSV 或 XLSX 后重新导入。"))


def cell_text(cell: object) -> str:
    """Return a cell as text without blanks around it; a moment as its day."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def is_plain_uscc(code: str) -> bool:
    """Tell whether ``code`` is a credit code in its plain form with the right check digit (GB 32100).

    The same as the library's answer, which takes ten times as long: a registry has a million rows.
    """
    try:
        values = [_CODE_VALUES[character] for character in code]
    except KeyError:
        return False
    return len(values) == len(_CODE_WEIGHTS) and code[:8].isdecimal() and sum(map(mul, values, _CODE_WEIGHTS)) % 31 == 0


def uscc_in(text: str) -> str:
    """Return the credit code in its plain form; ValueError ``bad_uscc``."""
    if is_plain_uscc(text):
        return text
    try:
        return check_uscc(text).code
    except Invalid as problem:
        raise ValueError("bad_uscc") from problem


@lru_cache(maxsize=50_000)
def region_in(text: str) -> str:
    """Return the six-digit code for a code of two, four or six digits, or for a division's name."""
    plain = text.replace(" ", "")
    if plain.isascii() and plain.isdecimal() and len(plain) in {2, 4, 6}:
        code = plain.ljust(6, "0")
        known = regions()
        # A county that was merged away still lies in its prefecture.
        for candidate in (code, f"{code[:4]}00", f"{code[:2]}0000"):
            if candidate in known:
                return candidate if candidate != f"{code[:2]}0000" or len(plain) == 2 else code
        raise ValueError("unknown_region")
    found = _names().get(plain)
    if found is None:
        raise ValueError("unknown_region")
    return found


@cache
def _names() -> dict[str, str]:
    """Return codes by name: full names of all divisions, and the short names that belong to one division only."""
    names: dict[str, set[str]] = {}
    for code, region in regions().items():
        short = region.county or region.city or region.province
        wanted = {region.name, short, short.removesuffix("市").removesuffix("省")}
        if region.city and not region.county:
            wanted.add(f"{region.province}-{region.city}")
        for name in wanted:
            names.setdefault(name, set()).add(code)
    # Of a city and its county of the same name (an undivided city), or a province and its only city, the higher one.
    return {name: min(codes) for name, codes in names.items() if len(codes) == 1 or len({c[:2] for c in codes}) == 1}


@lru_cache(maxsize=50_000)
def _industry(text: str) -> str:
    """Return the digits of an industry code, empty where the registry gives none; names of divisions are known."""
    if not text:
        return ""
    found = _INDUSTRY.match(text)
    if found:
        if division_of(found[1]) is None:
            raise ValueError("unknown_industry")
        return found[1]
    return next((code for code, name in DIVISIONS.items() if name == text), "")


def _is_active(text: str, *, known: bool) -> bool:
    if not known:
        return True
    if any(word in text for word in INACTIVE):
        return False
    if any(word in text for word in ACTIVE):
        return True
    raise ValueError("unknown_status")


def _count(text: str) -> int:
    if not text:
        return 0
    if not text.isascii() or not text.isdecimal() or len(text) > 5:
        raise ValueError("bad_expansions")
    return int(text)


@lru_cache(maxsize=50_000)
def day_in(text: str) -> date | None:
    """Return the day that a cell gives, None for an empty one; ValueError ``bad_date``."""
    if not text or text == "-":
        return None
    found = _DAY.match(text)
    if not found:
        raise ValueError("bad_date")
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError as error:
        raise ValueError("bad_date") from error


def _capital(values: dict[str, str]) -> int | None:
    """Return the capital in fen; None where it is not given or in another currency, whose rate is nobody's guess."""
    if values.get("capital_fen"):
        fen = _count_fen(values["capital_fen"])
    else:
        text = values.get("capital", "")
        found = _CAPITAL.fullmatch(text)
        if not found:
            if text.startswith("-") and any(char.isdigit() for char in text):
                raise ValueError("bad_capital")
            return None
        try:
            fen = int(Decimal(found[1].replace(",", "")) * _UNITS[found[2] or ""] * 100)
        except InvalidOperation as error:
            raise ValueError("bad_capital") from error
    if fen > MOST_CAPITAL_FEN:
        raise ValueError("bad_capital")
    return fen


def _count_fen(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise ValueError("bad_capital")
    return int(text)
