"""Where a table comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """What a table is called, the year of its figures (None where nobody said), under which licence, and the hash of its file."""

    name: str
    year: int | None
    licence: str
    sha256: str
