"""Who of a company's supply chain is in the park's region already: the sectors that it buys from and sells to most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.rules.industries import division_of
from services.rules.leads import Reason
from services.rules.positioning.linkage import InputOutputTable, Partner, linkages
from services.rules.positioning.structure import Structure
from tenants.kernel.messages import msg


@dataclass(frozen=True)
class Neighbours:
    """Active companies of the park's region in a sector that supplies an industry or buys from it."""

    sector: str
    companies: int


@dataclass(frozen=True)
class Chain:
    """The largest supplier and the largest buyer, of those that are named, who have companies in the region."""

    suppliers: Neighbours | None
    buyers: Neighbours | None


def chains(structure: Structure, table: InputOutputTable) -> Mapping[str, Chain]:
    """Return who is there of each division's chain; counts are the registry's, who buys from whom is the table's."""
    return {
        division: Chain(_first(structure, each.suppliers), _first(structure, each.buyers))
        for division, each in linkages(table, {}).items()
    }


def neighbour_reasons(
    structure: Structure, table: InputOutputTable, found: Mapping[str, Chain], industry_code: str
) -> tuple[Reason, ...]:
    """Return what a company's chain in the region is told as: nothing where nobody of it is there. It ranks nobody."""
    chain = found.get(division_of(industry_code) or "")
    if chain is None:
        return ()
    origin = table.origin
    source = origin.name if origin.year is None else f"{origin.name}（{origin.year}）"
    told = []
    if chain.suppliers is not None:
        text = msg(
            "园区所在地区已有上游行业“{sector}”的企业 {count} 家。",
            sector=chain.suppliers.sector, count=chain.suppliers.companies,
        )  # fmt: skip
        told.append(("SUPPLIERS", text, chain.suppliers))
    if chain.buyers is not None:
        text = msg(
            "园区所在地区已有下游行业“{sector}”的企业 {count} 家。",
            sector=chain.buyers.sector, count=chain.buyers.companies,
        )  # fmt: skip
        told.append(("BUYERS", text, chain.buyers))
    return tuple(
        Reason(code, text, code.lower(), f"{each.sector} {each.companies} 家；{source}", structure.as_of)
        for code, text, each in told
    )


def _first(structure: Structure, partners: tuple[Partner, ...]) -> Neighbours | None:
    for each in partners:
        here = sum(structure.counts[code].here for code in each.sector.divisions if code in structure.counts)
        if here:
            return Neighbours(each.sector.name, here)
    return None
