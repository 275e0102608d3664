"""What an order may do next, and how it is numbered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from tenants.kernel.clock import CHINA

QUOTE_VALID_FOR = timedelta(minutes=30)
"""How long a shown price can be confirmed."""
HOLD_VALID_FOR = timedelta(days=30)
"""How long public money stays reserved for a line that is neither delivered nor cancelled, from the day it is due."""

FOLLOW_UP_AFTER = timedelta(minutes=15)
"""How long after the order a line may wait before its delivery is looked at again."""


class PaymentMethod(StrEnum):
    """How a park pays its part."""

    INVOICE = "invoice"
    WALLET = "wallet"


class LineStatus(StrEnum):
    """Where one line stands. A line leaves ``placed`` once and stays where it went."""

    PLACED = "placed"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


class OrderStatus(StrEnum):
    """Where an order stands, by its lines."""

    PLACED = "placed"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


def order_status(lines: Iterable[LineStatus]) -> OrderStatus:
    """Return an order's status: open while a line is, completed when any was delivered, else failed or cancelled."""
    statuses = set(lines)
    if LineStatus.PLACED in statuses:
        return OrderStatus.PLACED
    if LineStatus.DELIVERED in statuses:
        return OrderStatus.COMPLETED
    return OrderStatus.FAILED if LineStatus.FAILED in statuses else OrderStatus.CANCELLED


def hold_until(placed_at: datetime, appointments: Iterable[datetime]) -> datetime:
    """Return until when an order's money waits: inspections are booked months ahead, and are not overdue before."""
    return max((placed_at, *appointments)) + HOLD_VALID_FOR


def order_number(placed_at: datetime, order_id: UUID) -> str:
    """Return the number people quote: the day in China and the random end of the id, such as 20260302-4F0C91A2."""
    return f"{placed_at.astimezone(CHINA):%Y%m%d}-{order_id.hex[-8:].upper()}"
