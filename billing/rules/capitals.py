"""Amounts in Chinese capitals, as invoices and cheques write them: ``4000.50`` is 肆仟元伍角.

Rules of the People's Bank for filling in bills: zeros inside a number are read once as 零; 整 closes an amount that
ends with yuan; an amount below one yuan begins with its jiao.
"""

from __future__ import annotations

DIGITS = "零壹贰叁肆伍陆柒捌玖"
UNITS = ("", "拾", "佰", "仟")
GROUPS = ("", "万", "亿", "万")
LARGEST_FEN = 10**18 - 1


def capitals(amount_fen: int) -> str:
    """Return an amount in fen, from 0 to below ten thousand times a trillion yuan, in capitals."""
    if not 0 <= amount_fen <= LARGEST_FEN:
        raise ValueError("capitals are written for amounts from zero to below 10^16 yuan")
    yuan, cents = divmod(amount_fen, 100)
    jiao, fen = divmod(cents, 10)
    text = f"{_whole(yuan)}元" if yuan else ""
    if not cents:
        return (text or "零元") + "整"
    if jiao:
        text += f"{DIGITS[jiao]}角"
    elif yuan:
        text += "零"
    return text + (f"{DIGITS[fen]}分" if fen else "")


def _whole(number: int) -> str:
    """Return a positive whole number, four digits at a time."""
    groups = []
    while number:
        number, group = divmod(number, 10_000)
        groups.append(group)
    text, gap = "", False
    for place in range(len(groups) - 1, -1, -1):
        group = groups[place]
        if not group:
            gap = True
            continue
        if text and (gap or group < 1000):
            text += "零"
        text += _group(group) + GROUPS[place]
        if place == 3 and not groups[2]:
            text += "亿"
        gap = False
    return text


def _group(group: int) -> str:
    """Return up to four digits; zeros between digits are read once, those at the end not at all."""
    text, gap = "", False
    for place in range(3, -1, -1):
        digit = group // 10**place % 10
        if not digit:
            gap = bool(text)
            continue
        text += ("零" if gap else "") + DIGITS[digit] + UNITS[place]
        gap = False
    return text
