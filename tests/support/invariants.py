"""Running invariants in a test."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

from tenants.kernel.context import system_actor
from tenants.kernel.invariants import Invariant
from tenants.kernel.work import WorkShop


def broken(workshop: WorkShop, invariants: Sequence[Invariant]) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows that break each invariant, as staff see them; empty when all hold."""
    with workshop.work(system_actor("check")) as work:
        rows = {one.name: [tuple(row) for row in work.session.execute(text(one.sql))] for one in invariants}
    return {name: found for name, found in rows.items() if found}
