"""May a text stand in a document although somebody else worded it? Only if it says nothing beyond what is known.

Every number, with its unit, every date, every company and every word in Latin letters must stand in the known text.
What cannot be read with certainty is refused: the known text itself is always there to be used instead.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator

from services.rules.bare_names import bare_names
from services.rules.numerals import DIGITS, LARGE, SMALL, find
from services.rules.short_names import short_names

LONGEST = 600
"""Characters of a text that is looked at."""
_HARMLESS = (
    "进一步", "一如既往", "一站式", "一体化", "一起", "一同", "一并", "一直", "一定", "一致", "一道", "统一", "十分", "之一", "万分",
    "半导体", "半成品",
)  # fmt: skip
"""Words with a numeral in them that count nothing."""
_UNITS = (
    ("平方米·月", "㎡·月"), ("平方米", "m2"), ("平方公里", "km2"), ("个百分点", "百分点"), ("百分点", "百分点"), ("公里", "km"), ("千米", "km"),
    ("km", "km"), ("千瓦时", "kWh"), ("kWh", "kWh"), ("千瓦", "kW"), ("kVA", "kVA"), ("kW", "kW"), ("MW", "MW"), ("吨", "吨"),
    ("人民币元", "元"), ("美元", "美元"), ("欧元", "欧元"), ("港元", "港元"), ("日元", "日元"), ("元", "元"), ("圆", "元"), ("块钱", "元"),
    ("分之", "分之"), ("个月", "月"), ("小时", "小时"), ("分钟", "分钟"), ("%", "%"), ("‰", "‰"), ("亩", "亩"), ("公顷", "公顷"), ("次", "次"), ("回", "次"),
    ("家", "家"), ("个", "个"), ("年", "年"), ("月", "月"), ("天", "天"), ("日", "天"), ("米", "米"), ("名", "名"), ("位", "位"), ("人", "人"),
    ("倍", "倍"), ("成", "成"),
)  # fmt: skip
"""Units and what each is compared as; the longest that fits counts."""
_SPOKEN = frozenset("的之等、和与及为是在于并且而也即将已可以，。；：（）()《》“”\"'!?！？·,;: \n〔〕[]|\0")
"""What may follow a number that has no unit."""
_INEXACT = re.compile(r"[多余几来]")
_COARSE = re.compile(
    r"数[十百千万亿]|[十百千万亿][多余几来]|几|若干|半|倍|翻番|去年|前年|今年|明年|后年|昨|今日|今天|明天|上月|本月|下月|上周|下周|近年|年代|世纪|季度|周年"
    r"|首家|首个|唯一|第一|最大|最高|最多|最早|龙头|独角兽|上市"
)
"""Amounts, days and ranks in words: each must stand in the known text as it is."""
_ORGANISATION = re.compile(
    r"(?:股份|控股)?(?:有限责任|有限)?公司|集团|股份|控股|厂(?![房区商家址])|合作社|合伙|商行|事务所|研究院|研究所|银行|大学|学院"
)
_ADDRESSED = re.compile(r"(?:[贵该]|(?<!\w))公司")
_LATIN = re.compile(r"[A-Za-z0-9]*[A-Za-z][A-Za-z0-9&+_-]*")
_GLUED = re.compile(r"(?<=[0-9十百千万亿零一二三四五六七八九])(?=(?:kWh|kVA|kW|MW|km)(?![A-Za-z0-9]))")
_LATIN_UNIT = re.compile(r"(?<=[0-9十百千万亿零一二三四五六七八九] )(?:kWh|kVA|kW|MW|km)(?![A-Za-z0-9])")
_CODE = re.compile(r"0[0-9]")
"""A number that begins with a nought is a code, not an amount."""
_NUMERALS = frozenset({*DIGITS, *SMALL, *LARGE, "兆", "卌", "弌", "弍", "弎"})
_UNIT_THOUSAND = re.compile(r"(?<=.)千(?=[米瓦克])")
_MARK = "\0"


def beyond(text: str, known: str, *, name: str, others: Collection[str] = ()) -> tuple[str, ...]:
    """Return what of ``text`` does not stand in ``known``, as it was found; nothing for a text that may stand.

    ``name`` is the company that both are about, ``others`` are companies that neither may name, in full or by short names.
    """
    said, told, name = plain(text), plain(known), plain(name)
    if not said.strip() or len(said) > LONGEST:
        return (text[:40],)
    found = [each for each in said if unicodedata.category(each) in _HIDDEN and each != "\n"]
    without = said.replace(name, _MARK)
    found += [each for each in map(plain, others) if each != name and each in (without if each in name else said)]
    short = {each for other in others if other != name for each in short_names(other)}
    found += bare_names(without, told, sorted(short - {name}))
    said, told = without, told.replace(name, _MARK)
    found += _organisations(said, told)
    found += _latin(said, told)
    found += [each for each in _COARSE.findall(_without_harmless(said)) if each not in told]
    said, told = _without_codes(said), _without_codes(told)
    facts = set(_claims(told))
    dates = {each for each in facts if isinstance(each[0], tuple)}
    for claim in _claims(said):
        if claim not in facts and not _is_part(claim, dates):
            found.append("".join(map(str, claim)))
    return tuple(dict.fromkeys(found))


_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})


def plain(text: str) -> str:
    """Return a text with full-width and other forms of its characters as the plain ones."""
    told = unicodedata.normalize("NFKC", text.replace("，", "、"))  # a pause must not become a comma between digits
    return _GLUED.sub(" ", told)


Claim = tuple[object, str]
"""A number with its unit, or a (year, month, day) of which some may be None."""


def _claims(text: str) -> Iterator[Claim]:
    """Yield what a text counts; what is numeric and belongs to no number is a claim of its own, that nothing supports."""
    text = _without_harmless(text)
    covered = [False] * len(text)
    for each in find(text):
        covered[each.start : each.end] = [True] * (each.end - each.start)
        if each.day is not None:
            yield each.day, ""
            continue
        unit = each.share or _unit(text, each.end)
        if text[max(0, each.start - 1) : each.start] in {"第", "$", "€", "£"}:
            unit = text[each.start - 1] + unit
        if text[max(0, each.start - 1) : each.start] == "¥" and not unit:
            unit = "元"
        written = text[each.start : each.end]
        yield (written if each.value is None or _CODE.match(written) else each.value.normalize()), unit
    for thousand in _UNIT_THOUSAND.finditer(text):
        covered[thousand.start()] = covered[thousand.start() - 1]
    for at, character in enumerate(text):
        if not covered[at] and (unicodedata.category(character)[0] == "N" or character in _NUMERALS):
            yield character, "?"


def _unit(text: str, at: int) -> str:
    """Return the unit that follows a number, else the next character: 四川's 川 is as good a unit as any."""
    rest = text[at : at + 12].lstrip(" ")
    if _INEXACT.match(rest):
        return rest[0]
    for written, meant in _UNITS:
        if rest.startswith(written):
            return meant
    return "" if not rest or rest[0] in _SPOKEN else rest[0]


def _is_part(claim: Claim, known: Collection[Claim]) -> bool:
    """Tell whether a year, or a year and month, is that of a known day."""
    said = claim[0]
    if not isinstance(said, tuple) or said[0] is None:
        return False
    length = 3 if said[2] is not None else 2 if said[1] is not None else 1
    return any(isinstance(day, tuple) and day[:length] == said[:length] for day, _ in known)


def _organisations(said: str, told: str) -> list[str]:
    """Return the organisations that are not known: by the characters before the word that makes one."""
    bare = _ADDRESSED.sub(_MARK, said)
    found = (bare[max(0, each.start() - 4) : each.end()] for each in _ORGANISATION.finditer(bare))
    return [each for each in found if each not in told]


def _latin(said: str, told: str) -> list[str]:
    known = {each.casefold() for each in _LATIN.findall(told)}
    words = _LATIN.findall(_LATIN_UNIT.sub(" ", said))
    return [each for each in words if each.casefold() not in known]


def _without_codes(text: str) -> str:
    """Take out words with letters and digits, such as credit codes: they are compared as a whole, with the Latin ones."""
    return _LATIN.sub(lambda match: match[0] if match[0].isalpha() else _MARK, text)


def _without_harmless(text: str) -> str:
    for each in _HARMLESS:
        text = text.replace(each, _MARK)
    return text
