"""Sums of rated usage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, func, literal, select
from sqlalchemy.orm import Session

from billing.rules.periods import DEFAULT_ZONE, Period
from billing.store.usage import RatedUsage, UsageEvent

_LOCAL = func.timezone(literal(DEFAULT_ZONE, literal_execute=True), UsageEvent.time)
USAGE_KEYS: Mapping[str, ColumnElement[Any]] = {
    "offering": cast(RatedUsage.offering, Text),
    "day": func.to_char(_LOCAL, literal("YYYY-MM-DD", literal_execute=True)),
    "month": func.to_char(_LOCAL, literal("YYYY-MM", literal_execute=True)),
    "park": cast(RatedUsage.tenant_id, Text),
}
"""By what usage may be summed."""


def usage_sums(
    session: Session, period: Period, group_by: str, tenant_id: UUID | None
) -> Sequence[tuple[str, int, Decimal, int, int, int]]:
    """Return key, number, quantity and amounts of what was used in a period, in the order of the keys."""
    key = USAGE_KEYS[group_by]
    amounts = (RatedUsage.gross_fen, RatedUsage.subsidy_fen, RatedUsage.payable_fen)
    query = (
        select(key, func.count(), func.sum(RatedUsage.quantity), *(func.sum(amount) for amount in amounts))
        .join(
            UsageEvent,
            (UsageEvent.tenant_id == RatedUsage.tenant_id)
            & (UsageEvent.source == RatedUsage.event_source)
            & (UsageEvent.event_id == RatedUsage.event_id),
        )
        .where(UsageEvent.time >= period.start, UsageEvent.time < period.end)
        .group_by(key)
        .order_by(key)
    )
    if tenant_id is not None:
        query = query.where(RatedUsage.tenant_id == tenant_id)
    return [
        (name, number, quantity, int(gross), int(subsidy), int(payable))
        for name, number, quantity, gross, subsidy, payable in session.execute(query)
    ]
