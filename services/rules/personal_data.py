"""What is a natural person's in a registry's cells, and how the cells look without it.

Columns about people are never read. But a row whose cells have slipped has a person's name under another heading, and
free text has anything. So every cell is held to the form of its column before it is kept anywhere: what has another form
becomes ``REMOVED``, or nothing where a cell may be empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from services.rules.company_cells import (
    ACTIVE,
    EMPTY,
    INACTIVE,
    capital_in,
    industry_in,
    is_plain_uscc,
    region_in,
)
from services.rules.industries import DIVISIONS
from services.rules.switchboards import switchboard_in

REMOVED = "*"
"""Stands for a cell that may be a person's: no column takes it, so the row is set aside for what it was."""
TITLES = (
    "法定代表人", "法人", "负责人", "联系人", "电话", "手机", "邮箱", "身份证", "股东", "高管", "董事", "监事", "经理", "受益人", "控制人",
    "微信", "email", "e-mail", "phone", "mobile", "contact", "legalrep",
)  # fmt: skip
"""Parts of the names of columns about natural persons; the report says that they were dropped."""

_IDENTITY = r"[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"
_IS_IDENTITY = re.compile(_IDENTITY, re.ASCII)
_IN_TEXT = re.compile(
    rf"(?<![0-9])(?:\+?86[- ]?)?1[3-9][0-9](?:[- ]?[0-9]{{4}}){{2}}(?![0-9])|(?<![0-9A-Za-z]){_IDENTITY}(?![0-9A-Za-z])"
    r"|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+",
    re.ASCII,
)
_MAY_BE_IN_TEXT = re.compile(r"[0-9]{3}|@", re.ASCII)
_CODE_LENGTH = 18
_IS_CODE = re.compile(r"[0-9]{6,17}[0-9A-Z]?|[12][0-9]{3}[-/.][01]?[0-9][-/.][0-3]?[0-9]", re.ASCII)
_CODE = re.compile(r"[0-9A-Za-z -]{8,24}", re.ASCII)
_DAY = re.compile(r"[0-9年月日./: T-]{4,25}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_MOBILE = re.compile(r"(?:\+?86)?1[3-9][0-9]{9}", re.ASCII)
_PLACE = re.compile(r"[\u4e00-\u9fff·-]{1,40}(?:省|市|区|县|州|盟|旗|镇|乡)|[0-9]{2,9}", re.ASCII)
_INDUSTRY = re.compile(r"[A-T]?[0-9]{1,4}", re.ASCII)
_ORGANISATION = re.compile(
    r"公司|集团|企业|工厂|厂$|厂[（(]|合作社|合伙|事务所|研究[院所]|中心|分行|支行|商行|学校|医院|大学|协会|"
    r"\b(?:Co|Ltd|Limited|Inc|LLC|GmbH|Corp)\b",
    re.IGNORECASE,
)


def free_text(text: str) -> str:
    """Return a text without the mobile numbers, identity numbers and mail addresses in it."""
    return _IN_TEXT.sub(REMOVED, text) if _MAY_BE_IN_TEXT.search(text) else text


def is_slipped(values: Mapping[str, str], *, cells_beyond: bool) -> bool:
    """Tell whether the cells of a row have slipped: more than headings, a code or day for a name, a code elsewhere."""
    if cells_beyond:
        return True
    code = values["uscc"]
    if len(code) == _CODE_LENGTH:
        return bool(_IS_CODE.fullmatch(values["name"]))
    return any(len(text) == _CODE_LENGTH and is_plain_uscc(text) for text in values.values())


def without_persons(values: Mapping[str, str], *, slipped: bool) -> dict[str, str]:
    """Return a row's cells held to the form of their columns; the names and texts of a ``slipped`` row to more."""
    held = {field: _FORMS[field](text) if text else "" for field, text in values.items() if field in _FORMS}
    return held | {field: _words(field, values[field], slipped) for field in ("name", "scope") if field in values}


def _words(field: str, text: str, slipped: bool) -> str:
    if not text:
        return ""
    if not slipped:
        return free_text(text)
    if field == "scope":
        return ""
    return free_text(text) if _ORGANISATION.search(text) else REMOVED


@lru_cache(maxsize=1_000)
def _code(text: str) -> str:
    if is_plain_uscc(text):
        return text
    if text.lower() in EMPTY:
        return ""
    digits = re.sub(r"[ -]", "", text)
    if not _CODE.fullmatch(text) or _IS_IDENTITY.fullmatch(digits) or _MOBILE.fullmatch(digits):
        return REMOVED
    return text


@lru_cache(maxsize=50_000)
def place(text: str) -> str:
    """Return the name or code of a place, ``REMOVED`` for what has not the form of one.

    Levels in columns of their own are held one by one: joined, a person's name before a county's looks like a place.
    """
    try:
        region_in(text)
    except ValueError:
        return text if _PLACE.fullmatch(text) else REMOVED
    return text


@lru_cache(maxsize=50_000)
def _industry(text: str) -> str:
    if text in DIVISIONS.values():
        return text
    found = _INDUSTRY.match(text)
    if found:
        return found[0]
    try:
        return industry_in(text)
    except ValueError:
        return ""


@lru_cache(maxsize=50_000)
def _day(text: str) -> str:
    if text.lower() in EMPTY:
        return ""
    digits = re.sub(r"[^0-9]", "", text)
    if not _DAY.fullmatch(text) or _MOBILE.fullmatch(digits) or len(digits) > 17:
        return REMOVED
    return text


@lru_cache(maxsize=50_000)
def _capital(text: str) -> str:
    if _MOBILE.fullmatch(text) or _IS_IDENTITY.fullmatch(text):
        return REMOVED
    try:
        return REMOVED if capital_in(text) is None else text
    except ValueError:
        return free_text(text) if len(text) <= 40 and not re.search(r"[\u4e00-\u9fff]{4}", text) else REMOVED


def _number(text: str) -> str:
    wrong = not _NUMBER.fullmatch(text) or _MOBILE.fullmatch(text) or _IS_IDENTITY.fullmatch(text)
    return REMOVED if wrong else text


@lru_cache(maxsize=10_000)
def _status(text: str) -> str:
    """Return the words of a status that are known: what else stands there may be anybody."""
    if text in _STATUSES:
        return text
    return next((word for word in (*INACTIVE, *ACTIVE) if word in text), REMOVED)


def _switchboard(text: str) -> str:
    """Return a cell's switchboard, and the sign that something else stood there: a mobile, above all."""
    found = switchboard_in(text)
    return ";".join(filter(None, (found.number, REMOVED if found.dropped else "")))


_STATUSES = frozenset({*ACTIVE, *INACTIVE, "存续（在营、开业、在册）", "在营（开业）企业", "存续(在营、开业、在册)"})
_FORMS: Mapping[str, Callable[[str], str]] = {
    "uscc": _code,
    "region": place,
    "industry": _industry,
    "founded_on": _day,
    "as_of": _day,
    "on": _day,
    "capital": _capital,
    "capital_fen": _number,
    "expansions": _number,
    "status": _status,
    "switchboard": _switchboard,
}
