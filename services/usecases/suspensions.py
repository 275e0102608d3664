"""Parks that did not come too often: kept out of a provider's new bookings for a time, until a person lifts it.

A suspension is noted by the clock in a transaction of its own that holds nothing else, since every checkout of the park
at the provider waits for it. Bookings that are made stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import ColumnElement, Integer, Select, func, insert, or_, select, true, tuple_
from sqlalchemy.dialects.postgresql import insert as insert_once
from sqlalchemy.exc import DBAPIError

from services.rules.attendance import terms_of
from services.rules.suspensions import Missed, counted
from services.store.attendance import AttendanceExcuse
from services.store.bookings import Booking
from services.store.suspensions import BookingSuspension, SuspensionLift, lock_out_bookings
from services.usecases.bookings import BookingStatus
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.outbox import Event
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit, onboarding

SUSPENDED = "MK011"
"""The error state of the policy that keeps a suspended park out."""
LOOK_BACK = timedelta(days=7)
"""How long after a no-show its suspension is still made good where the clock had stood still."""
LONGEST_REASON = 500


@dataclass(frozen=True)
class SuspensionView:
    """A park books nothing new at a provider within ``[began_at, until)``; ``lifted_at`` tells of an early end."""

    id: UUID
    park_id: UUID
    provider_id: UUID
    provider_name: str
    no_shows: int
    window_days: int
    booking_ids: tuple[UUID, ...]
    began_at: datetime
    ends_at: datetime
    lifted_at: datetime | None
    lifted_by: UUID | None
    lifted_side: str | None
    lift_reason: str | None

    @property
    def until(self) -> datetime:
        """Return its end, early or not."""
        return self.ends_at if self.lifted_at is None else min(self.lifted_at, self.ends_at)


@dataclass(frozen=True)
class SuspectPark:
    """A park with no-shows at a provider that may be too many."""

    tenant_id: UUID
    provider_id: UUID


def parks_to_suspend(work: Work) -> tuple[SuspectPark, ...]:
    """Return the parks and providers whose no-shows of late may suspend; ``suspend`` decides."""
    work.actor.require(Permission.RUN_PLATFORM)
    after = Booking.attendance["suspend_after"].astext.cast(Integer)
    query = (
        select(Booking.tenant_id, Booking.provider_id)
        .where(Booking.status == BookingStatus.NO_SHOW, after > 0, ~_has_led())
        .group_by(Booking.tenant_id, Booking.provider_id)
        .having(func.count() >= func.min(after), func.max(Booking.starts_at) > work.now - LOOK_BACK)
    )
    return tuple(SuspectPark(*row) for row in work.session.execute(query))


def suspend(work: Work, *, provider_id: UUID) -> SuspensionView | None:
    """Suspend the acting park at a provider where its no-shows are too many by the rule of the latest; None where not.

    The first statement of its transaction: it waits for every booking of the park at the provider that is being made,
    and those that are made stay.
    """
    work.actor.require(Permission.METER_USAGE)
    park_id = work.actor.require_tenant()
    lock_out_bookings(work.session, park_id, provider_id)
    found = counted(_missed(work, park_id, provider_id))
    if not found:
        return None
    latest = found[0]
    began_at = _after_bookings(work, park_id, provider_id)
    suspension_id = new_id()
    row = {
        "tenant_id": park_id,
        "id": suspension_id,
        "provider_id": provider_id,
        "provider_name": onboarding.park_names(work, park_ids=[provider_id]).get(provider_id, "—"),
        "booking_id": latest.booking_id,
        "booking_ids": [each.booking_id for each in found],
        "no_shows": len(found),
        "window_days": latest.terms.suspend_window_days,
        "rule_version": latest.terms.version,
        "began_at": began_at,
        "ends_at": began_at + timedelta(days=latest.terms.suspend_days),
    }
    work.session.execute(insert(BookingSuspension).values(row))
    audit.record(work, "booking.suspend", "suspension", suspension_id, provider_id=provider_id, no_shows=len(found))
    return _read(work, BookingSuspension.id == suspension_id)


def lift_suspension(work: Work, *, suspension_id: UUID, reason: str) -> SuspensionView:
    """End a suspension at once, by a person of its provider or of the operator.

    Raises NotFound for another provider's, Conflict for one that is over, Invalid without a reason.
    """
    work.actor.require(Permission.LIFT_SUSPENSION)
    person = work.actor.require_person()
    words = reason.strip()
    if not words or len(words) > LONGEST_REASON:
        wrong = msg("请用 1 至 {limit} 个字说明解除原因，园区会看到它。", limit=LONGEST_REASON)
        raise Invalid("suspension.reason", wrong, errors=[FieldError("reason", "suspension.reason", wrong)])
    found = _read(work, BookingSuspension.id == suspension_id, *_reach(work))
    if found is None:
        raise NotFound("suspension.not_found", msg("没有找到该暂停记录。请从列表中重新打开。"))
    row = {
        "tenant_id": found.park_id,
        "suspension_id": suspension_id,
        "side": "operator" if work.actor.may(Permission.RUN_PLATFORM) else "provider",
        "lifted_by": person,
        "lifted_at": work.now,
        "reason": words,
    }
    once = insert_once(SuspensionLift).values(row).on_conflict_do_nothing()
    if found.until <= work.now or not rows_written(work.session, once):
        raise Conflict("suspension.over", msg("该暂停已经结束，无需解除。请刷新页面。"))
    audit.record(work, "booking.lift_suspension", "suspension", suspension_id, tenant_id=found.park_id, reason=words)
    work.emit(Event("suspension.lifted", found.park_id, {"suspension_id": str(suspension_id)}))
    lifted = _read(work, BookingSuspension.id == suspension_id)
    assert lifted is not None, "it was just lifted"  # noqa: S101 - for the type checker
    return lifted


def excuse(work: Work, *, park_id: UUID, booking_id: UUID, reason: str) -> None:
    """Let a no-show count for no suspension any more, and end what stands on too few without it. A repeat changes nothing."""
    work.actor.require(Permission.DECIDE_DISPUTE)
    row = {
        "tenant_id": park_id,
        "booking_id": booking_id,
        "reason": reason.strip(),
        "excused_by": work.actor.require_person(),
        "excused_at": work.now,
    }
    work.session.execute(insert_once(AttendanceExcuse).values(row).on_conflict_do_nothing())
    _end_unfounded(work, BookingSuspension.tenant_id == park_id, BookingSuspension.booking_ids.contains([booking_id]))


def end_unfounded(work: Work) -> int:
    """End the suspensions that were noted while one of their no-shows was being excused; return how many."""
    work.actor.require(Permission.RUN_PLATFORM)
    return _end_unfounded(work, BookingSuspension.ends_at > work.now)


def _end_unfounded(work: Work, *where: ColumnElement[bool]) -> int:
    """End suspensions that stand on too few no-shows without the excused ones, in the name of who excused the last."""
    excused = (
        select(AttendanceExcuse.excused_by, func.count().over().label("count"))
        .where(
            AttendanceExcuse.tenant_id == BookingSuspension.tenant_id,
            AttendanceExcuse.booking_id == BookingSuspension.booking_ids.any_(),
        )
        .order_by(AttendanceExcuse.excused_at.desc())
        .limit(1)
        .lateral()
    )
    after = Booking.attendance["suspend_after"].astext.cast(Integer)
    lifted = select(SuspensionLift.suspension_id).where(
        SuspensionLift.tenant_id == BookingSuspension.tenant_id, SuspensionLift.suspension_id == BookingSuspension.id
    )
    query = (
        select(BookingSuspension.tenant_id, BookingSuspension.id, excused.c.excused_by)
        .join(
            Booking,
            (Booking.tenant_id == BookingSuspension.tenant_id) & (Booking.id == BookingSuspension.booking_id),
        )
        .join(excused, true())
        .where(*where, BookingSuspension.no_shows - excused.c.count < after, ~lifted.exists())
    )
    ended = 0
    for park_id, suspension_id, person in work.session.execute(query).all():
        row = {
            "tenant_id": park_id,
            "suspension_id": suspension_id,
            "side": "operator" if work.actor.may(Permission.RUN_PLATFORM) else "provider",
            "unfounded": True,
            "lifted_by": person,
            "lifted_at": work.now,
            "reason": "爽约异议成立，次数不足",
        }
        if rows_written(work.session, insert_once(SuspensionLift).values(row).on_conflict_do_nothing()):
            audit.record(work, "booking.lift_suspension", "suspension", suspension_id, tenant_id=park_id)
            work.emit(Event("suspension.lifted", park_id, {"suspension_id": str(suspension_id)}))
            ended += 1
    return ended


def list_own_suspensions(work: Work, *, limit: int = 50, cursor: str | None = None) -> Page[SuspensionView]:
    """Return the acting park's suspensions, the latest first."""
    work.actor.require(Permission.READ_ORDER)
    return _page(work, (BookingSuspension.tenant_id == work.actor.require_tenant(),), limit, cursor)


def list_suspensions(work: Work, *, limit: int = 50, cursor: str | None = None) -> Page[SuspensionView]:
    """Return the suspensions at the acting provider, for the operator at all providers, the latest first."""
    work.actor.require(Permission.LIFT_SUSPENSION)
    return _page(work, _reach(work), limit, cursor)


def read_own_suspension(work: Work, *, suspension_id: UUID) -> SuspensionView:
    """Return one of the acting park's suspensions; NotFound for another's."""
    work.actor.require(Permission.READ_ORDER)
    own = BookingSuspension.tenant_id == work.actor.require_tenant()
    found = _read(work, own, BookingSuspension.id == suspension_id)
    if found is None:
        raise NotFound("suspension.not_found", msg("没有找到该暂停记录。请从列表中重新打开。"))
    return found


def refuse_suspended(work: Work, *, provider_id: UUID) -> None:
    """Raise Conflict ``booking.suspended`` while the acting park may not book at a provider."""
    work.actor.require(Permission.ASK_QUOTE)
    mine = (BookingSuspension.tenant_id == work.actor.require_tenant(), BookingSuspension.provider_id == provider_id)
    query = _suspensions().where(*mine).order_by(BookingSuspension.ends_at.desc())
    views = [_view(row) for row in work.session.execute(query).mappings()]
    standing = max(views, key=lambda each: each.until, default=None)
    if standing is not None and work.now < standing.until:
        raise _refusal(standing.provider_name, standing.no_shows, standing.window_days, standing.until)


@contextmanager
def keeping_out() -> Iterator[None]:
    """Tell the database's refusal of a booking as ``refuse_suspended`` would; the transaction is lost."""
    try:
        yield
    except DBAPIError as error:
        cause = error.orig
        if not isinstance(cause, psycopg.Error) or cause.sqlstate != SUSPENDED:
            raise
        said = json.loads(cause.diag.message_detail or "{}")
        until = datetime.fromisoformat(said["until"])
        raise _refusal(said["provider_name"], said["no_shows"], said["window_days"], until) from error


def _refusal(provider: str, no_shows: int, days: int, until: datetime) -> Conflict:
    return Conflict(
        "booking.suspended",
        msg(
            "{days} 天内 {count} 次爽约，{provider}暂停接受本园区的新预约至 {until}，已有预约不受影响。"
            "可在“履约记录”中查看，并请服务机构或平台运营方解除。",
            days=days,
            count=no_shows,
            provider=provider,
            until=f"{until.astimezone(CHINA):%Y-%m-%d %H:%M}",
        ),
    )


def _missed(work: Work, park_id: UUID, provider_id: UUID) -> list[Missed]:
    query = select(Booking.id, Booking.starts_at, Booking.attendance).where(
        Booking.tenant_id == park_id,
        Booking.provider_id == provider_id,
        Booking.status == BookingStatus.NO_SHOW,
        ~_has_led(),
    )
    rows = [(row.id, row.starts_at, terms_of(row.attendance)) for row in work.session.execute(query)]
    return [Missed(booking_id, starts_at, terms) for booking_id, starts_at, terms in rows if terms is not None]


def _has_led() -> ColumnElement[bool]:
    """Tell that a no-show has led to a suspension that stood, or was excused: each counts once, or not at all."""
    unfounded = select(SuspensionLift.suspension_id).where(
        SuspensionLift.tenant_id == BookingSuspension.tenant_id,
        SuspensionLift.suspension_id == BookingSuspension.id,
        SuspensionLift.unfounded,
    )
    led = select(BookingSuspension.id).where(
        BookingSuspension.tenant_id == Booking.tenant_id,
        BookingSuspension.provider_id == Booking.provider_id,
        Booking.id == BookingSuspension.booking_ids.any_(),
        ~unfounded.correlate(BookingSuspension).exists(),
    )
    excused = select(AttendanceExcuse.booking_id).where(
        AttendanceExcuse.tenant_id == Booking.tenant_id, AttendanceExcuse.booking_id == Booking.id
    )
    return or_(led.correlate(Booking).exists(), excused.correlate(Booking).exists())


def _after_bookings(work: Work, park_id: UUID, provider_id: UUID) -> datetime:
    """Return the present, or just after the last booking that was made while this transaction waited."""
    query = select(func.max(Booking.created_at)).where(
        Booking.tenant_id == park_id, Booking.provider_id == provider_id
    )  # fmt: skip
    last: datetime | None = work.session.execute(query).scalar_one()
    return work.now if last is None else max(work.now, last + timedelta(microseconds=1))


def _reach(work: Work) -> tuple[ColumnElement[bool], ...]:
    """Return what confines a provider to its own; the operator looks over all."""
    if work.actor.may(Permission.RUN_PLATFORM):
        return ()
    return (BookingSuspension.provider_id == work.actor.organisation_id,)


def _page(work: Work, where: tuple[ColumnElement[bool], ...], limit: int, cursor: str | None) -> Page[SuspensionView]:
    query = _suspensions().where(*where)
    if (before := decode_cursor(cursor)) is not None:
        query = query.where(tuple_(BookingSuspension.began_at, BookingSuspension.id) < before)
    query = query.order_by(BookingSuspension.began_at.desc(), BookingSuspension.id.desc())
    rows = work.session.execute(query.limit(check_limit(limit) + 1)).mappings().all()
    return page_of(rows, limit, _view, lambda row: (row["began_at"], row["id"]))


def _read(work: Work, *where: ColumnElement[bool]) -> SuspensionView | None:
    row = work.session.execute(_suspensions().where(*where)).mappings().one_or_none()
    return None if row is None else _view(row)


def _suspensions() -> Select[*tuple[Any, ...]]:
    lift = (SuspensionLift.tenant_id == BookingSuspension.tenant_id) & (
        SuspensionLift.suspension_id == BookingSuspension.id
    )
    return select(
        BookingSuspension.id,
        BookingSuspension.tenant_id.label("park_id"),
        BookingSuspension.provider_id,
        BookingSuspension.provider_name,
        BookingSuspension.no_shows,
        BookingSuspension.window_days,
        BookingSuspension.booking_ids,
        BookingSuspension.began_at,
        BookingSuspension.ends_at,
        SuspensionLift.lifted_at,
        SuspensionLift.lifted_by,
        SuspensionLift.side.label("lifted_side"),
        SuspensionLift.reason.label("lift_reason"),
    ).outerjoin(SuspensionLift, lift)


def _view(row: Mapping[Any, Any]) -> SuspensionView:
    return SuspensionView(**{**row, "booking_ids": tuple(row["booking_ids"])})
