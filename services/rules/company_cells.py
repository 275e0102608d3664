"""What the cells of a company registry say: codes, regions, days, capital. Pure; nothing is repaired by guessing.

A ``ValueError`` carries the reason, as a stable code, for which a row is set aside.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from operator import mul

from services.rules.industries import DIVISIONS, division_of
from tenants.kernel.errors import Invalid
from tenants.rules.regions import regions
from tenants.rules.uscc import check_uscc

ACTIVE = ("存续", "在业", "在营", "开业", "正常", "迁入", "active")
INACTIVE = ("注销", "吊销", "撤销", "迁出", "停业", "歇业", "清算", "inactive")
MOST_CAPITAL_FEN = 10**15
_CODE_VALUES = {character: value for value, character in enumerate("0123456789ABCDEFGHJKLMNPQRTUWXY")}
_CODE_WEIGHTS = (*(pow(3, place, 31) for place in range(17)), 1)
_INNER_VALUES = {character: int(character, 36) for character in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_INNER_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_INNER_DIGITS = "0123456789X0"
_INDUSTRY = re.compile(r"[A-T]?([0-9]{2,4})", re.ASCII)
_DAY = re.compile(r"([12][0-9]{3})[-/.年]?([01]?[0-9])[-/.月]?([0-3]?[0-9])日?", re.ASCII)
EMPTY = frozenset({"", "-", "--", "—", "/", "无", "暂无", "未公开", "null", "none", "nan", "n/a"})
"""What exports write where they know nothing."""
UNITS = {"": 1, "千": 1_000, "万": 10_000, "百万": 1_000_000, "千万": 10_000_000, "亿": 100_000_000}
"""Units of amounts, in yuan or another currency's unit."""
_CURRENCIES = {
    "人民币": "CNY", "RMB": "CNY", "CNY": "CNY", "¥": "CNY", "￥": "CNY", "美元": "USD", "美金": "USD", "USD": "USD", "$": "USD",
    "港元": "HKD", "港币": "HKD", "HKD": "HKD", "HK$": "HKD", "欧元": "EUR", "EUR": "EUR", "日元": "JPY", "日币": "JPY", "JPY": "JPY",
    "英镑": "GBP", "GBP": "GBP", "新台币": "TWD", "台币": "TWD", "TWD": "TWD", "澳门元": "MOP", "MOP": "MOP", "新加坡元": "SGD",
    "SGD": "SGD", "韩元": "KRW", "韩币": "KRW", "KRW": "KRW", "澳大利亚元": "AUD", "澳元": "AUD", "AUD": "AUD", "加拿大元": "CAD",
    "加元": "CAD", "CAD": "CAD", "瑞士法郎": "CHF", "CHF": "CHF", "卢布": "RUB", "RUB": "RUB",
}  # fmt: skip
_WORDS = "|".join(sorted(map(re.escape, _CURRENCIES), key=len, reverse=True))
_CAPITAL = re.compile(
    rf"(?P<before>{_WORDS})?元?:?(?P<amount>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?P<unit>百万|千万|千|万|亿)?元?"
    rf"(?P<after>{_WORDS})?元?整?",
    re.IGNORECASE | re.ASCII,
)
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")


@dataclass(frozen=True)
class Capital:
    """A registered capital: ``fen`` is None where it is not given, unreadable, or in another ``currency`` than CNY."""

    fen: int | None = None
    currency: str = ""


def is_plain_uscc(code: str) -> bool:
    """Tell whether ``code`` is a credit code in its plain form with the right check digit (GB 32100).

    The same as the library's answer, which takes ten times as long: a registry has a million rows.
    """
    if len(code) != len(_CODE_WEIGHTS) or not code[:8].isdecimal():
        return False
    try:
        total: int = sum(map(mul, map(_CODE_VALUES.__getitem__, code), _CODE_WEIGHTS))
    except KeyError:
        return False
    return total % 31 == 0


def outer_check_digit(body: str) -> str:
    """Return the last character of a credit code from its first seventeen (GB 32100)."""
    total = sum(_CODE_VALUES[each] * weight for each, weight in zip(body, _CODE_WEIGHTS[:17], strict=True))
    return "0123456789ABCDEFGHJKLMNPQRTUWXY"[-total % 31]


def has_inner_digit(code: str) -> bool:
    """Tell whether the organisation code within a plain credit code has the check digit of GB 11714.

    Registers have given out codes that have not, and they are in lawful use: a reason to warn, not to refuse.
    """
    total = sum(map(mul, map(_INNER_VALUES.__getitem__, code[8:16]), _INNER_WEIGHTS))
    return _INNER_DIGITS[11 - total % 11] == code[16]


def uscc_in(text: str) -> str:
    """Return the credit code in its plain form; ValueError ``bad_uscc``, or ``no_code`` for an empty cell."""
    if is_plain_uscc(text):
        return text
    if text.lower() in EMPTY:
        raise ValueError("no_code")
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


@lru_cache(maxsize=50_000)
def region_of_parts(province: str, city: str, county: str) -> str:
    """Return the code of a division whose levels stand in columns of their own; the deepest that is known counts."""
    if city in {"市辖区", "县", province}:
        city = ""
    for parts in ((province, city, county), (province, county), (city, county), (province, city), (city,), (province,)):
        if parts[-1]:
            try:
                return region_in("".join(parts))
            except ValueError:
                continue
    return region_in(county)


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
def industry_in(text: str) -> str:
    """Return the digits of an industry code, empty where the registry gives none; names of divisions are known."""
    if not text:
        return ""
    found = _INDUSTRY.match(text)
    if found:
        if division_of(found[1]) is None:
            raise ValueError("unknown_industry")
        return found[1]
    return next((code for code, name in DIVISIONS.items() if name == text), "")


@lru_cache(maxsize=10_000)
def is_active(text: str) -> bool:
    """Tell whether a registration stands; ValueError ``unknown_status``."""
    if any(word in text for word in INACTIVE):
        return False
    if any(word in text for word in ACTIVE):
        return True
    raise ValueError("unknown_status")


def count_in(text: str) -> int:
    """Return a count of at most five digits, 0 for an empty cell; ValueError ``bad_expansions``."""
    if not text:
        return 0
    if not text.isascii() or not text.isdecimal() or len(text) > 5:
        raise ValueError("bad_expansions")
    return int(text)


@lru_cache(maxsize=50_000)
def day_in(text: str) -> date | None:
    """Return the day that a cell gives, None for an empty one; ValueError ``bad_date``."""
    if text.lower() in EMPTY:
        return None
    found = _DAY.match(text)
    if not found:
        raise ValueError("bad_date")
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError as error:
        raise ValueError("bad_date") from error


@lru_cache(maxsize=50_000)
def capital_in(text: str) -> Capital | None:
    """Return the capital that a cell gives, None for one that cannot be read; ValueError ``bad_capital``.

    Amounts of other currencies are not converted: what was paid in when, at which rate, is not in a registry. What is
    below a fen is cut off.
    """
    plain = _THOUSANDS.sub("", "".join(unicodedata.normalize("NFKC", text).split()).replace("(", "").replace(")", ""))
    if plain.lower() in EMPTY:
        return Capital()
    if plain.startswith("-") and any(character.isdecimal() for character in plain):
        raise ValueError("bad_capital")
    found = _CAPITAL.fullmatch(plain)
    if not found:
        return None
    named = {_CURRENCIES[word.upper()] for word in (found["before"], found["after"]) if word}
    if len(named) > 1:
        return None
    if named - {"CNY"}:
        return Capital(None, named.pop())
    fen = int(Decimal(found["amount"]) * UNITS[found["unit"] or ""] * 100)
    if fen > MOST_CAPITAL_FEN:
        raise ValueError("bad_capital")
    return Capital(fen, "CNY")


def fen_in(text: str) -> int:
    """Return whole fen; ValueError ``bad_capital``."""
    if not text.isascii() or not text.isdecimal() or len(text) > 18 or int(text) > MOST_CAPITAL_FEN:
        raise ValueError("bad_capital")
    return int(text)


_BRACKETS = str.maketrans("()", "（）")


def name_in(text: str) -> str:
    """Return a company's name with single blanks and, in Chinese, full brackets; ValueError ``bad_name``."""
    name = " ".join(text.split())
    if not 2 <= len(name) <= 200:
        raise ValueError("bad_name")
    return name if name.isascii() else name.translate(_BRACKETS)
