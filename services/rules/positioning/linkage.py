"""Supply chains by an input–output table: what of an industry's purchases and sales could stay in the region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.rules.positioning.origin import Origin

MOST_NAMED = 3
"""Suppliers and buyers that are named."""


@dataclass(frozen=True)
class Sector:
    """A sector of the table, and the divisions of GB/T 4754 that lie in it."""

    code: str
    name: str
    divisions: tuple[str, ...]


@dataclass(frozen=True)
class InputOutputTable:
    """Flows between sectors: ``flows[i][j]`` is what sector j buys from sector i, in any one unit of money."""

    origin: Origin
    sectors: tuple[Sector, ...]
    flows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Partner:
    """A sector that supplies or buys, its share of the industry's intermediate purchases or sales, and its ratio here."""

    sector: Sector
    share: float
    here: float


@dataclass(frozen=True)
class Linkage:
    """Shares (0 to 1) of a sector's intermediate purchases and sales that the region could supply and take up."""

    sector: Sector
    supply: float | None
    demand: float | None
    suppliers: tuple[Partner, ...]
    buyers: tuple[Partner, ...]

    @property
    def score(self) -> float | None:
        """Their mean; None where the sector neither buys nor sells."""
        known = [each for each in (self.supply, self.demand) if each is not None]
        return sum(known) / len(known) if known else None


def linkages(table: InputOutputTable, here: Mapping[str, float]) -> dict[str, Linkage]:
    """Return the linkage of every division that lies in a sector; ``here`` are the sectors' location quotients by code.

    A sector that is half as strong here as everywhere is taken to supply half of what is bought from it: the simple location
    quotient, r = min(1, LQ), of Miller and Blair, "Input–Output Analysis" (2nd ed. 2009), section 8.2. Flows within a sector
    are left out, because the location quotient itself tells of them.
    """
    found: dict[str, Linkage] = {}
    for place, sector in enumerate(table.sectors):
        bought = [row[place] for row in table.flows]
        sold = table.flows[place]
        supply, suppliers = _partners(table.sectors, bought, place, here)
        demand, buyers = _partners(table.sectors, sold, place, here)
        for division in sector.divisions:
            found[division] = Linkage(sector, supply, demand, suppliers, buyers)
    return found


def _partners(
    sectors: Sequence[Sector], flows: Sequence[float], own: int, here: Mapping[str, float]
) -> tuple[float | None, tuple[Partner, ...]]:
    total = sum(flow for place, flow in enumerate(flows) if place != own)
    if total <= 0:
        return None, ()
    partners = [
        Partner(sector, flows[place] / total, here.get(sector.code, 1.0))
        for place, sector in enumerate(sectors)
        if place != own and flows[place] > 0
    ]
    share = sum(each.share * min(1.0, each.here) for each in partners)
    ordered = sorted(partners, key=lambda each: (-each.share, each.sector.code))
    return share, tuple(ordered[:MOST_NAMED])
