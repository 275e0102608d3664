"""Reads and writes of subscriptions and their periods."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from tenants.kernel.database import AnyRow
from tenants.kernel.writing import array_of_ids, rows_written
from tenants.store.organisations import Organisation
from tenants.store.subscriptions import Subscription, SubscriptionPeriod

_END = func.coalesce(SubscriptionPeriod.cut_at, SubscriptionPeriod.ends_at)


def subscriptions_from(session: Session, park_id: UUID, now: datetime) -> Sequence[Subscription]:
    """Return what a park holds now or from later on, in time order; what was taken back is not among it."""
    query = select(Subscription).where(
        Subscription.tenant_id == park_id,
        or_(
            Subscription.ends_at.is_(None),
            (Subscription.ends_at > now) & (Subscription.ends_at > Subscription.starts_at),
        ),
    )
    ordered = query.order_by(Subscription.starts_at).execution_options(populate_existing=True)
    return session.execute(ordered).scalars().all()


def begun_subscriptions(session: Session, park_id: UUID, until: datetime) -> Sequence[Subscription]:
    """Return a park's subscriptions that had begun by ``until``, in time order."""
    query = select(Subscription).where(
        Subscription.tenant_id == park_id,
        Subscription.starts_at <= until,
        or_(Subscription.ends_at.is_(None), Subscription.ends_at > Subscription.starts_at),
    )
    ordered = query.order_by(Subscription.starts_at).execution_options(populate_existing=True)
    return session.execute(ordered).scalars().all()


def tiers_at(session: Session, park_ids: Collection[UUID], at: datetime) -> Sequence[tuple[UUID, str]]:
    """Return the tiers that parks have at a moment, of those that the transaction may see."""
    query = select(Subscription.tenant_id, Subscription.tier).where(
        Subscription.tenant_id.in_(park_ids),
        Subscription.starts_at <= at,
        or_(Subscription.ends_at.is_(None), Subscription.ends_at > at),
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def held_between(
    session: Session, start: datetime, end: datetime, park_ids: Collection[UUID] | None
) -> Sequence[AnyRow]:
    """Return the subscriptions of all or some parks that overlap a time, with the parks' regions, in time order."""
    query = (
        select(
            Subscription.tenant_id,
            Subscription.starts_at,
            Subscription.ends_at,
            Subscription.tier,
            Organisation.region_code,
        )
        .join(Organisation, Organisation.id == Subscription.tenant_id)
        .where(
            Subscription.starts_at < end,
            or_(
                Subscription.ends_at.is_(None),
                (Subscription.ends_at > start) & (Subscription.ends_at > Subscription.starts_at),
            ),
        )
    )
    if park_ids is not None:
        query = query.where(Subscription.tenant_id == func.any(array_of_ids(park_ids)))
    return session.execute(query.order_by(Subscription.tenant_id, Subscription.starts_at)).all()


def end_subscription(
    session: Session, park_id: UUID, subscription_id: UUID, *, seen: datetime | None, at: datetime | None
) -> bool:
    """Let a subscription end ``at`` (None: not); False when it does not end where it was ``seen`` to any more."""
    ending = (
        update(Subscription)
        .where(
            Subscription.tenant_id == park_id,
            Subscription.id == subscription_id,
            Subscription.ends_at.is_not_distinct_from(seen),
        )
        .values(ends_at=at)
    )
    return rows_written(session, ending) == 1


def cut_period(session: Session, park_id: UUID, at: datetime) -> UUID | None:
    """Cut the period that runs at ``at`` there, and return it; None where none runs."""
    cutting = (
        update(SubscriptionPeriod)
        .where(SubscriptionPeriod.tenant_id == park_id, SubscriptionPeriod.starts_at <= at, at < _END)
        .values(cut_at=at)
        .returning(SubscriptionPeriod.id)
    )
    return session.execute(cutting).scalar_one_or_none()


def begin_period(session: Session, values: Mapping[str, Any]) -> bool:
    """Write a period unless it, or another of its time, has begun."""
    return rows_written(session, insert(SubscriptionPeriod).values(values).on_conflict_do_nothing()) == 1


def last_ends(session: Session, park_id: UUID) -> dict[UUID, datetime]:
    """Return, by subscription, until when its last period goes that has begun."""
    query = select(SubscriptionPeriod.subscription_id, func.max(SubscriptionPeriod.ends_at)).where(
        SubscriptionPeriod.tenant_id == park_id
    )
    return {row[0]: row[1] for row in session.execute(query.group_by(SubscriptionPeriod.subscription_id))}


def latest_start(session: Session, park_id: UUID) -> datetime | None:
    """Return when the last period began that a park has, None for none."""
    query = select(func.max(SubscriptionPeriod.starts_at)).where(SubscriptionPeriod.tenant_id == park_id)
    return session.execute(query).scalar_one()


def periods_of(session: Session, park_id: UUID) -> Sequence[SubscriptionPeriod]:
    """Return a park's periods in time order; of two that begin at one moment first the one that was cut there."""
    order = (SubscriptionPeriod.starts_at, SubscriptionPeriod.cut_at.nulls_last(), SubscriptionPeriod.id)
    query = select(SubscriptionPeriod).where(SubscriptionPeriod.tenant_id == park_id).order_by(*order)
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def period_at(session: Session, park_id: UUID, at: datetime) -> SubscriptionPeriod | None:
    """Return the period of a park that runs at a moment."""
    query = select(SubscriptionPeriod).where(
        SubscriptionPeriod.tenant_id == park_id, SubscriptionPeriod.starts_at <= at, at < _END
    )
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def parks_to_renew(session: Session, now: datetime) -> Sequence[UUID]:
    """Return the parks whose subscription runs at ``now`` without a period that has begun."""
    period = aliased(SubscriptionPeriod)
    covered = (
        select(period.id)
        .where(
            period.tenant_id == Subscription.tenant_id,
            period.starts_at <= now,
            func.coalesce(period.cut_at, period.ends_at) > now,
        )
        .exists()
    )
    running = (Subscription.starts_at <= now) & or_(Subscription.ends_at.is_(None), Subscription.ends_at > now)
    query = select(Subscription.tenant_id).where(running, ~covered).order_by(Subscription.tenant_id)
    return session.execute(query).scalars().all()
