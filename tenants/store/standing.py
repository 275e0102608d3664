"""Who belongs together, and who may get no public money: control groups and the dishonesty list."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Name


class ControlGroup(Base):
    """Organisations with one actual controller. Which ones they are stands on the organisations."""

    __tablename__ = "control_groups"
    __table_args__ = (UniqueConstraint("name"), {"info": {"shared": "staff keep it; parks and providers meet in it"}})

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[Name]
    note: Mapped[str] = mapped_column(String(500))
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]


class CreditBlock(Base):
    """An entry of the dishonesty list, by credit code: whoever it names gets no subsidy while it counts.

    It counts from ``valid_from`` until the day before ``valid_until`` (for good without one), unless it is lifted.
    """

    __tablename__ = "credit_blocks"
    __table_args__ = (
        UniqueConstraint("uscc", "document_no"),
        CheckConstraint("valid_until > valid_from", name="days"),
        CheckConstraint("(lifted_at IS NULL) = (lift_reason IS NULL)", name="lift"),
        Index(None, "entered_at", "id"),
        {
            "info": {
                "shared": "a public list, kept by staff, that also names organisations which are not on the platform"
            }
        },
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    uscc: Mapped[str] = mapped_column(String(18))
    name: Mapped[Name]
    source: Mapped[Name]
    """Who put it on the list: a court, an authority."""
    document_no: Mapped[Name]
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    entered_by: Mapped[UUID | None]
    entered_at: Mapped[datetime]
    lifted_by: Mapped[UUID | None]
    lifted_at: Mapped[datetime | None]
    lift_reason: Mapped[str | None] = mapped_column(String(500))
