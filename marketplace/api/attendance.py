"""Attendance: an instrument's rules, and who came to a booking."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.bookings import AttendanceTermsAnswer, Booking
from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import Answer, Body, ById, Fen, Idempotent, Instant, Moment
from marketplace.doors.identity import working
from services.rules.attendance import (
    LEAST_DISPUTE_DAYS,
    MOST_DAYS,
    MOST_DISPUTE_DAYS,
    MOST_FEE_FEN,
    MOST_MINUTES,
    MOST_NO_SHOWS,
    USUAL_DISPUTE_DAYS,
    WHOLE_BP,
    AttendanceTerms,
    Metering,
)
from services.usecases import attendance as use_cases
from services.usecases import attendance_rules
from services.usecases.bookings import BookingView
from tenants.kernel.work import Work

attendance = noun("attendance", "Who came to a booking, and what an instrument's rule asks for it.")


def _minutes(name: str, least: int = 0) -> int:
    minutes: int = Field(ge=least, le=MOST_MINUTES[name], strict=True)
    return minutes


class AttendanceRuleBody(Body):
    """A rule for bookings that are made from a moment on. Fees are paid by the park alone."""

    check_in_before_minutes: int = _minutes("check_in_before_minutes")
    grace_minutes: int = _minutes("grace_minutes")
    free_cancel_minutes: int = _minutes("free_cancel_minutes")
    late_cancel_bp: int = Field(ge=0, le=WHOLE_BP, strict=True)
    no_show_bp: int = Field(ge=0, le=WHOLE_BP, strict=True)
    overrun_unit_minutes: int = _minutes("overrun_unit_minutes", 1)
    overrun_fee_fen: Fen = Field(0, le=MOST_FEE_FEN)
    metering: Metering = Metering.BOOKED
    suspend_after: int = Field(3, ge=0, le=MOST_NO_SHOWS, strict=True, description="0 for never")
    suspend_window_days: int = Field(90, ge=1, le=MOST_DAYS, strict=True)
    suspend_days: int = Field(30, ge=1, le=MOST_DAYS, strict=True)
    dispute_days: int = Field(USUAL_DISPUTE_DAYS, ge=LEAST_DISPUTE_DAYS, le=MOST_DISPUTE_DAYS, strict=True)
    valid_from: Instant | None = Field(None, description="Null for now; never before")


class AttendanceRule(Answer):
    """A version of an instrument's rule."""

    version: int
    valid_from: Moment
    set_at: Moment
    terms: AttendanceTermsAnswer


class AttendanceRules(Answer):
    """The versions of an instrument's rule, latest first."""

    items: list[AttendanceRule]
    next_cursor: str | None = None


@attendance.get("/instruments/<id>/attendance-rules", **call(AttendanceRules))
def list_rules(path: ById) -> Response:
    """List the versions of an instrument's rule of attendance."""
    with working() as work:
        found = attendance_rules.list_rules(work, instrument_id=path.id)
    return show(AttendanceRules(items=[AttendanceRule.of(each) for each in found]))


@attendance.post("/instruments/<id>/attendance-rules", **call(AttendanceRule, status=201))
def set_rule(path: ById, body: AttendanceRuleBody, header: Idempotent) -> Response:
    """Set an own instrument's rule for later bookings; those that are made keep theirs."""
    terms = AttendanceTerms(version=0, **body.model_dump(exclude={"valid_from"}))

    def carry_out(work: Work) -> AttendanceRule:
        made = attendance_rules.set_rule(work, instrument_id=path.id, terms=terms, valid_from=body.valid_from)
        return AttendanceRule.of(made)

    return command("attendance.rule", header, body, carry_out, status=201, about={"id": str(path.id)})


@attendance.post("/bookings/<id>/check-in", **call(Booking))
def check_in(path: ById, header: Idempotent) -> Response:
    """Note that people came to a booking (its park or its provider)."""
    return _noted("attendance.check_in", path.id, header, lambda work: use_cases.check_in(work, booking_id=path.id))


@attendance.post("/bookings/<id>/check-out", **call(Booking))
def check_out(path: ById, header: Idempotent) -> Response:
    """Note that the instrument is free again (the booking's park or its provider)."""
    return _noted("attendance.check_out", path.id, header, lambda work: use_cases.check_out(work, booking_id=path.id))


def _noted(name: str, booking_id: UUID, header: Idempotent, note: Callable[[Work], BookingView]) -> Response:
    return command(name, header, None, lambda work: Booking.of(note(work)), about={"booking": str(booking_id)})
