"""Standing orders: a service for a site that is ordered anew each month, until it ends, is stopped or is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.kernel.database import Base, Code, Fen, Name, TenantOwned, one_of, owned_reference


class StandingOrder(TenantOwned, Base):
    """A service for a site, to be ordered at the beginning of each month. Its first month was an ordinary order."""

    __tablename__ = "standing_orders"
    __table_args__ = (
        owned_reference("site_id", "sites"),
        owned_reference("order_id", "orders"),
        one_of("status", ("running", "ended", "stopped", "halted")),
        one_of("payment_method", ("invoice", "wallet")),
        CheckConstraint("extract(day FROM next_month) = 1 AND extract(day FROM last_month) = 1", name="months"),
        CheckConstraint("(status = 'running') = (closed_at IS NULL)", name="closed"),
        CheckConstraint("(status = 'halted') = (halt_code IS NOT NULL AND halt_reason IS NOT NULL)", name="halted"),
        CheckConstraint("status <> 'running' OR last_month IS NULL OR next_month <= last_month", name="running"),
        Index(
            "uq_standing_orders_running",
            "tenant_id",
            "site_id",
            "offering",
            unique=True,
            postgresql_where=text("status = 'running'"),
        ),
        Index("ix_standing_orders_due", "next_month", postgresql_where=text("status = 'running'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[UUID]
    offering: Mapped[Code]
    title: Mapped[Name]
    order_id: Mapped[UUID]
    """The order of the first month."""
    payment_method: Mapped[Code]
    most_payable_fen: Mapped[Fen]
    """What the park has agreed to pay a month: it is never charged more without being asked."""
    next_month: Mapped[date]
    last_month: Mapped[date | None]
    """The last month to be ordered; None until it is stopped."""
    status: Mapped[Code]
    halt_code: Mapped[Code | None]
    halt_reason: Mapped[str | None] = mapped_column(String(500))
    ordered_by: Mapped[UUID | None]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


def due_standing_orders(session: Session, month: date, limit: int) -> Sequence[tuple[UUID, UUID, UUID | None]]:
    """Return (park, id, who ordered) of running standing orders whose next month is ``month`` or has passed."""
    query = (
        select(StandingOrder.tenant_id, StandingOrder.id, StandingOrder.ordered_by)
        .where(StandingOrder.status == "running", StandingOrder.next_month <= month)
        .order_by(StandingOrder.next_month, StandingOrder.id)
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(query)]


def standing_orders_of(session: Session, tenant_id: UUID) -> Sequence[StandingOrder]:
    """Return a park's standing orders, running ones first, then the newest."""
    query = select(StandingOrder).where(StandingOrder.tenant_id == tenant_id)
    return (
        session.execute(query.order_by(StandingOrder.closed_at.desc().nulls_first(), StandingOrder.id.desc()))
        .scalars()
        .all()
    )


def locked_standing_order(session: Session, tenant_id: UUID, standing_order_id: UUID) -> StandingOrder | None:
    """Return a park's standing order under lock."""
    query = select(StandingOrder).where(StandingOrder.tenant_id == tenant_id, StandingOrder.id == standing_order_id)
    fresh: Any = query.with_for_update().execution_options(populate_existing=True)
    found: StandingOrder | None = session.execute(fresh).scalar_one_or_none()
    return found
