"""Reads of prices and of programmes with their versions, and the locks their changes stand on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session

from billing.store.programmes import PolicyVersion, Price, Programme


def prices_at(session: Session, offerings: Collection[str], at: datetime) -> Sequence[Price]:
    """Return the prices that hold for some offerings at ``at``, of every scope, in one read."""
    if not offerings:
        return []
    holds = (Price.valid_from <= at, or_(Price.valid_to.is_(None), Price.valid_to > at))
    return session.execute(select(Price).where(Price.offering.in_(offerings), *holds)).scalars().all()


def lock_prices(session: Session, offering: str) -> Sequence[Price]:
    """Return an offering's prices in time order under lock."""
    query = select(Price).where(Price.offering == offering).order_by(Price.valid_from, Price.id).with_for_update()
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def prices_of(session: Session, offering: str) -> Sequence[Price]:
    """Return every price that an offering had, has or will have, scope by scope, the newest first."""
    query = select(Price).where(Price.offering == offering)
    order = (Price.region, Price.region_class, Price.tier, Price.valid_from.desc(), Price.id.desc())
    return session.execute(query.order_by(*order).execution_options(populate_existing=True)).scalars().all()


def offering_of_price(session: Session, price_id: UUID) -> str | None:
    """Return what a price is for."""
    return session.execute(select(Price.offering).where(Price.id == price_id)).scalar_one_or_none()


def approved_versions(session: Session, at: datetime) -> Sequence[tuple[Programme, PolicyVersion]]:
    """Return every approved version whose time had come at ``at``, with its programme."""
    query = (
        select(Programme, PolicyVersion)
        .join(PolicyVersion, PolicyVersion.programme_id == Programme.id)
        .where(PolicyVersion.status == "approved", PolicyVersion.effective_from <= at)
        .order_by(Programme.slug, PolicyVersion.version)
    )
    return [(programme, version) for programme, version in session.execute(query)]


def lock_programme(session: Session, programme_id: UUID) -> Programme | None:
    """Return a programme under lock: its versions are numbered and decided one at a time."""
    query = select(Programme).where(Programme.id == programme_id).with_for_update(key_share=True)
    return session.execute(query).scalar_one_or_none()


def lock_all_programmes(session: Session) -> None:
    """Lock every programme, in one order: what depends on several of them is decided one at a time."""
    session.execute(select(Programme.id).order_by(Programme.id).with_for_update(key_share=True))


def versions_of(session: Session, programme_id: UUID) -> Sequence[PolicyVersion]:
    """Return a programme's versions as they are now, oldest first."""
    query = select(PolicyVersion).where(PolicyVersion.programme_id == programme_id).order_by(PolicyVersion.version)
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def policy_documents(session: Session, versions: Collection[tuple[str, int]]) -> list[dict[str, Any]]:
    """Return the documents of some versions, named by their programme's slug and their number."""
    if not versions:
        return []
    query = (
        select(PolicyVersion.policy)
        .join(Programme, Programme.id == PolicyVersion.programme_id)
        .where(tuple_(Programme.slug, PolicyVersion.version).in_(list(versions)))
    )
    return list(session.execute(query).scalars())


def neighbours_of(session: Session, programme_id: UUID) -> Sequence[PolicyVersion]:
    """Return the versions of other programmes that are, or may come, into force."""
    query = select(PolicyVersion).where(
        PolicyVersion.programme_id != programme_id, PolicyVersion.status.in_(("submitted", "approved"))
    )
    return session.execute(query).scalars().all()


def all_programmes(session: Session) -> Sequence[Programme]:
    """Return all programmes by slug."""
    return session.execute(select(Programme).order_by(Programme.slug)).scalars().all()
