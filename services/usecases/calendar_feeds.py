"""Bookings as calendars that phones and office programs read again and again, at addresses that are secret.

Whoever has an address reads the calendar without signing in, as calendar programs cannot; so it tells no more than the
instrument, the time and what is tested, and it can be revoked at any time.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, insert, or_, select, tuple_, update

from services.gateways.calendar_files import render_calendar
from services.store.bookings import Booking
from services.store.calendar_feeds import CalendarFeed
from services.store.catalogue import Instrument
from services.usecases.bookings import bookings_where, calendar_entry
from tenants.kernel.context import Actor
from tenants.kernel.errors import FieldError, Invalid, NotAllowed, NotFound
from tenants.kernel.identifiers import new_id, new_secret
from tenants.kernel.messages import Message, msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit

LONGEST_NAME = 100
PAST = timedelta(days=90)
AHEAD = timedelta(days=400)
"""What a feed shows: what is over for a quarter, and a year and a month ahead."""
MOST_EVENTS = 2000
READ_NOTED = timedelta(hours=1)


@dataclass(frozen=True)
class NewFeed:
    """A new address. Its ``secret`` is shown this once."""

    id: UUID
    owner_id: UUID
    name: str
    secret: str


@dataclass(frozen=True)
class FeedView:
    """An address without its secret."""

    id: UUID
    name: str
    instrument_id: UUID | None
    instrument_name: str | None
    created_at: datetime
    revoked_at: datetime | None
    last_read_at: datetime | None


def create_feed(work: Work, *, name: str, instrument_id: UUID | None = None) -> NewFeed:
    """Make an address: of the acting park's bookings, or of one of the acting provider's instruments.

    Raises Invalid for the name, and for an instrument that is missing, not the provider's own, or named by a park;
    NotAllowed for a program: somebody answers for who is given the address.
    """
    work.actor.require(_right(work.actor))
    person = work.actor.require_person()
    own_name = _checked_name(name)
    owner_id = _owner(work.actor)
    _check_instrument(work, owner_id, instrument_id)
    feed_id, secret = new_id(), new_secret()
    work.session.execute(
        insert(CalendarFeed).values(
            tenant_id=owner_id,
            id=feed_id,
            instrument_id=instrument_id,
            name=own_name,
            secret_hash=_hash(secret),
            created_by=person,
            created_at=work.now,
        )
    )
    audit.record(work, "calendar_feed.create", "calendar_feed", feed_id, name=own_name)
    return NewFeed(feed_id, owner_id, own_name, secret)


def list_feeds(work: Work, *, limit: int = 50, cursor: str | None = None) -> Page[FeedView]:
    """Return the own organisation's addresses, newest first, revoked ones too."""
    work.actor.require(_right(work.actor))
    query = (
        select(CalendarFeed, Instrument.name)
        .outerjoin(
            Instrument,
            (Instrument.provider_id == CalendarFeed.tenant_id) & (Instrument.id == CalendarFeed.instrument_id),
        )
        .where(CalendarFeed.tenant_id == _owner(work.actor))
        .order_by(CalendarFeed.created_at.desc(), CalendarFeed.id.desc())
        .limit(check_limit(limit) + 1)
    )
    if (before := decode_cursor(cursor)) is not None:
        query = query.where(tuple_(CalendarFeed.created_at, CalendarFeed.id) < before)
    rows = work.session.execute(query).all()
    return page_of(rows, limit, lambda row: _view(*row), lambda row: (row[0].created_at, row[0].id))


def revoke_feed(work: Work, *, feed_id: UUID) -> None:
    """End an address at once; again is no error. NotFound for one that is not the own organisation's."""
    work.actor.require(_right(work.actor))
    person = work.actor.require_person()
    mine = (CalendarFeed.tenant_id == _owner(work.actor), CalendarFeed.id == feed_id)
    ended = update(CalendarFeed).where(*mine, CalendarFeed.revoked_at.is_(None))
    changes = ended.values(revoked_at=work.now, revoked_by=person).execution_options(synchronize_session=False)
    if rows_written(work.session, changes):
        audit.record(work, "calendar_feed.revoke", "calendar_feed", feed_id)
    elif work.session.execute(select(CalendarFeed.id).where(*mine)).first() is None:
        raise NotFound("calendar_feed.not_found", msg("没有找到该日历地址。请从列表中重新打开。"))


def read_feed(work: Work, *, owner_id: UUID, feed_id: UUID, secret: str) -> bytes:
    """Return the calendar at an address, for the platform that answers whoever has it.

    NotFound for an address that was never given or is revoked; which of them, nobody is told.
    """
    work.actor.require(Permission.READ_ORDER)
    row = work.session.execute(
        select(CalendarFeed).where(CalendarFeed.tenant_id == owner_id, CalendarFeed.id == feed_id)
    ).scalar_one_or_none()
    known = row is not None and hmac.compare_digest(row.secret_hash, _hash(secret))
    if row is None or not known or row.revoked_at is not None:
        raise NotFound("calendar_feed.gone", msg("该日历地址无效或已撤销。请向给您地址的单位索取新地址。"))
    _note_read(work, row)
    own: tuple[ColumnElement[bool], ...] = (Booking.tenant_id == owner_id,)
    if row.instrument_id is not None:
        own = (Booking.provider_id == owner_id, Booking.instrument_id == row.instrument_id)
    shown = (Booking.starts_at >= work.now - PAST, Booking.starts_at < work.now + AHEAD)
    found = bookings_where(work, *own, *shown, limit=MOST_EVENTS)
    return render_calendar([calendar_entry(each) for each in found], name=row.name)


def _note_read(work: Work, feed: CalendarFeed) -> None:
    """Note that somebody reads it, not more than once an hour: programs ask all day."""
    before = or_(CalendarFeed.last_read_at.is_(None), CalendarFeed.last_read_at < work.now - READ_NOTED)
    work.session.execute(
        update(CalendarFeed)
        .where(CalendarFeed.tenant_id == feed.tenant_id, CalendarFeed.id == feed.id, before)
        .values(last_read_at=work.now),
        execution_options={"synchronize_session": False},
    )


def _right(actor: Actor) -> Permission:
    """Return what it takes: a park's people read its orders, a provider's report on its instruments."""
    return Permission.REPORT_INSPECTION if actor.tenant_id is None else Permission.READ_ORDER


def _owner(actor: Actor) -> UUID:
    owner = actor.tenant_id or actor.organisation_id
    if owner is None:
        raise NotAllowed("calendar_feed.no_owner", msg("日历地址属于园区或服务机构。请以其账号登录。"))
    return owner


def _checked_name(name: str) -> str:
    own = name.strip()
    if not own or len(own) > LONGEST_NAME or not own.isprintable():
        raise _wrong("name", msg("请用 1 至 {limit} 个字写明谁用它，如“实验室前台”。", limit=LONGEST_NAME))
    return own


def _check_instrument(work: Work, owner_id: UUID, instrument_id: UUID | None) -> None:
    if work.actor.tenant_id is not None:
        if instrument_id is not None:
            raise _wrong("instrument_id", msg("园区的日历含全部预约，请不要指定仪器。"))
        return
    own = select(Instrument.id).where(Instrument.provider_id == owner_id, Instrument.id == instrument_id)
    if instrument_id is None or work.session.execute(own).first() is None:
        raise _wrong("instrument_id", msg("请选择本机构的一台仪器。"))


def _wrong(field: str, message: Message) -> Invalid:
    return Invalid(f"calendar_feed.{field}", message, errors=[FieldError(field, f"calendar_feed.{field}", message)])


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _view(feed: CalendarFeed, instrument_name: str | None) -> FeedView:
    return FeedView(
        id=feed.id,
        name=feed.name,
        instrument_id=feed.instrument_id,
        instrument_name=instrument_name,
        created_at=feed.created_at,
        revoked_at=feed.revoked_at,
        last_read_at=feed.last_read_at,
    )
