"""Reads of parks and organisations, each one statement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select, tuple_
from sqlalchemy.orm import Session

from tenants.kernel.clock import CHINA
from tenants.kernel.database import AnyRow
from tenants.store.organisations import Organisation, Park
from tenants.store.standing_queries import is_blocked
from tenants.store.subscriptions import Subscription

ORGANISATION = Organisation.__table__.c
PARK = Park.__table__.c
SUBSCRIPTION = Subscription.__table__.c


def running(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a subscription runs at ``now``."""
    return (SUBSCRIPTION.starts_at <= now) & or_(SUBSCRIPTION.ends_at.is_(None), SUBSCRIPTION.ends_at > now)


def park(session: Session, park_id: UUID, now: datetime) -> AnyRow | None:
    """Return a park with its organisation and running tier."""
    return session.execute(_parks(now).where(PARK.tenant_id == park_id)).one_or_none()


def parks(
    session: Session,
    now: datetime,
    *,
    verification: str | None,
    region_prefix: str,
    before: tuple[datetime, UUID] | None,
    most: int,
) -> Sequence[AnyRow]:
    """Return up to ``most`` parks, newest first, of a verification and of the region whose codes start so."""
    query = _parks(now).order_by(PARK.created_at.desc(), PARK.tenant_id.desc()).limit(most)
    if verification is not None:
        query = query.where(PARK.verification == verification)
    if region_prefix:
        query = query.where(ORGANISATION.region_code.startswith(region_prefix, autoescape=True))
    if before is not None:
        query = query.where(tuple_(PARK.created_at, PARK.tenant_id) < before)
    return session.execute(query).all()


def profiles(session: Session) -> Sequence[AnyRow]:
    """Return id, name, region, size and verification of every park."""
    query = select(ORGANISATION.id, ORGANISATION.name, ORGANISATION.region_code, PARK.size, PARK.verification)
    return session.execute(
        query.join_from(Park.__table__, Organisation.__table__, ORGANISATION.id == PARK.tenant_id)
    ).all()


def verification_under_lock(session: Session, park_id: UUID) -> str | None:
    """Return a park's verification and keep other deciders waiting until the transaction ends."""
    return session.execute(select(PARK.verification).where(PARK.tenant_id == park_id).with_for_update()).scalar()


def organisation(session: Session, condition: ColumnElement[bool]) -> AnyRow | None:
    """Return the one organisation that meets ``condition``, if the transaction may see it."""
    return session.execute(select(*ORGANISATION).where(condition)).one_or_none()


def names(session: Session, ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of organisations that the transaction may see."""
    rows = session.execute(select(ORGANISATION.id, ORGANISATION.name).where(ORGANISATION.id.in_(ids)))
    return {row.id: row.name for row in rows}


def running_subscription(session: Session, park_id: UUID, now: datetime) -> AnyRow | None:
    """Return a park's running subscription: its few rows lie together in the primary key's index."""
    return session.execute(
        select(*SUBSCRIPTION).where(SUBSCRIPTION.tenant_id == park_id, running(now))
    ).one_or_none()  # fmt: skip


def _parks(now: datetime) -> Select[*tuple[Any, ...]]:
    tier = (
        select(SUBSCRIPTION.tier)
        .where(SUBSCRIPTION.tenant_id == PARK.tenant_id, running(now))
        .correlate(Park.__table__)
        .scalar_subquery()
    )
    return select(
        ORGANISATION.id,
        ORGANISATION.name,
        ORGANISATION.uscc,
        ORGANISATION.region_code,
        ORGANISATION.payment_reference,
        ORGANISATION.control_group,
        PARK.size,
        PARK.verification,
        PARK.decision_note,
        PARK.created_at,
        tier.label("tier"),
        is_blocked(ORGANISATION.uscc, now.astimezone(CHINA).date()).label("credit_blocked"),
    ).join_from(Park.__table__, Organisation.__table__, ORGANISATION.id == PARK.tenant_id)
