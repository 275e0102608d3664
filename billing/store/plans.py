"""Plans by version, and what each billing period of a subscription was charged. Both are added and never changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Integer, UniqueConstraint, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from billing.store.usage import RatedUsage
from tenants.kernel.database import Base, Code, Fen, Name, TenantOwned, one_of
from tenants.kernel.vocabulary import Tier
from tenants.kernel.writing import rows_written

SUBSCRIPTION = "subscription"
"""What stands for an offering on the usage of a subscription."""


class Plan(Base):
    """A version of a tier's plan, in force from ``valid_from`` until the next one begins."""

    __tablename__ = "plans"
    __table_args__ = (
        UniqueConstraint("tier", "version"),
        UniqueConstraint("tier", "valid_from"),
        one_of("tier", Tier),
        CheckConstraint("monthly_fee_fen >= 0 AND yearly_fee_fen >= 0", name="fees"),
        CheckConstraint("monthly_minimum_fen >= 0", name="minimum"),
        CheckConstraint("vat_bp BETWEEN 0 AND 10000", name="vat"),
        {"info": {"shared": "plans are public and the same for every park"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tier: Mapped[Code]
    version: Mapped[int] = mapped_column(Integer)
    name: Mapped[Name]
    name_en: Mapped[Name]
    monthly_fee_fen: Mapped[Fen]
    yearly_fee_fen: Mapped[Fen]
    monthly_minimum_fen: Mapped[Fen] = mapped_column(server_default="0")
    """What the charges of a month come to at least, VAT included; what they fall short of it is charged."""
    vat_bp: Mapped[int] = mapped_column(Integer)
    entitlements: Mapped[dict[str, Any]]
    valid_from: Mapped[datetime]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]

    def fee_fen(self, billed_every: str) -> int:
        """Return the fee of a whole month or year."""
        return self.yearly_fee_fen if billed_every == "year" else self.monthly_fee_fen


class SubscriptionCharge(TenantOwned, Base):
    """What one billing period was charged, once: the fee of its days, less what was credited and carried."""

    __tablename__ = "subscription_charges"
    __table_args__ = (
        UniqueConstraint("tenant_id", "replaces_id"),
        one_of("billed_every", ("month", "year")),
        CheckConstraint("whole_from <= from_day AND from_day < whole_until", name="days"),
        CheckConstraint(
            "charged_fen - carried_out_fen = due_fen - credit_fen - carried_in_fen"
            " AND least(charged_fen, carried_out_fen) = 0"
            " AND least(due_fen, credit_fen, carried_in_fen, replaced_back_fen) >= 0",
            name="sums",
        ),
    )

    period_id: Mapped[UUID] = mapped_column(primary_key=True)
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plans.id"))
    billed_every: Mapped[Code]
    whole_from: Mapped[date]
    whole_until: Mapped[date]
    from_day: Mapped[date]
    replaces_id: Mapped[UUID | None]
    """The period whose rest is credited."""
    due_fen: Mapped[Fen]
    credit_fen: Mapped[Fen]
    replaced_back_fen: Mapped[Fen] = mapped_column(server_default="0")
    """What of the replaced fee's rest credit notes had given back; ``credit_fen`` is without it."""
    carried_in_fen: Mapped[Fen]
    carried_out_fen: Mapped[Fen]
    charged_fen: Mapped[Fen]
    charged_at: Mapped[datetime]


def plan_at(session: Session, tier: str, at: datetime) -> Plan | None:
    """Return the version of a tier's plan that is in force at a moment."""
    query = select(Plan).where(Plan.tier == tier, Plan.valid_from <= at).order_by(Plan.valid_from.desc()).limit(1)
    return session.execute(query).scalar_one_or_none()


def plans_of(session: Session) -> Sequence[Plan]:
    """Return every version of every plan, the newest of each tier first."""
    return session.execute(select(Plan).order_by(Plan.tier, Plan.version.desc())).scalars().all()


def last_version(session: Session, tier: str) -> int:
    """Return the number of a tier's last version, 0 for none."""
    return session.execute(select(func.coalesce(func.max(Plan.version), 0)).where(Plan.tier == tier)).scalar_one()


def insert_plan(session: Session, values: Mapping[str, Any]) -> bool:
    """Write a version; False when its number or its moment is taken."""
    return rows_written(session, insert(Plan).values(values).on_conflict_do_nothing()) == 1


def charge_of(session: Session, tenant_id: UUID, period_id: UUID) -> tuple[SubscriptionCharge, Plan] | None:
    """Return what a period was charged, and by which plan."""
    query = (
        select(SubscriptionCharge, Plan)
        .join(Plan, Plan.id == SubscriptionCharge.plan_id)
        .where(SubscriptionCharge.tenant_id == tenant_id, SubscriptionCharge.period_id == period_id)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else (row[0], row[1])


def lock_charge(session: Session, period_id: UUID) -> None:
    """Wait for everybody who credits or replaces a period's fee; parks may not lock rows that they may not change."""
    session.execute(select(func.pg_advisory_xact_lock(int.from_bytes(period_id.bytes[8:], "big", signed=True))))


def replacing(session: Session, tenant_id: UUID, period_id: UUID) -> SubscriptionCharge | None:
    """Return what the period was charged that took the place of another one's rest."""
    query = select(SubscriptionCharge).where(
        SubscriptionCharge.tenant_id == tenant_id, SubscriptionCharge.replaces_id == period_id
    )
    return session.execute(query).scalar_one_or_none()


def charged_periods(session: Session, tenant_id: UUID) -> set[UUID]:
    """Return the periods of a park that were charged."""
    query = select(SubscriptionCharge.period_id).where(SubscriptionCharge.tenant_id == tenant_id)
    return set(session.execute(query).scalars())


def left_over(session: Session, tenant_id: UUID) -> int:
    """Return what a park has left over from fees, which counts for its next one."""
    carried = SubscriptionCharge.carried_out_fen - SubscriptionCharge.carried_in_fen
    query = select(func.coalesce(func.sum(carried), 0)).where(SubscriptionCharge.tenant_id == tenant_id)
    return int(session.execute(query).scalar_one())


def insert_charge(session: Session, values: Mapping[str, Any]) -> bool:
    """Write what a period was charged; False when it was before. A second caller waits here for the first."""
    once = insert(SubscriptionCharge).values(values).on_conflict_do_nothing(index_elements=["tenant_id", "period_id"])
    return rows_written(session, once) == 1


def fees_of_month(
    session: Session, period: str
) -> dict[UUID, tuple[SubscriptionCharge, Plan, SubscriptionCharge | None, Plan | None]]:
    """Return, by rated usage, what a month's subscription usage was charged for, with what it replaced."""
    before, its_plan = aliased(SubscriptionCharge), aliased(Plan)
    query = (
        select(RatedUsage.id, SubscriptionCharge, Plan, before, its_plan)
        .join(
            SubscriptionCharge,
            (SubscriptionCharge.tenant_id == RatedUsage.tenant_id)
            & (SubscriptionCharge.period_id == RatedUsage.order_line_id),
        )
        .join(Plan, Plan.id == SubscriptionCharge.plan_id)
        .outerjoin(
            before,
            (before.tenant_id == SubscriptionCharge.tenant_id) & (before.period_id == SubscriptionCharge.replaces_id),
        )
        .outerjoin(its_plan, its_plan.id == before.plan_id)
        .where(RatedUsage.period == period, RatedUsage.offering == SUBSCRIPTION)
    )
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in session.execute(query)}


def plans_by_id(session: Session, ids: Collection[UUID]) -> dict[UUID, Plan]:
    """Return some versions."""
    return {plan.id: plan for plan in session.execute(select(Plan).where(Plan.id.in_(ids))).scalars()}
