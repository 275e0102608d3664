"""The choice of industries: four parts weighed alike, and what becomes of it when a weight moves by a fifth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.rules.leads import Brief
from services.rules.limits import rules_out
from services.rules.positioning.fit import DemandTable, FitPart, fit_parts
from services.rules.positioning.linkage import InputOutputTable, Linkage, linkages
from services.rules.positioning.shrinkage import Ratio, shrunk_ratios
from services.rules.positioning.structure import Structure, founding_ratios, location_quotients

PartName = Literal["location", "growth", "linkage", "fit"]
PARTS: tuple[PartName, ...] = ("location", "growth", "linkage", "fit")
WEIGHT = 1 / len(PARTS)
"""Of each part: nothing is known that would favour one, and equal weights lose little against the best ones (Dawes,
"The Robust Beauty of Improper Linear Models", American Psychologist 34, 1979)."""
MOVES = (0.8, 1.2)
FEWEST_COMPANIES = 30
"""Companies that a division must have in the registry to be judged."""
FEWEST_OPTIONS = 4
_HOSTED = (*map(str, range(13, 44)), "59", "63", "64", "65", "73", "74", "75", "77")
"""Divisions that settle in industrial and technology parks: manufacturing and repair, storage, telecommunications and software,
research and technical services, environmental services. Others come in when the park names them."""

Absence = Literal["no_local_companies", "no_founding_dates", "no_table", "no_demands", "nothing_to_compare"]


@dataclass(frozen=True)
class Industry:
    """A division and what each part says of it: ``marks`` are on one scale, 0 to 1, None where a part is unknown."""

    division: str
    preferred: bool
    quotient: Ratio
    founding: Ratio
    linkage: Linkage | None
    fit: tuple[FitPart, ...]
    measures: Mapping[PartName, float | None]
    marks: Mapping[PartName, float | None]
    score: float


@dataclass(frozen=True)
class Variation:
    """The choice when one part's weight is multiplied by ``factor``."""

    part: PartName
    factor: float
    chosen: tuple[str, ...]


@dataclass(frozen=True)
class Positioning:
    """``industries`` best first, and those ``chosen`` of them; what is ``absent`` counts nowhere, and why."""

    structure: Structure
    industries: tuple[Industry, ...]
    chosen: tuple[str, ...]
    weights: Mapping[PartName, float]
    absent: Mapping[PartName, Absence]
    variations: tuple[Variation, ...]
    too_few: tuple[str, ...]
    """Preferred divisions with too few companies to be judged."""
    table: InputOutputTable | None
    demands: DemandTable | None


def position(
    brief: Brief, structure: Structure, table: InputOutputTable | None = None, demands: DemandTable | None = None
) -> Positioning | None:
    """Return which industries suit the park of ``brief``; None when fewer than four can be judged.

    A part that is known of no industry, or says the same of all, is absent, and its weight goes to the others alike; so it does for a single
    industry of which a part is unknown. Marks keep their distances: where counts say little, they lie close together, and weigh little.
    """
    codes = [
        code for code in sorted({*_HOSTED, *brief.divisions}) if not rules_out(code, brief.exclusions, brief.limits)
    ]
    options = [code for code in codes if _count(structure, code) >= FEWEST_COMPANIES]
    if len(options) < FEWEST_OPTIONS:
        return None
    quotients, foundings = location_quotients(structure), founding_ratios(structure)
    linked = linkages(table, _sector_quotients(structure, table)) if table else {}
    fits = {code: fit_parts(brief, demands.rows[code]) for code in options if demands and code in demands.rows}
    absent = _absent(structure, table, demands)
    measures = {
        code: _measures(absent, quotients[code], foundings[code], linked.get(code), fits.get(code, ()))
        for code in options
    }
    for part in PARTS:
        values = {each[part] for each in measures.values() if each[part] is not None}
        if part not in absent and len(values) < 2:
            absent[part] = "nothing_to_compare"
    weights: dict[PartName, float] = {part: WEIGHT for part in PARTS if part not in absent}
    if not weights:
        return None
    of_each = {code: {part: _mark(part, measures[code][part]) for part in weights} for code in options}
    ordered = _ordered(of_each, weights)
    chosen = _chosen(of_each, ordered, weights)
    return Positioning(
        structure=structure,
        industries=tuple(
            Industry(
                division=code,
                preferred=code in brief.divisions,
                quotient=quotients[code],
                founding=foundings[code],
                linkage=linked.get(code),
                fit=fits.get(code, ()),
                measures=measures[code],
                marks={part: of_each[code].get(part) for part in PARTS},
                score=_score(of_each[code], weights),
            )
            for code in ordered
        ),
        chosen=chosen,
        weights={part: weight / sum(weights.values()) for part, weight in weights.items()},
        absent=absent,
        variations=_variations(of_each, weights, len(chosen)),
        too_few=tuple(code for code in brief.divisions if code in codes and code not in options),
        table=table,
        demands=demands,
    )


def _count(structure: Structure, code: str) -> int:
    found = structure.counts.get(code)
    return found.everywhere if found else 0


def _sector_quotients(structure: Structure, table: InputOutputTable) -> dict[str, float]:
    """Return the location quotients of the table's sectors, shrunk; a sector without companies counts as 1."""
    here = sum(each.here for each in structure.counts.values())
    everywhere = sum(each.everywhere for each in structure.counts.values())
    observed, expected = [], []
    for sector in table.sectors:
        counts = [structure.counts[code] for code in sector.divisions if code in structure.counts]
        observed.append(sum(each.here for each in counts))
        expected.append(sum(each.everywhere for each in counts) * here / everywhere if everywhere else 0.0)
    found = shrunk_ratios(observed, expected)
    return {sector.code: ratio.shrunk for sector, ratio in zip(table.sectors, found, strict=True)}


def _absent(
    structure: Structure, table: InputOutputTable | None, demands: DemandTable | None
) -> dict[PartName, Absence]:
    absent: dict[PartName, Absence] = {}
    if not any(each.here for each in structure.counts.values()):
        absent["location"] = absent["linkage"] = "no_local_companies"
    if not any(each.recent or each.before for each in structure.counts.values()):
        absent["growth"] = "no_founding_dates"
    if table is None:
        absent["linkage"] = "no_table"
    if demands is None:
        absent["fit"] = "no_demands"
    return absent


def _measures(
    absent: Mapping[PartName, Absence],
    quotient: Ratio,
    founding: Ratio,
    linkage: Linkage | None,
    fit: Sequence[FitPart],
) -> dict[PartName, float | None]:
    found: dict[PartName, float | None] = {
        "location": quotient.shrunk,
        "growth": founding.shrunk,
        "linkage": linkage.score if linkage else None,
        "fit": sum(each.score for each in fit) / len(fit) if fit else None,
    }
    return {part: None if part in absent else value for part, value in found.items()}


def _mark(part: PartName, measure: float | None) -> float | None:
    """Return a measure on the common scale: shares as they are, a ratio x as x / (1 + x), which is half where all is as usual."""
    if measure is None or part in {"linkage", "fit"}:
        return measure
    return measure / (1 + measure)


def _score(marks: Mapping[PartName, float | None], weights: Mapping[PartName, float]) -> float:
    """Return the mean of the known marks by weight; 0 where nothing is known."""
    known = [(mark, weights[part]) for part, mark in marks.items() if mark is not None]
    total = sum(weight for _, weight in known)
    return round(sum(mark * weight for mark, weight in known) / total, 9) if total else 0.0


def _ordered(of_each: Mapping[str, Mapping[PartName, float | None]], weights: Mapping[PartName, float]) -> list[str]:
    return sorted(of_each, key=lambda code: (-_score(of_each[code], weights), code))


def _chosen(
    of_each: Mapping[str, Mapping[PartName, float | None]], ordered: Sequence[str], weights: Mapping[PartName, float]
) -> tuple[str, ...]:
    """Return the first two, and the third where it is nearer to the second than to the fourth."""
    _, second, third, fourth = (_score(of_each[code], weights) for code in ordered[:4])
    return tuple(ordered[: 3 if second - third < third - fourth else 2])


def _variations(
    of_each: Mapping[str, Mapping[PartName, float | None]], weights: Mapping[PartName, float], count: int
) -> tuple[Variation, ...]:
    """Return the choice of as many industries for each weight moved down and up by a fifth."""
    if len(weights) < 2:  # a single weight cannot move against others
        return ()
    return tuple(
        Variation(part, factor, tuple(_ordered(of_each, {**weights, part: weight * factor})[:count]))
        for part, weight in weights.items()
        for factor in MOVES
    )
