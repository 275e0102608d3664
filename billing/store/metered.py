"""Use charged in arrears by meter: what was charged for which part of a month, from which snapshot of the events.

Rows are added and never changed. What came late, or was corrected, is a row of its own that says what had been charged
before it; so the sum of a part's rows is always what its last quantity comes to.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Numeric, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Fen, TenantOwned, owned_reference

METERED = "meter:"
"""With a meter's slug it stands for an offering, on prices and on usage."""


def offering_of(meter: str) -> str:
    """Return what a meter's charges are priced and shown under."""
    return f"{METERED}{meter}"


class MeteredUsage(TenantOwned, Base):
    """What a part of a month was charged by one price, by what the meter counted in one snapshot of the database.

    ``id`` is the ``order_line_id`` of its rated usage; what costs nothing more has none. ``charged_fen`` is negative for
    what a correction has lowered: credit notes are asked for it (``MeteredCredit``).
    """

    __tablename__ = "metered_usage"
    __table_args__ = (
        UniqueConstraint("tenant_id", "meter", "price_id", "span_from", "number"),
        CheckConstraint("span_from < span_to", name="span"),
        CheckConstraint("number >= 0", name="number"),
        CheckConstraint("already_fen + charged_fen >= 0", name="whole"),
        CheckConstraint("number > 0 OR (already_units = 0 AND already_fen = 0)", name="first"),
        Index(None, "tenant_id", "period"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    meter: Mapped[str] = mapped_column(String(64), ForeignKey("meters.slug"))
    price_id: Mapped[UUID] = mapped_column(ForeignKey("prices.id"))
    period: Mapped[str] = mapped_column(String(7))
    """The month of its use."""
    span_from: Mapped[datetime]
    span_to: Mapped[datetime]
    number: Mapped[int] = mapped_column(Integer)
    """0 for the first row of a part, then as they come."""
    snapshot: Mapped[str] = mapped_column(Text)
    """PostgreSQL's name of the snapshot: exactly the events of transactions that it sees were counted."""
    taken_at: Mapped[datetime]
    quantity: Mapped[Decimal] = mapped_column(Numeric(24, 6))
    """All that was counted in the part, not only what came since."""
    already_units: Mapped[Decimal] = mapped_column(Numeric(24, 6))
    already_fen: Mapped[Fen]
    charged_fen: Mapped[Fen]


class MeteredCredit(TenantOwned, Base):
    """A credit note that was asked for what a correction has lowered, and how much of it is for this row."""

    __tablename__ = "metered_credits"
    __table_args__ = (
        owned_reference("metered_id", "metered_usage"),
        owned_reference("credit_note_id", "credit_notes"),
        CheckConstraint("amount_fen > 0", name="positive"),
        UniqueConstraint("tenant_id", "credit_note_id"),
    )

    metered_id: Mapped[UUID] = mapped_column(primary_key=True)
    credit_note_id: Mapped[UUID] = mapped_column(primary_key=True)
    amount_fen: Mapped[Fen]


class MeteredMonth(Base):
    """A month whose use of a meter has begun to be charged: what is rolled up of it from then on is late. Once all parks
    are charged, only what came late is looked at.
    """

    __tablename__ = "metered_months"
    __table_args__ = (
        CheckConstraint("charged_at >= begun_at", name="charged"),
        {"info": {"shared": "months are charged for all parks"}},
    )

    meter: Mapped[str] = mapped_column(String(64), ForeignKey("meters.slug"), primary_key=True)
    period: Mapped[str] = mapped_column(String(7), primary_key=True)
    begun_at: Mapped[datetime]
    charged_at: Mapped[datetime | None]
    """When the month was over and the last park was charged; set once."""


class LateUsage(TenantOwned, Base):
    """That events or corrections of a month have come after it began to be charged. A hint where to look: ``noted``
    counts how often some came, ``seen`` up to which of them was looked.
    """

    __tablename__ = "late_usage"
    __table_args__ = (
        CheckConstraint("seen BETWEEN 0 AND noted", name="seen"),
        Index(None, "tenant_id", postgresql_where="seen < noted"),
    )

    meter: Mapped[str] = mapped_column(String(64), ForeignKey("meters.slug"), primary_key=True)
    period: Mapped[str] = mapped_column(String(7), primary_key=True)
    noted: Mapped[int] = mapped_column(Integer)
    seen: Mapped[int] = mapped_column(Integer)
