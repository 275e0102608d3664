"""What a park's environment does not bear, as divisions and classes of GB/T 4754 that are then not looked for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class Limit(StrEnum):
    """Kinds of load that a park's environment, its plan or its supplies cannot take."""

    HIGH_ENERGY = "high_energy"
    HIGH_WATER = "high_water"
    CHEMICALS = "chemicals"
    HEAVY_METALS = "heavy_metals"
    DUST = "dust"


RULED_OUT: dict[Limit, tuple[str, ...]] = {
    # The six energy-intensive divisions of the National Bureau of Statistics' monthly releases.
    Limit.HIGH_ENERGY: ("25", "26", "30", "31", "32", "44"),
    # Steel, refining, chemicals, paper, textile finishing, leather, thermal power.
    Limit.HIGH_WATER: ("1713", "1723", "1733", "1743", "1752", "191", "22", "25", "26", "31", "4411", "4412"),
    # What settles in chemical parks only: refining, basic chemicals, raw drugs, synthetic fibres' polymers.
    Limit.CHEMICALS: ("25", "26", "271", "282"),
    # Ores and smelting of non-ferrous metals, lead batteries, electroplating, leather tanning.
    Limit.HEAVY_METALS: ("09", "32", "3843", "3360", "191"),
    # Mining, cement, lime, bricks, foundries.
    Limit.DUST: ("06", "08", "09", "10", "301", "302", "303", "3391", "3392"),
}
"""Beginnings of industry codes that each limit rules out."""


def rules_out(industry_code: str, exclusions: Sequence[str], limits: Sequence[Limit]) -> bool:
    """Tell whether an industry (digits of GB/T 4754, or empty) lies in what is excluded or what a limit rules out.

    A division is ruled out only as a whole: of a company known by its division alone, nobody can say that it is a tannery.
    """
    beginnings = (*exclusions, *(code for limit in limits for code in RULED_OUT[limit]))
    return any(industry_code.startswith(code) for code in beginnings)
