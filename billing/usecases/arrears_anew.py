"""Metered use worked out anew for reconciliation: from the events that its snapshot saw, by the price of its time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from billing.rules.arrears import due, looks_at_events
from billing.rules.periods import Period
from billing.store import metered_queries as store
from billing.store import settlements
from billing.store.metered import MeteredUsage
from billing.usecases.arrears import count_by_park, values_by_park
from billing.usecases.rated import charge_of
from tenants.kernel.work import Work

Seen = tuple[str, datetime, datetime, str]
"""Meter, time and snapshot: rows that share them are counted together."""


def metered_anew(work: Work, period: str) -> dict[UUID, int]:
    """Return, by rated usage, what a month's metered use comes to; for use cases that have asked for their permission."""
    groups: dict[Seen, list[tuple[MeteredUsage, UUID]]] = {}
    for row, usage_id in store.metered_of_month(work.session, period):
        if usage_id is not None:
            seen = (row.meter, row.span_from, row.span_to, row.snapshot)
            groups.setdefault(seen, []).append((row, usage_id))
    found: dict[UUID, int] = {}
    for (meter, start, end, snapshot), rows in groups.items():
        found |= _of_group(work, meter, Period(start, end), snapshot, rows)
    return found


def _of_group(
    work: Work, slug: str, during: Period, snapshot: str, rows: list[tuple[MeteredUsage, UUID]]
) -> dict[UUID, int]:
    meter = store.meters_by_slug(work.session, [slug])[slug]
    prices = {price_id: settlements.price_of(work.session, price_id) for price_id in {row.price_id for row, _ in rows}}
    charges = {price_id: charge_of(price) for price_id, price in prices.items() if price is not None}
    counted = count_by_park(work, meter, during, {row.tenant_id for row, _ in rows}, as_of=snapshot)
    by_event = {row.tenant_id for row, _ in rows if looks_at_events(charges[row.price_id])}
    values = values_by_park(work, meter, during, by_event, snapshot) if by_event else {}
    found = {}
    for row, usage_id in rows:
        charge = charges[row.price_id]
        quantity = counted.of(row.tenant_id)
        single = values.get(row.tenant_id, []) if looks_at_events(charge) else None
        found[usage_id] = due(charge, quantity, row.already_fen, single).fen
    return found
