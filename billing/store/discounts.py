"""Discounts that were agreed with a park or set for a tier: asked, decided, ended; never edited."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ColumnElement, Index, Integer, String, insert, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.rules.discounts import Discount
from billing.store.usage import RatedUsage
from tenants.kernel.database import Base, Code, one_of
from tenants.kernel.vocabulary import Tier


class DiscountRow(Base):
    """A discount for one park or for the parks of one tier, on one offering or on whole invoices (``offering`` empty).

    ``by_two`` says that it is above what one person may decide. It counts once it is in force, within its window and
    until it is ended.
    """

    __tablename__ = "discounts"
    __table_args__ = (
        CheckConstraint("num_nonnulls(park_id, tier) = 1", name="whose"),
        CheckConstraint("num_nonnulls(rate_bp, amount_fen) = 1", name="how_much"),
        CheckConstraint("rate_bp BETWEEN 1 AND 10000", name="rate"),
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint("valid_from < valid_to", name="window"),
        one_of("tier", Tier),
        one_of("status", ("asked", "in_force", "refused")),
        CheckConstraint("(status = 'asked') = (decided_at IS NULL)", name="decided"),
        CheckConstraint("NOT by_two OR status <> 'in_force' OR decided_by <> asked_by", name="four_eyes"),
        CheckConstraint("(ended_by IS NULL) = (ended_at IS NULL)", name="ended"),
        CheckConstraint("ended_at IS NULL OR status = 'in_force'", name="ended_in_force"),
        Index(None, "park_id"),
        Index(None, "asked_at"),
        {"info": {"shared": "a tier's discounts are all its parks'; a row policy shows a park these and its own"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    park_id: Mapped[UUID | None]
    tier: Mapped[Code | None]
    offering: Mapped[str] = mapped_column(String(64))
    rate_bp: Mapped[int | None] = mapped_column(Integer)
    amount_fen: Mapped[int | None] = mapped_column(BigInteger)
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(500))
    status: Mapped[Code]
    by_two: Mapped[bool] = mapped_column(Boolean)
    asked_by: Mapped[UUID]
    asked_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]

    def rule(self) -> Discount:
        """Return the discount as the rules know it."""
        return Discount(self.id, self.rate_bp, self.amount_fen)


def insert_discount(session: Session, values: Mapping[str, Any]) -> None:
    """Write a discount that was asked for."""
    session.execute(insert(DiscountRow).values(values))


def lock_discount(session: Session, discount_id: UUID) -> DiscountRow | None:
    """Return a discount, under lock until the transaction ends."""
    query = select(DiscountRow).where(DiscountRow.id == discount_id).execution_options(populate_existing=True)
    return session.execute(query.with_for_update(key_share=True)).scalar_one_or_none()


def discounts_by_id(session: Session, ids: Collection[UUID]) -> dict[UUID, DiscountRow]:
    """Return some discounts by their ids."""
    if not ids:
        return {}
    query = select(DiscountRow).where(DiscountRow.id.in_(ids)).execution_options(populate_existing=True)
    return {row.id: row for row in session.execute(query).scalars()}


def discounts_of_month(session: Session, period: str) -> dict[UUID, Discount]:
    """Return the discounts that came off a month's usage."""
    used = select(RatedUsage.agreed_discount_id).where(RatedUsage.period == period)
    query = select(DiscountRow).where(DiscountRow.id.in_(used.where(RatedUsage.agreed_discount_id.is_not(None))))
    return {row.id: row.rule() for row in session.execute(query).scalars()}


def discounts_page(
    session: Session,
    *,
    park_id: UUID | None,
    tier: str | None,
    only_in_force: bool,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[DiscountRow]:
    """Return discounts that the transaction may see, newest first; of one park those of ``tier`` as well."""
    query = select(DiscountRow).order_by(DiscountRow.asked_at.desc(), DiscountRow.id.desc()).limit(limit)
    if park_id is not None:
        query = query.where(_concerns(park_id, tier))
    if only_in_force:
        query = query.where(DiscountRow.status == "in_force")
    if before is not None:
        at, last_id = before
        query = query.where((DiscountRow.asked_at < at) | ((DiscountRow.asked_at == at) & (DiscountRow.id < last_id)))
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def in_force_at(
    session: Session, tenant_id: UUID, tier: str | None, offerings: Collection[str], at: datetime
) -> dict[str, list[Discount]]:
    """Return, by offering, the discounts that count for a park's order at a moment."""
    query = select(DiscountRow).where(
        _concerns(tenant_id, tier),
        DiscountRow.offering.in_(offerings),
        *_counts(at),
        DiscountRow.valid_from <= at,
        DiscountRow.valid_to > at,
    )
    found: dict[str, list[Discount]] = {}
    for row in session.execute(query).scalars():
        found.setdefault(row.offering, []).append(row.rule())
    return found


def of_invoices(session: Session, offering: str, at: datetime, last_moment: datetime) -> Sequence[DiscountRow]:
    """Return the discounts of whole invoices that count at ``at`` and whose window holds a month's last moment."""
    query = select(DiscountRow).where(
        DiscountRow.offering == offering,
        *_counts(at),
        DiscountRow.valid_from <= last_moment,
        DiscountRow.valid_to > last_moment,
    )
    return session.execute(query).scalars().all()


def _concerns(park_id: UUID, tier: str | None) -> ColumnElement[bool]:
    own = DiscountRow.park_id == park_id
    return own if tier is None else or_(own, DiscountRow.tier == tier)


def _counts(at: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        DiscountRow.status == "in_force",
        DiscountRow.decided_at <= at,
        or_(DiscountRow.ended_at.is_(None), DiscountRow.ended_at > at),
    )
