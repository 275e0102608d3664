"""What a park's charges of a month fell short of its plan's minimum, once for each month. Rows are added, never changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Integer, String, UniqueConstraint, and_, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from billing.rules.minimums import Held
from billing.store.adjustments import ADJUSTMENT
from billing.store.attendance_fees import ATTENDANCE
from billing.store.joint_true_ups import JOINT
from billing.store.plans import SUBSCRIPTION, Plan, SubscriptionCharge
from billing.store.returns import LineReturn
from billing.store.usage import RatedUsage
from tenants.kernel.database import Base, Fen, TenantOwned
from tenants.rules.days import Span

MINIMUM = "minimum"
"""What stands for an offering on the usage of a minimum."""
NO_CHARGES = (SUBSCRIPTION, ADJUSTMENT, MINIMUM, JOINT, ATTENDANCE)
"""Usage that is no charge of a service: it does not count on a minimum."""


class MinimumCharge(TenantOwned, Base):
    """A month's minimum, the charges that counted on it when it was settled, and the difference that was charged."""

    __tablename__ = "minimum_charges"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        CheckConstraint("minimum_fen > 0 AND charges_fen >= 0", name="not_negative"),
        CheckConstraint("charged_fen = greatest(0, minimum_fen - charges_fen)", name="difference"),
    )

    period: Mapped[str] = mapped_column(String(7), primary_key=True)
    id: Mapped[UUID]
    minimum_fen: Mapped[Fen]
    charges_fen: Mapped[Fen]
    charged_fen: Mapped[Fen]
    vat_bp: Mapped[int] = mapped_column(Integer)
    charged_at: Mapped[datetime]


@dataclass(frozen=True)
class PlanHeld:
    """A plan with a minimum, and the days on which a park had it."""

    tenant_id: UUID
    name: str
    vat_bp: int
    held: Held


def plans_held(session: Session, period: str, month: Span, park_id: UUID | None) -> Sequence[PlanHeld]:
    """Return the plans with a minimum that parks had on days of a month which is not settled yet, by park and day."""
    after = aliased(SubscriptionCharge)
    until = func.least(SubscriptionCharge.whole_until, func.coalesce(after.from_day, SubscriptionCharge.whole_until))
    settled = select(MinimumCharge.period).where(
        MinimumCharge.tenant_id == SubscriptionCharge.tenant_id, MinimumCharge.period == period
    )
    query = (
        select(
            SubscriptionCharge.tenant_id,
            Plan.name,
            Plan.vat_bp,
            Plan.monthly_minimum_fen,
            SubscriptionCharge.from_day,
            until,
        )
        .join(Plan, Plan.id == SubscriptionCharge.plan_id)
        .outerjoin(
            after,
            and_(after.tenant_id == SubscriptionCharge.tenant_id, after.replaces_id == SubscriptionCharge.period_id),
        )
        .where(
            Plan.monthly_minimum_fen > 0,
            SubscriptionCharge.from_day < month.end,
            until > month.start,
            until > SubscriptionCharge.from_day,
            ~settled.exists(),
        )
        .order_by(SubscriptionCharge.tenant_id, SubscriptionCharge.from_day)
    )
    if park_id is not None:
        query = query.where(SubscriptionCharge.tenant_id == park_id)
    return [PlanHeld(row[0], row[1], row[2], Held(row[3], Span(row[4], row[5]))) for row in session.execute(query)]


def charges_of(session: Session, period: str, parks: Collection[UUID]) -> dict[UUID, int]:
    """Return what parks were charged for services used in a month, before discounts, less what was returned."""
    back = (
        select(LineReturn.tenant_id, LineReturn.rated_usage_id, func.sum(LineReturn.amount_fen).label("fen"))
        .where(LineReturn.tenant_id.in_(parks))
        .group_by(LineReturn.tenant_id, LineReturn.rated_usage_id)
        .subquery()
    )
    charge = RatedUsage.gross_fen + RatedUsage.agreed_discount_fen - func.coalesce(back.c.fen, 0)
    query = (
        select(RatedUsage.tenant_id, func.sum(charge))
        .outerjoin(back, (back.c.tenant_id == RatedUsage.tenant_id) & (back.c.rated_usage_id == RatedUsage.id))
        .where(RatedUsage.tenant_id.in_(parks), RatedUsage.period == period, RatedUsage.offering.not_in(NO_CHARGES))
        .group_by(RatedUsage.tenant_id)
    )
    return {row[0]: int(row[1]) for row in session.execute(query)}


def insert_charges(session: Session, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Write what months came to and return the ids of those that were not settled before; a second caller waits here."""
    if not rows:
        return set()
    once = insert(MinimumCharge).values(list(rows)).on_conflict_do_nothing(index_elements=["tenant_id", "period"])
    return set(session.execute(once.returning(MinimumCharge.id)).scalars())


def charge_of_usage(session: Session, usage: RatedUsage) -> MinimumCharge:
    """Return the minimum that usage charges."""
    query = select(MinimumCharge).where(
        MinimumCharge.tenant_id == usage.tenant_id, MinimumCharge.id == usage.order_line_id
    )
    return session.execute(query).scalar_one()


def amounts_of_month(session: Session, period: str) -> dict[UUID, tuple[int, int]]:
    """Return, by rated usage, the minimum and the charges that counted on it, of a month's usage."""
    query = (
        select(RatedUsage.id, MinimumCharge.minimum_fen, MinimumCharge.charges_fen)
        .join(
            MinimumCharge,
            (MinimumCharge.tenant_id == RatedUsage.tenant_id) & (MinimumCharge.id == RatedUsage.order_line_id),
        )
        .where(RatedUsage.period == period, RatedUsage.offering == MINIMUM)
    )
    return {row[0]: (row[1], row[2]) for row in session.execute(query)}


def has_minimums(session: Session) -> bool:
    """Tell whether any plan asks for one."""
    return session.execute(select(Plan.id).where(Plan.monthly_minimum_fen > 0).limit(1)).first() is not None
