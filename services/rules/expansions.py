"""Dated expansions of companies into other cities: what they had done before a day, and nothing that came after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from services.rules.leads import Company, own_region


@dataclass(frozen=True, order=True)
class Expansion:
    """A company opened a site in a region on a day. It is named by its credit code, or by its name where that is empty."""

    uscc: str
    name: str
    region_code: str
    on: date


def with_history(companies: Iterable[Company], expansions: Iterable[Expansion], day: date) -> Iterator[Company]:
    """Yield the companies with their expansions before ``day``: the dated ones, or the registry's count where that is more.

    One into the company's own city is none; repeated rows of one city and day are one. The order of neither changes anything.
    """
    by_code: dict[str, set[tuple[str, date]]] = {}
    by_name: dict[str, set[tuple[str, date]]] = {}
    for each in expansions:
        if each.on < day:
            known = by_code.setdefault(each.uscc, set()) if each.uscc else by_name.setdefault(each.name, set())
            known.add((own_region(each.region_code), each.on))
    for company in companies:
        moves = by_code.get(company.uscc, set()) | by_name.get(company.name, set())
        home = own_region(company.region_code)
        dated = sum(place != home for place, _ in moves)
        yield replace(company, expansions=dated) if dated > company.expansions else company
