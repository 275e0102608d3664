"""A map of tiles: every place a square of the same size, near where it lies, none over another.

A schematic map needs no borders and no tiles from elsewhere, and small places are as readable as large ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, cos, radians, sqrt

Position = tuple[float, float]
"""Latitude and longitude in decimal degrees, or column and row."""
_LEAST = 1e-9
"""What counts as nearer: less would let rounding change places for ever."""
SPARE = 1.5
"""Cells per place: room for the outline to be recognised."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Where a place is drawn: column from the west, row from the north, both from 0."""

    column: int
    row: int


def lay_out(places: Mapping[str, Position]) -> dict[str, Tile]:
    """Return a tile for each place. The same places always give the same tiles.

    Each takes the free cell nearest to where it lies; then places change cells as long as that brings the two of them
    nearer together. So the outline and the neighbours are kept as well as a grid can.
    """
    if not places:
        return {}
    middle = sum(latitude for latitude, _ in places.values()) / len(places)
    plane = {name: (lon * cos(radians(middle)), -lat) for name, (lat, lon) in places.items()}
    west, east = (edge(x for x, _ in plane.values()) for edge in (min, max))
    north, south = (edge(y for _, y in plane.values()) for edge in (min, max))
    width, height = max(east - west, 1e-6), max(south - north, 1e-6)
    columns = max(1, ceil(sqrt(len(places) * SPARE * min(3.0, max(1 / 3, width / height)))))
    rows = max(1, ceil(len(places) * SPARE / columns))
    at = {
        name: ((x - west) / width * (columns - 1), (y - north) / height * (rows - 1)) for name, (x, y) in plane.items()
    }
    free: list[Position] = [(column, row) for row in range(rows) for column in range(columns)]
    cells: dict[str, Position] = {}
    for name in sorted(at):
        cells[name] = min(free, key=lambda cell: (_distance(cell, at[name]), cell))
        free.remove(cells[name])
    while _improved(cells, at, free):
        pass
    return {name: Tile(int(column), int(row)) for name, (column, row) in cells.items()}


def _improved(cells: dict[str, Position], at: Mapping[str, Position], free: list[Position]) -> bool:
    """Let each place move to a free cell or change with another where that is nearer; tell whether any did."""
    improved = False
    names = sorted(cells)
    for name in names:
        for number, cell in enumerate(free):
            if _distance(cell, at[name]) < _distance(cells[name], at[name]) - _LEAST:
                free[number], cells[name] = cells[name], cell
                improved = True
        for other in names:
            now = _distance(cells[name], at[name]) + _distance(cells[other], at[other])
            then = _distance(cells[other], at[name]) + _distance(cells[name], at[other])
            if then < now - _LEAST:
                cells[name], cells[other] = cells[other], cells[name]
                improved = True
    return improved


def _distance(one: Position, other: Position) -> float:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2
