"""Sums of rated usage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, func, literal, select
from sqlalchemy.orm import Session

from billing.rules.periods import DEFAULT_ZONE, Period
from billing.store.returns import LineReturn
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
) -> Sequence[tuple[str, int, Decimal, int, int, int, int]]:
    """Return key, number, quantity and amounts of what was used in a period, in the order of the keys.

    The amounts are without what was returned since, which comes last.
    """
    key = USAGE_KEYS[group_by]
    back = (
        select(
            LineReturn.tenant_id,
            LineReturn.rated_usage_id,
            func.sum(LineReturn.amount_fen).label("gross_fen"),
            func.sum(LineReturn.public_fen).label("subsidy_fen"),
            func.sum(LineReturn.park_fen).label("payable_fen"),
        )
        .group_by(LineReturn.tenant_id, LineReturn.rated_usage_id)
        .subquery()
    )
    names = ("gross_fen", "subsidy_fen", "payable_fen")
    amounts = [getattr(RatedUsage, name) - func.coalesce(back.c[name], 0) for name in names]
    amounts.append(func.coalesce(back.c.gross_fen, 0))
    query = (
        select(key, func.count(), func.sum(RatedUsage.quantity), *(func.sum(amount) for amount in amounts))
        .join(
            UsageEvent,
            (UsageEvent.tenant_id == RatedUsage.tenant_id)
            & (UsageEvent.source == RatedUsage.event_source)
            & (UsageEvent.event_id == RatedUsage.event_id),
        )
        .outerjoin(back, (back.c.tenant_id == RatedUsage.tenant_id) & (back.c.rated_usage_id == RatedUsage.id))
        .where(UsageEvent.time >= period.start, UsageEvent.time < period.end)
        .group_by(key)
        .order_by(key)
    )
    if tenant_id is not None:
        query = query.where(RatedUsage.tenant_id == tenant_id)
    return [
        (name, number, quantity, int(gross), int(subsidy), int(payable), int(returned))
        for name, number, quantity, gross, subsidy, payable, returned in session.execute(query)
    ]
