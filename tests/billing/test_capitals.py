"""Amounts in capitals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.capitals import DIGITS, LARGEST_FEN, capitals

YI = 10**8


@pytest.mark.parametrize(
    ("fen", "text"),
    [
        (0, "零元整"),
        (1, "壹分"),
        (50, "伍角"),
        (101, "壹元零壹分"),
        (400_000, "肆仟元整"),
        (400_050, "肆仟元伍角"),
        (1_000_00, "壹仟元整"),
        (10_010_00, "壹万零壹拾元整"),
        (1_000_000_03, "壹佰万元零叁分"),
        (1_010_000_00, "壹佰零壹万元整"),
        (10_000_500_00, "壹仟万零伍佰元整"),
        (50 * YI * 100, "伍拾亿元整"),
        ((100 * YI + 500) * 100, "壹佰亿零伍佰元整"),
        (10_000 * YI * 100, "壹万亿元整"),
        ((12_345 * YI + 6) * 100 + 78, "壹万贰仟叁佰肆拾伍亿零陆元柒角捌分"),
    ],
)
def test_amounts_read_as_cheques_write_them(fen: int, text: str) -> None:
    assert capitals(fen) == text


def number(text: str) -> int:
    """Read a whole number back: an oracle that goes the other way."""
    for unit, size in (("亿", YI), ("万", 10_000), ("仟", 1000), ("佰", 100), ("拾", 10)):
        if unit in text:
            left, _, right = text.rpartition(unit)
            return number(left) * size + number(right)
    return DIGITS.index(text[-1]) if text else 0


def value(text: str) -> int:
    """Read an amount back, in fen."""
    whole, _, cents = text.rpartition("元")
    jiao, _, fen = cents.rpartition("角")
    return number(whole) * 100 + number(jiao) * 10 + number(fen.removesuffix("分").removesuffix("整"))


@given(st.one_of(st.integers(0, LARGEST_FEN), st.integers(0, 10**6), st.integers(0, 9999).map(lambda n: n * 10**11)))
def test_capitals_say_the_amount(fen: int) -> None:
    assert value(capitals(fen)) == fen
    assert "零零" not in capitals(fen)


def test_what_cannot_be_written_is_refused() -> None:
    for fen in (-1, LARGEST_FEN + 1):
        with pytest.raises(ValueError, match="capitals"):
            capitals(fen)
