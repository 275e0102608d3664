"""Reads of funds, their envelopes and entries, and the locks that a draw stands on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.store.funds import PLACES, Appropriation, AppropriationPart, Envelope, Fund, FundEntry

GENERAL = ""
"""The envelope of a fund's money that is allotted to no region."""


def funds_by_slug(session: Session, slugs: Collection[str]) -> dict[str, Fund]:
    """Return the funds of some slugs; one that does not exist is left out."""
    if not slugs:
        return {}
    found = session.execute(select(Fund).where(Fund.slug.in_(slugs))).scalars()
    return {fund.slug: fund for fund in found}


def ids_of_funds(session: Session, slugs: Collection[str]) -> dict[str, UUID]:
    """Return the ids of the funds of some slugs; a fund that does not exist is left out."""
    if not slugs:
        return {}
    wanted = {"slugs": list(slugs)}
    found = session.connection().exec_driver_sql("SELECT slug, id FROM funds WHERE slug = ANY(%(slugs)s)", wanted)
    return {row.slug: row.id for row in found}


def names_of_funds(session: Session, fund_ids: Collection[UUID]) -> dict[UUID, tuple[str, str]]:
    """Return the names of some funds, in Chinese and in English."""
    if not fund_ids:
        return {}
    rows = session.execute(select(Fund.id, Fund.name, Fund.name_en).where(Fund.id.in_(fund_ids)))
    return {row.id: (row.name, row.name_en) for row in rows}


def fund_of(session: Session, fund_id: UUID, *, lock: bool = False) -> Fund | None:
    """Return a fund as it is now, under lock where asked."""
    query = select(Fund).where(Fund.id == fund_id).execution_options(populate_existing=True)
    return session.execute(query.with_for_update(key_share=True) if lock else query).scalar_one_or_none()


def all_funds(session: Session) -> Sequence[Fund]:
    """Return all funds, newest year first."""
    return session.execute(select(Fund).order_by(Fund.year.desc(), Fund.slug)).scalars().all()


def envelopes_of(session: Session, fund_ids: Collection[UUID]) -> Sequence[Envelope]:
    """Return the envelopes of some funds as they are now."""
    query = select(Envelope).where(Envelope.fund_id.in_(fund_ids)).order_by(Envelope.fund_id, Envelope.envelope)
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def available_by_slug(session: Session, slugs: Collection[str], envelopes: Iterable[str]) -> dict[str, int]:
    """Return what each fund has left in ``envelopes``, in fen; 0 for a fund that is not open or does not exist."""
    query = (
        select(Fund.slug, Envelope.available_fen)
        .join(Envelope, Envelope.fund_id == Fund.id)
        .where(Fund.slug.in_(slugs), Fund.status == "open", Envelope.envelope.in_(list(envelopes)))
    )
    left = dict.fromkeys(slugs, 0)
    for slug, available in session.execute(query) if slugs else ():
        left[slug] += available
    return left


def lock_places(session: Session, places: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], int]:
    """Lock envelopes one after another, in the order given; return what each has available, in fen."""
    found = {}
    for fund_id, envelope in places:
        query = select(Envelope.available_fen).where(Envelope.fund_id == fund_id, Envelope.envelope == envelope)
        found[fund_id, envelope] = session.execute(query.with_for_update(key_share=True)).scalar_one()
    return found


def ensure_envelope(session: Session, fund_id: UUID, envelope: str) -> None:
    """Give a fund an envelope with nothing in it, unless it has it."""
    row = insert(Envelope).values(fund_id=fund_id, envelope=envelope, **{f"{place}_fen": 0 for place in PLACES})
    session.execute(row.on_conflict_do_nothing())


def lock_appropriation(session: Session, appropriation_id: UUID) -> Appropriation | None:
    """Return an appropriation under lock: it is decided once."""
    query = select(Appropriation).where(Appropriation.id == appropriation_id).with_for_update()
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def appropriations_of(session: Session, fund_id: UUID) -> Sequence[Appropriation]:
    """Return a fund's appropriations, newest first."""
    query = select(Appropriation).where(Appropriation.fund_id == fund_id)
    return session.execute(query.order_by(Appropriation.requested_at.desc(), Appropriation.id.desc())).scalars().all()


def parts_of(session: Session, appropriation_ids: Collection[UUID]) -> Sequence[AppropriationPart]:
    """Return the regional parts of some appropriations, by envelope."""
    query = select(AppropriationPart).where(AppropriationPart.appropriation_id.in_(appropriation_ids))
    return session.execute(query.order_by(AppropriationPart.envelope)).scalars().all()


@dataclass(frozen=True)
class EntryFilter:
    """Which entries of a fund's register: those of a place (as source or destination), an envelope, a half-open time."""

    place: str | None = None
    envelope: str | None = None
    start: datetime | None = None
    end: datetime | None = None


def entry_page(
    session: Session, fund_id: UUID, wanted: EntryFilter, before: tuple[datetime, UUID] | None, limit: int
) -> Sequence[FundEntry]:
    """Return up to ``limit`` entries of a fund, newest first."""
    query = select(FundEntry).where(FundEntry.fund_id == fund_id)
    if wanted.place is not None:
        query = query.where((FundEntry.source == wanted.place) | (FundEntry.destination == wanted.place))
    if wanted.envelope is not None:
        query = query.where(FundEntry.envelope == wanted.envelope)
    if wanted.start is not None:
        query = query.where(FundEntry.at >= wanted.start)
    if wanted.end is not None:
        query = query.where(FundEntry.at < wanted.end)
    if before is not None:
        at, entry_id = before
        query = query.where((FundEntry.at < at) | ((FundEntry.at == at) & (FundEntry.id < entry_id)))
    return session.execute(query.order_by(FundEntry.at.desc(), FundEntry.id.desc()).limit(limit)).scalars().all()
