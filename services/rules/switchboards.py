"""Switchboards of organisations: fixed lines, 400, 800 and 95 numbers as cells hold them, and how they look masked.

A mobile is a person's and never taken; nor is what has not the whole form of a number, since nothing is repaired by
guessing (a number without its area code rings somebody else's bell).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from services.rules.company_cells import EMPTY

LONGEST = 24
_DASHES = str.maketrans(dict.fromkeys("—–−‐‑", "-"))
_BETWEEN = re.compile(r"[;,/、|\n]|或")
_LABEL = re.compile(r"(?:总机|固定电话|公司电话|联系电话|电话|固话|座机|热线|客服|tel)[:.]?", re.IGNORECASE)
_NUMBER = re.compile(
    r"(?:(?:\+|00)?86-?\(?0?\)?|\(?0)(?P<area>10|2[0-9]|[3-9][0-9]{2})\)?-?(?P<line>[2-8][0-9]{6,7})"
    r"(?:(?:-|转分机|转|分机|ext\.?|\*|x|#)(?P<extension>[0-9]{1,6}))?"
    r"|(?P<service>[48]00)-?(?P<first>[0-9]{3,4})-?(?P<last>[0-9]{3,4})(?:(?:-|转)[0-9]{1,6})?"
    r"|(?P<short>95[0-9]{3,4})",
    re.ASCII | re.IGNORECASE,
)
_SERVICE_DIGITS = 7
_SHOWN = 2
"""Last digits that a masked number shows."""


@dataclass(frozen=True)
class Switchboard:
    """What a cell gives: its first number, empty for none, and whether something else in it was no switchboard."""

    number: str = ""
    dropped: bool = False


@lru_cache(maxsize=1_000)
def switchboard_in(text: str) -> Switchboard:
    """Return the first switchboard of a cell, as ``010-12345678-123``, ``400-123-4567`` or ``95123``."""
    alone = _NUMBER.fullmatch(text)
    if alone is not None:  # nearly every cell of a registry
        number = _written(alone)
        return Switchboard(number, not number)
    plain = unicodedata.normalize("NFKC", text).translate(_DASHES)
    if plain.strip().lower() in EMPTY:
        return Switchboard()
    pieces = [
        piece for piece in ("".join(each.split()) for each in _BETWEEN.split(plain)) if piece.lower() not in EMPTY
    ]
    found = [_plain(piece) for piece in pieces]
    return Switchboard(next(filter(None, found), ""), not all(found))


def masked(number: str) -> str:
    """Return a number so that it shows where it rings and that there is one, and cannot be dialled."""
    if "-" not in number:
        return number[:2] + "*" * (len(number) - 2)
    area, *digits = number.split("-")
    if area in {"400", "800"}:
        return f"{area}-{'*' * len(digits[0])}-{_ending(digits[1])}"
    return f"{area}-{_ending(digits[0])}"


def _ending(digits: str) -> str:
    return "*" * (len(digits) - _SHOWN) + digits[-_SHOWN:]


def _plain(piece: str) -> str:
    found = _NUMBER.fullmatch(_LABEL.sub("", piece, count=1) if _LABEL.match(piece) else piece)
    return "" if found is None else _written(found)


def _written(found: re.Match[str]) -> str:
    if found["short"]:
        return found["short"]
    if found["service"]:
        digits = found["first"] + found["last"]
        return f"{found['service']}-{digits[:3]}-{digits[3:]}" if len(digits) == _SERVICE_DIGITS else ""
    return "-".join(filter(None, (f"0{found['area']}", found["line"], found["extension"])))
