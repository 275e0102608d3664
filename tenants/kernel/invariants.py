"""What must hold over the whole database at every moment between transactions, each written as a query."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Invariant:
    """A sentence that is always true, and the SQL that finds the rows which break it.

    ``name`` is stable and hyphenated. ``sql`` is one SELECT without parameters; it runs as staff, reads only, and no row is
    the good answer. ``recent`` asks only about what has changed since it was last found to hold, where the whole takes long.
    """

    name: str
    sentence: str
    sql: str
    recent: str | None = None
