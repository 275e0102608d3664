"""Whether a park's land and power suit an industry, by figures that somebody with a source has stated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from services.rules.leads import Brief
from services.rules.positioning.origin import Origin

Criterion = Literal["area", "land_price", "power", "electricity"]
_FEN = 100


@dataclass(frozen=True)
class Demand:
    """What a usual project of a division needs: one row of the operator's table. None is what the row does not say."""

    division: str
    row: int
    """Line of the file, the header being the first."""
    source: str
    area_mu: float | None = None
    land_price_yuan_per_mu: float | None = None
    """The highest at which such projects settle."""
    power_kva_per_mu: float | None = None
    electricity_yuan_per_kwh: float | None = None
    """The highest at which such projects settle."""


@dataclass(frozen=True)
class DemandTable:
    """The rows by division."""

    origin: Origin
    rows: dict[str, Demand]


@dataclass(frozen=True)
class FitPart:
    """One criterion: what is needed (or borne at most), what the park offers, and how far that goes, 0 to 1."""

    criterion: Criterion
    needed: float
    offered: float
    score: float


def fit_parts(brief: Brief, demand: Demand) -> tuple[FitPart, ...]:
    """Return the criteria that both the brief and the row speak of; each is the share of the need that is met, 1 at most.

    Power is needed for the project's land, or for all of the park's where that is less.
    """
    return tuple(_parts(brief, demand))


def _parts(brief: Brief, demand: Demand) -> Iterator[FitPart]:
    if demand.area_mu:
        yield FitPart("area", demand.area_mu, brief.area_mu, min(1.0, brief.area_mu / demand.area_mu))
    if demand.land_price_yuan_per_mu is not None and brief.land_price_fen_per_mu is not None:
        yield _price("land_price", demand.land_price_yuan_per_mu, brief.land_price_fen_per_mu / _FEN)
    if demand.power_kva_per_mu and brief.power_kva is not None:
        land = brief.area_mu if demand.area_mu is None else min(brief.area_mu, demand.area_mu)
        needed = demand.power_kva_per_mu * land
        yield FitPart("power", needed, brief.power_kva, min(1.0, brief.power_kva / needed))
    if demand.electricity_yuan_per_kwh is not None and brief.electricity_yuan_per_kwh is not None:
        yield _price("electricity", demand.electricity_yuan_per_kwh, brief.electricity_yuan_per_kwh)


def _price(criterion: Criterion, borne: float, asked: float) -> FitPart:
    return FitPart(criterion, borne, asked, min(1.0, borne / asked) if asked else 1.0)
