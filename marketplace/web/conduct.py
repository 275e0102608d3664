"""How a park keeps its bookings, for both sides: suspensions, disputes of fees and of times, and the way out of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Response, request, url_for

from billing.usecases import attendance_disputes as fee_disputes
from marketplace.usecases import attendance_disputes as disputes
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import bookings, suspensions
from services.usecases.bookings import BookingView
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding

pages = page_group("conduct")


@pages.get("/conduct")
def conduct() -> Response:
    """Show the own park's suspensions, those at the own provider, or all."""
    return _page(None, None)


@pages.post("/conduct/suspensions/<suspension_id>/lift")
def lift(suspension_id: str) -> Response:
    """End a suspension early."""
    wanted = id_of(suspension_id)
    return _done(
        suspension_id,
        lambda work: suspensions.lift_suspension(work, suspension_id=wanted, reason=field("reason")),
    )


@pages.post("/conduct/fees/<fee_id>/dispute")
def dispute(fee_id: str) -> Response:
    """Dispute an own fee."""
    wanted = id_of(fee_id)
    return _done(fee_id, lambda work: disputes.ask_dispute(work, fee_id=wanted, reason=field("reason")))


@pages.get("/conduct/bookings/<booking_id>/times")
def times(booking_id: str) -> Response:
    """Show what was noted of an own booking, and the form for disputing it."""
    return _times_page(booking_id, None)


@pages.post("/conduct/bookings/<booking_id>/times")
def dispute_times(booking_id: str) -> Response:
    """Dispute the noted times of an own booking."""
    wanted = id_of(booking_id)
    try:
        with page_work() as work:
            came, left = noted_times(bookings.read_booking(work, booking_id=wanted))
            disputes.ask_times_dispute(
                work,
                booking_id=wanted,
                came_at=_moment("came_at", came),
                left_at=_moment("left_at", left),
                reason=field("reason"),
            )
    except Problem as problem:
        return _times_page(booking_id, refusal_of(problem))
    return go(url_for("conduct.conduct"))


@pages.post("/conduct/disputes/<dispute_id>/insistence")
def insist(dispute_id: str) -> Response:
    """Take a dispute to the operator."""
    wanted = id_of(dispute_id)
    return _done(dispute_id, lambda work: fee_disputes.insist(work, dispute_id=wanted, reason=field("reason")))


@pages.post("/conduct/disputes/<dispute_id>/decision")
def decide(dispute_id: str) -> Response:
    """Answer or decide a dispute."""
    wanted, accept = id_of(dispute_id), field("action") == "accept"
    return _done(
        dispute_id,
        lambda work: disputes.decide_dispute(work, dispute_id=wanted, accept=accept, reason=field("reason")),
    )


def noted_times(booking: BookingView) -> tuple[datetime, datetime]:
    """Return what the form proposes: the noted times, or the booked ones where nothing was noted."""
    return booking.checked_in_at or booking.starts_at, booking.checked_out_at or booking.ends_at


def _moment(name: str, noted: datetime) -> datetime:
    """Return the moment that a field says; where it still says the noted minute, just what was noted."""
    if field(name) == _typed(noted):
        return noted
    try:
        return datetime.strptime(field(name), "%Y-%m-%dT%H:%M").replace(tzinfo=CHINA)
    except ValueError as error:
        wrong = msg("请填写日期和时间。")
        raise Invalid("form.moment", wrong, errors=[FieldError(name, "form.moment", wrong)]) from error


def _typed(at: datetime) -> str:
    return f"{at.astimezone(CHINA):%Y-%m-%dT%H:%M}"


def _times_page(booking_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require(Permission.ACCEPT_DELIVERY)
        booking = bookings.read_booking(work, booking_id=id_of(booking_id))
        until = disputes.times_disputable_until(work, booking=booking)
    came, left = noted_times(booking)
    return show(
        "conduct/times.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        booking=booking,
        until=until,
        typed=given() if refusal else {"came_at": _typed(came), "left_at": _typed(left), "reason": ""},
    )


def _done(about: str, do: Callable[[Work], object]) -> Response:
    try:
        with page_work() as work:
            do(work)
    except Problem as problem:
        return _page(refusal_of(problem), about)
    return go(url_for("conduct.conduct"))


def _page(refusal: Refusal | None, about: str | None) -> Response:
    with page_work() as work:
        own = work.actor.tenant_id is not None
        listed = suspensions.list_own_suspensions if own else suspensions.list_suspensions
        found = listed(work, limit=50, cursor=request.args.get("cursor"))
        listed_disputes = fee_disputes.list_own_disputes if own else fee_disputes.list_disputes
        disputed = listed_disputes(work, limit=50, cursor=request.args.get("disputes"))
        parks = {each.park_id for each in found.items} | {each.park_id for each in disputed.items}
        names = onboarding.park_names(work, park_ids=parks)
        fees = fee_disputes.disputable_fees(work) if own else ()
        operates = work.actor.may(Permission.RUN_PLATFORM)
        now = work.now
    return show(
        "conduct/conduct.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        about=about,
        typed=given() if refusal else {},
        suspensions=found,
        disputes=disputed,
        fees=fees,
        turn="insisted" if operates else "open",
        names=names,
        own=own,
        now=now,
    )
