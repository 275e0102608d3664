"""Simulations of policy versions over past orders: asked for, worked out, kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, ForeignKeyConstraint, Index, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, one_of


class Simulation(Base):
    """One trial of a version on the orders of a period; ``result`` is there once it is done."""

    __tablename__ = "simulations"
    __table_args__ = (
        ForeignKeyConstraint(["programme_id", "version"], ["policy_versions.programme_id", "policy_versions.version"]),
        one_of("status", ("queued", "done")),
        CheckConstraint("period_to > period_from", name="period"),
        CheckConstraint("orders_done BETWEEN 0 AND orders_total", name="progress"),
        CheckConstraint("(status = 'done') = (result IS NOT NULL)", name="result"),
        Index(None, "programme_id", "version", "requested_at"),
        {"info": {"shared": "figures over all parks, which only staff may read"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    programme_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(Integer)
    period_from: Mapped[datetime]
    period_to: Mapped[datetime]
    with_funds: Mapped[bool] = mapped_column(Boolean)
    status: Mapped[Code]
    orders_total: Mapped[int] = mapped_column(Integer)
    orders_done: Mapped[int] = mapped_column(Integer)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    requested_by: Mapped[UUID | None]
    requested_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
