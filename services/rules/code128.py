"""Code 128 (ISO/IEC 15417), code set B: the bars of a label, from printable ASCII. Pure."""

from __future__ import annotations

WIDTHS = [
    "212222",
    "222122",
    "222221",
    "121223",
    "121322",
    "131222",
    "122213",
    "122312",
    "132212",
    "221213",
    "221312",
    "231212",
    "112232",
    "122132",
    "122231",
    "113222",
    "123122",
    "123221",
    "223211",
    "221132",
    "221231",
    "213212",
    "223112",
    "312131",
    "311222",
    "321122",
    "321221",
    "312212",
    "322112",
    "322211",
    "212123",
    "212321",
    "232121",
    "111323",
    "131123",
    "131321",
    "112313",
    "132113",
    "132311",
    "211313",
    "231113",
    "231311",
    "112133",
    "112331",
    "132131",
    "113123",
    "113321",
    "133121",
    "313121",
    "211331",
    "231131",
    "213113",
    "213311",
    "213131",
    "311123",
    "311321",
    "331121",
    "312113",
    "312311",
    "332111",
    "314111",
    "221411",
    "431111",
    "111224",
    "111422",
    "121124",
    "121421",
    "141122",
    "141221",
    "112214",
    "112412",
    "122114",
    "122411",
    "142112",
    "142211",
    "241211",
    "221114",
    "413111",
    "241112",
    "134111",
    "111242",
    "121142",
    "121241",
    "114212",
    "124112",
    "124211",
    "411212",
    "421112",
    "421211",
    "212141",
    "214121",
    "412121",
    "111143",
    "111341",
    "131141",
    "114113",
    "114311",
    "411113",
    "411311",
    "113141",
    "114131",
    "311141",
    "411131",
    "211412",
    "211214",
    "211232",
]
"""Widths in modules of bar, space, bar, space, bar, space, by symbol value."""
STOP = "2331112"
START_B = 104
MODULUS = 103
QUIET = 10
"""Modules that stay blank on either side."""


def bars(text: str) -> tuple[tuple[tuple[int, int], ...], int]:
    """Return the bars of ``text`` as (left, width) in modules, and the whole width with its quiet zones.

    Raises ValueError for an empty text or a character outside printable ASCII.
    """
    if not text or any(not 32 <= ord(each) <= 126 for each in text):
        raise ValueError("Code 128 B takes printable ASCII")
    values = [ord(each) - 32 for each in text]
    check = (START_B + sum(place * value for place, value in enumerate(values, start=1))) % MODULUS
    pattern = "".join(WIDTHS[value] for value in (START_B, *values, check)) + STOP
    at, found = QUIET, []
    for place, width in enumerate(int(each) for each in pattern):
        if place % 2 == 0:
            found.append((at, width))
        at += width
    return tuple(found), at + QUIET
