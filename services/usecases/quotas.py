"""What a park holds of an instrument against its quota: shown before it books, counted when it books or moves.

What is held are the bookings themselves, so nothing has to be given back: a cancelled one, or one that the provider could
not do, counts no more; one to which nobody came does. What is charged by actual use counts with the hours that were charged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.rules.attendance import Metering, Step, terms_of, used_hours
from services.rules.quotas import (
    ONE_HOUR,
    Held,
    Quota,
    QuotaMeasure,
    QuotaPeriod,
    Standing,
    days_of,
    exceeded,
    fits_from,
    standings,
)
from services.rules.slots import Span
from services.store.attendance import AttendanceCorrection
from services.store.bookings import Booking
from services.store.quotas import QuotaTurn
from services.store.slot_holds import SlotHold
from services.usecases.bookings import BookingStatus, BookingView, noted_at
from services.usecases.instruments import InstrumentView
from services.usecases.quota_rules import quotas_at
from services.usecases.slots import refused_when_deadlocked
from services.usecases.workdays import working_days
from tenants.kernel.clock import CHINA
from tenants.kernel.database import AnyRow
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

COUNTED = (BookingStatus.BOOKED, BookingStatus.REPORTED, BookingStatus.NO_SHOW)
_COUNTED_OF = (
    Booking.instrument_id,
    Booking.starts_at,
    Booking.ends_at,
    Booking.status,
    Booking.attendance,
    noted_at(Step.CHECKED_IN).label("checked_in_at"),
    noted_at(Step.CHECKED_OUT).label("checked_out_at"),
    AttendanceCorrection.came_at,
    AttendanceCorrection.left_at,
)


def quotas_left(
    work: Work, *, instrument_ids: Collection[UUID], first: date, last: date
) -> dict[UUID, tuple[Standing, ...]]:
    """Return what the acting park has used of each quota in the weeks and months that share a day with ``first`` to
    ``last``, by instrument; instruments without a quota are left out, and all of them for who acts for no park.
    """
    work.actor.require(Permission.READ_CATALOGUE)
    if work.actor.tenant_id is None:
        return {}
    known = quotas_at(work.session, instrument_ids, work.now)
    held = _held(work, known, first)
    return {each: standings(quota, held[each], first, last, CHINA) for each, quota in known.items()}


def check_quota(work: Work, instrument: InstrumentView, span: Span) -> None:
    """Raise Conflict ``quota.exceeded`` where the acting park has too little left by now; nothing is counted."""
    work.actor.require(Permission.ASK_QUOTE)
    quota = quotas_at(work.session, [instrument.id], work.now).get(instrument.id)
    if quota is not None:
        _check(work, instrument, quota, span, None)


def check_hold(work: Work, instrument: InstrumentView, span: Span) -> None:
    """Raise as ``check_quota`` does, counting what the acting park holds of the instrument beside ``span`` as booked. Of its
    transactions at one instrument the second waits here until the first has ended.
    """
    work.actor.require(Permission.PLACE_ORDER)
    quota = quotas_at(work.session, [instrument.id], work.now).get(instrument.id)
    if quota is not None:
        _take_turn(work, instrument.id)
        _check(work, instrument, quota, span, None, beside=_holds_beside(work, span))


def refusals(work: Work, instrument: InstrumentView, spans: Sequence[Span]) -> tuple[Conflict | None, ...]:
    """Return for each of some times, in order, how it would be refused if those before it that fit were booked."""
    work.actor.require(Permission.ASK_QUOTE)
    quota = quotas_at(work.session, [instrument.id], work.now).get(instrument.id)
    if quota is None or not spans:
        return (None,) * len(spans)
    first = min(each.starts_at for each in spans).astimezone(CHINA).date()
    held = _held(work, [instrument.id], first)[instrument.id]
    found: list[Conflict | None] = []
    for span in spans:
        new = Held(span.starts_at, span.ends_at)
        found.append(_refused(work, instrument, quota, held, new, None))
        if found[-1] is None:
            held.append(new)
    return tuple(found)


def refusals_alone(work: Work, instrument: InstrumentView, spans: Sequence[Span]) -> tuple[Conflict | None, ...]:
    """Return for each of some times how it would be refused now, for use cases that have asked for their own permission."""
    quota = quotas_at(work.session, [instrument.id], work.now).get(instrument.id)
    if quota is None or not spans:
        return (None,) * len(spans)
    first = min(each.starts_at for each in spans).astimezone(CHINA).date()
    held = _held(work, [instrument.id], first)[instrument.id]
    return tuple(_refused(work, instrument, quota, held, Held(each.starts_at, each.ends_at), None) for each in spans)


def first_within(work: Work, instrument: InstrumentView, spans: Sequence[Span]) -> tuple[Span | None, Conflict | None]:
    """Return the first of some times, in order, that the acting park's quota leaves room for, None where there is none,
    and how the very first would be refused, None where it would not.
    """
    work.actor.require(Permission.ASK_QUOTE)
    quota = quotas_at(work.session, [instrument.id], work.now).get(instrument.id)
    if quota is None or not spans:
        return (spans[0] if spans else None), None
    held = _held(work, [instrument.id], spans[0].starts_at.astimezone(CHINA).date())[instrument.id]
    times = ((span, Held(span.starts_at, span.ends_at)) for span in spans)
    found = next((span for span, new in times if exceeded(quota, held, new, CHINA, before=None) is None), None)
    return found, _refused(work, instrument, quota, held, Held(spans[0].starts_at, spans[0].ends_at), None)


def count_booking(work: Work, instrument: InstrumentView, span: Span, *, before: BookingView | None = None) -> None:
    """Let the acting park book ``span``, or move the booking ``before`` to it, if its quota has enough left.

    To be called in the transaction that books, and before it does: of one park's transactions at one instrument the second
    waits here until the first has ended, and then sees what that one has booked. Raises Conflict ``quota.exceeded`` with what is used, what is
    left and the day from which it fits, and ``slot.busy`` where two bookings of several instruments wait for each other.
    """
    work.actor.require(Permission.PLACE_ORDER)
    quota = quotas_at(work.session, [instrument.id], work.now).get(instrument.id)
    if quota is not None:
        _take_turn(work, instrument.id)
        _check(work, instrument, quota, span, before)


def _take_turn(work: Work, instrument_id: UUID) -> None:
    row = {"tenant_id": work.actor.require_tenant(), "instrument_id": instrument_id, "taken_at": work.now}
    turn = insert(QuotaTurn).values(row)
    key = [QuotaTurn.tenant_id, QuotaTurn.instrument_id]
    with refused_when_deadlocked():
        work.session.execute(turn.on_conflict_do_update(index_elements=key, set_={"taken_at": turn.excluded.taken_at}))


def _holds_beside(work: Work, span: Span) -> list[Held]:
    """Return what the acting park holds of an instrument, but for what a hold of ``span`` would replace: the same time, and
    what the acting person holds of it.
    """
    apart = (SlotHold.ends_at <= span.starts_at) | (SlotHold.starts_at >= span.ends_at)
    others = (SlotHold.held_by.is_distinct_from(work.actor.user_id)) & (
        (SlotHold.starts_at != span.starts_at) | (SlotHold.ends_at != span.ends_at)
    )
    query = select(SlotHold.starts_at, SlotHold.ends_at).where(
        SlotHold.tenant_id == work.actor.require_tenant(),
        SlotHold.instrument_id == span.instrument_id,
        SlotHold.outcome.is_(None),
        SlotHold.expires_at > work.now,
        apart | others,
    )
    return [Held(*row) for row in work.session.execute(query)]


def _check(
    work: Work,
    instrument: InstrumentView,
    quota: Quota,
    span: Span,
    before: BookingView | None,
    beside: Sequence[Held] = (),
) -> None:
    new = Held(span.starts_at, span.ends_at)
    was = None if before is None else Held(before.starts_at, before.ends_at)
    day = span.starts_at.astimezone(CHINA).date()
    held = _held(work, [instrument.id], day, without=before)[instrument.id]
    problem = _refused(work, instrument, quota, [*held, *beside], new, was)
    if problem is not None:
        raise problem


def _refused(
    work: Work, instrument: InstrumentView, quota: Quota, held: Sequence[Held], new: Held, was: Held | None
) -> Conflict | None:
    over = exceeded(quota, held, new, CHINA, before=was)
    if over is None:
        return None
    last = (work.now + timedelta(days=instrument.hours.max_notice_days)).astimezone(CHINA).date()
    fits = fits_from(quota, held, new, CHINA, last=last, is_open=working_days(work))
    return Conflict("quota.exceeded", _refusal(instrument, over, new.amount(over.measure), fits))


def _held(
    work: Work, instrument_ids: Iterable[UUID], first: date, *, without: BookingView | None = None
) -> dict[UUID, list[Held]]:
    """Return the acting park's bookings that count, from the beginning of the week and the month of a day on."""
    begin = min(days_of(period, first)[0] for period in QuotaPeriod)
    found: dict[UUID, list[Held]] = {each: [] for each in instrument_ids}
    where = [
        Booking.tenant_id == work.actor.require_tenant(),
        Booking.instrument_id.in_(found),
        Booking.starts_at >= datetime.combine(begin, time(), CHINA),
        Booking.status.in_(COUNTED),
    ]
    if without is not None:
        where.append(Booking.id != without.id)
    corrected = (AttendanceCorrection.tenant_id == Booking.tenant_id) & (AttendanceCorrection.booking_id == Booking.id)
    for row in work.session.execute(select(*_COUNTED_OF).outerjoin(AttendanceCorrection, corrected).where(*where)):
        found[row.instrument_id].append(_counted(row))
    return found


def _counted(row: AnyRow) -> Held:
    """Return what of a booking counts: all of it, but of one that was charged by actual use the hours that were charged, less
    what an accepted dispute of its times gave back.
    """
    terms = terms_of(row.attendance)
    if terms is None or terms.metering is not Metering.ACTUAL or row.status != BookingStatus.REPORTED:
        return Held(row.starts_at, row.ends_at)
    booked = (row.ends_at - row.starts_at) // ONE_HOUR
    used = used_hours(row.checked_in_at, row.checked_out_at, row.ends_at, booked)
    used = min(used, used_hours(row.came_at, row.left_at, row.ends_at, booked))
    return Held(row.starts_at, row.starts_at + used * ONE_HOUR)


def _refusal(instrument: InstrumentView, over: Standing, asked: int, fits: date | None) -> Message:
    facts = {
        "name": instrument.name, "most": over.most, "first": f"{over.first_day:%m-%d}", "last": f"{over.last_day:%m-%d}",
        "used": over.used, "left": over.left, "asked": asked, "remedy": _remedy(over, asked, fits),
    }  # fmt: skip
    if over.measure is QuotaMeasure.BOOKINGS:
        return msg(
            "“{name}”每个园区在 {first} 至 {last} 最多预约 {most} 次，本园区已用 {used} 次，剩余 {left} 次。{remedy}",
            **facts,
        )
    return msg(
        "“{name}”每个园区在 {first} 至 {last} 最多预约 {most} 小时，本园区已用 {used} 小时，剩余 {left} 小时，本次需要 {asked} 小时。{remedy}",
        **facts,
    )


def _remedy(over: Standing, asked: int, fits: date | None) -> Message:
    if fits is not None:
        return msg("{day} 起可再预约同样时长。", day=fits.isoformat())
    if asked > over.most:
        return msg("请缩短本次预约。")
    return msg("可预约的日期内已无余额。请先取消其他预约，或联系服务机构。")
