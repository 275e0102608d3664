"""Numbers and dates as Chinese texts write them: 1,200.5万元, １２００, 三百二十, 百分之五, 2019年5月6日, 二〇一九年五月."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

DIGITS = {
    **{character: value for value, character in enumerate("零一二三四五六七八九")},
    **{character: value for value, character in enumerate("〇壹贰叁肆伍陆柒捌玖")},
    "两": 2, "俩": 2, "仨": 3,
}  # fmt: skip
SMALL = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1_000, "仟": 1_000, "廿": 20, "卅": 30}
LARGE = {"万": 10_000, "萬": 10_000, "亿": 100_000_000, "億": 100_000_000}
_PLAIN_HAN = "".join(sorted({*DIGITS, *SMALL, *LARGE} - {"千"}))
_HAN = rf"(?:[{_PLAIN_HAN}]|千(?![米瓦克]))"
"""A thousand before 米 is of the unit: 千米."""
_ARABIC = r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?"
_NUMBER = re.compile(
    rf"(?P<percent>百分之|千分之)?(?P<sign>(?<![0-9])[-−])?"
    rf"(?:(?P<arabic>{_ARABIC})\s*(?P<scale>(?:[十百万亿]|千(?![米瓦克]))*)|(?P<han>{_HAN}+(?:点{_HAN}+)?))",
    re.ASCII,
)
_WHOLE = rf"[0-9]{{1,4}}|{_HAN}+"
_DATE = re.compile(
    rf"(?P<year>[0-9]{{4}}|[零〇一二三四五六七八九]{{4}})年(?:\s*(?P<month>{_WHOLE})月(?:份|\s*(?P<day>{_WHOLE})[日号])?)?"
    rf"|(?P<only_month>{_WHOLE})月\s*(?P<only_day>{_WHOLE})[日号]"
    r"|(?<![0-9])(?P<y>[0-9]{4})[-/.](?P<m>[0-9]{1,2})[-/.](?P<d>[0-9]{1,2})(?![0-9])",
    re.ASCII,
)
_LONGEST = 40
"""Characters of the longest number that is read; a longer one has no value."""


@dataclass(frozen=True)
class Found:
    """A number or date in a text, from ``start`` to ``end``. ``value`` is None for what cannot be read."""

    start: int
    end: int
    value: Decimal | None
    day: tuple[int | None, int | None, int | None] | None = None
    share: str = ""
    """``%`` or ``‰`` where the words before it say so."""


def find(text: str) -> Iterator[Found]:
    """Yield the dates and numbers of a text whose characters are in their plain form, from left to right."""
    at = 0
    while at < len(text):
        date, number = _DATE.search(text, at), _NUMBER.search(text, at)
        if date is not None and (number is None or date.start() <= number.start()):
            yield Found(date.start(), date.end(), None, _day(date))
            at = date.end()
        elif number is not None:
            share = {"百分之": "%", "千分之": "‰"}.get(number["percent"] or "", "")
            yield Found(number.start(), number.end(), _value(number), share=share)
            at = number.end()
        else:
            return


def han_value(text: str) -> Decimal | None:
    """Return what Han numerals are worth, None where they make no number: 三百二十 and 三二〇 are 320."""
    if not text or len(text) > _LONGEST:
        return None
    whole, _, part = text.partition("点")
    decimals = "".join(str(DIGITS[each]) for each in part if each in DIGITS)
    if len(decimals) != len(part):
        return None
    if len(whole) > 1 and all(each in DIGITS for each in whole):
        value = Decimal("".join(str(DIGITS[each]) for each in whole))
    else:
        value = Decimal(_grouped(whole))
    return value + Decimal(f"0.{decimals}") if decimals else value


def _grouped(text: str) -> int:
    """Return 一亿二千万零三 as a number: what stands before 亿 counts so many of them, then what stands before 万."""
    for signs in ("亿億", "万萬"):
        at = max(text.rfind(sign) for sign in signs)
        if at >= 0:
            return (_grouped(text[:at]) or 1) * LARGE[text[at]] + _grouped(text[at + 1 :])
    total = digit = 0
    for each in text:
        if each in DIGITS:
            digit = DIGITS[each]
        else:
            total += (digit or 1) * SMALL[each]
            digit = 0
    return total + digit


def _value(match: re.Match[str]) -> Decimal | None:
    if len(match[0]) > _LONGEST:
        return None
    if match["han"]:
        value = han_value(match["han"])
    else:
        try:
            value = Decimal(match["arabic"].replace(",", ""))
        except InvalidOperation:
            return None
        for each in match["scale"]:
            value *= SMALL.get(each) or LARGE[each]
    return -value if value is not None and match["sign"] else value


def _day(match: re.Match[str]) -> tuple[int | None, int | None, int | None]:
    if match["y"]:
        return int(match["y"]), int(match["m"]), int(match["d"])
    if match["only_month"]:
        return None, _whole(match["only_month"]), _whole(match["only_day"])
    year = match["year"] if match["year"].isdigit() and match["year"].isascii() else _positions(match["year"])
    return int(year), _whole(match["month"]), _whole(match["day"])


def _positions(text: str) -> str:
    return "".join(str(DIGITS[each]) for each in text)


def _whole(text: str | None) -> int | None:
    if text is None:
        return None
    if text.isascii():
        return int(text)
    value = han_value(text)
    return None if value is None else int(value)
