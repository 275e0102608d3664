"""From a rented line to its delivery: the request is checked before it is sold, then it is begun or booked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert

from services.formats.brief import read_brief
from services.formats.inspection import InspectionDocument, inspection_document, read_inspection
from services.gateways.twin import fingerprint
from services.rules.catalogue import Delivery as Way
from services.rules.industries import DIVISIONS
from services.rules.runs import OPEN, RunStatus
from services.rules.slots import Span, check_span
from services.store.bookings import Booking
from services.store.entering import free_reservation
from services.store.runs import Run
from services.usecases import (
    booking_series,
    instruments,
    lead_repeats,
    qualifications,
    quotas,
    rebooking,
    sample_requests,
    site_months,
    slots,
    suspensions,
)
from services.usecases.attendance_rules import terms_at
from services.usecases.bookings import BookingStatus
from services.usecases.catalogue import OfferingView
from services.usecases.instruments import InstrumentView
from services.usecases.schedule_requests import read_schedule_request
from services.usecases.twin_requests import read_twin_request
from services.usecases.workdays import working_days
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.outbox import Event
from tenants.kernel.vocabulary import Permission, UsageUnit
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.regions import region_name

LONGEST_TITLE = 200


@dataclass(frozen=True)
class DeliveryPlan:
    """A request that can be delivered: its full form (which plans the same again), quantity and title."""

    delivery: Way
    quantity: int
    usage_unit: UsageUnit
    request: dict[str, Any]
    title: str
    fingerprint: str | None = None
    """Hash of all that an engine's answer depends on, where it can be told before."""
    repeats: UUID | None = None
    """The park's own run that answered the same on the same data lately: it is delivered again for nothing."""


@dataclass(frozen=True)
class Delivery:
    """What was begun for a line: a run of an engine, a booking, a test request, or a month of a service for a site."""

    run_id: UUID | None = None
    booking_id: UUID | None = None
    site_month_id: UUID | None = None
    sample_batch_id: UUID | None = None


def plan_delivery(work: Work, *, offering: OfferingView, request: Mapping[str, Any]) -> DeliveryPlan:
    """Check a request in full and say what it takes; nothing is reserved.

    Raises Invalid with the fields below ``request``, Conflict for a slot that is taken by now or beyond the park's
    quota, a person who is not qualified for the instrument, or an offering that cannot be ordered.
    """
    work.actor.require(Permission.ASK_QUOTE)
    if offering.delivery is Way.TWIN:
        full, twin = read_twin_request(work, request, tenant_id=work.actor.require_tenant())
        return replace(_plan(offering, 1, full, twin.site.name), fingerprint=fingerprint(twin))
    if offering.delivery is Way.SCHEDULE:
        full, schedule = read_schedule_request(work, request, tenant_id=work.actor.require_tenant())
        return _plan(offering, 1, full, schedule.park.site.name)
    if offering.delivery is Way.LEADS:
        full, brief = read_brief(request)
        wanted = "、".join(DIVISIONS[division] for division in brief.divisions)
        plan = _plan(offering, 1, full, f"{region_name(brief.region_code)}：{wanted}")
        return replace(plan, repeats=lead_repeats.answered_before(work, brief=brief))
    if offering.delivery is Way.INSPECTION:
        return _plan_inspection(work, offering, request)
    if offering.delivery is Way.SAMPLES:
        full, tests, what = sample_requests.plan_samples(work, offering=offering, request=request)
        return _plan(offering, tests, full, what)
    full, what = site_months.plan_month(work, offering=offering, request=request)
    return _plan(offering, 1, full, what)


def repeat_of(work: Work, *, offering: OfferingView, request: Mapping[str, Any]) -> UUID | None:
    """Return the run that a planned request would repeat for nothing now, if any."""
    work.actor.require(Permission.ASK_QUOTE)
    if offering.delivery is not Way.LEADS:
        return None
    return lead_repeats.answered_before(work, brief=read_brief(request)[1])


def start_delivery(
    work: Work, *, offering: OfferingView, plan: DeliveryPlan, order_line_id: UUID, priority: int = 0
) -> Delivery:
    """Begin what was planned: queue the run, or reserve and book the slot. A higher ``priority`` is begun earlier.

    Raises Conflict ``slot.taken`` with the nearest free slots when somebody was faster, ``quota.exceeded`` when the park
    has booked too much of the instrument by now.
    """
    work.actor.require(Permission.PLACE_ORDER)
    tenant_id = work.actor.require_tenant()
    if plan.delivery is Way.INSPECTION:
        return Delivery(booking_id=_book(work, tenant_id, offering, plan, order_line_id))
    if plan.delivery is Way.SAMPLES:
        registered = sample_requests.register_samples(
            work, offering=offering, request=plan.request, order_line_id=order_line_id
        )
        return Delivery(sample_batch_id=registered)
    if plan.delivery.by_month:
        booked = site_months.book_month(
            work, offering=offering, request=plan.request, order_line_id=order_line_id
        )  # fmt: skip
        return Delivery(site_month_id=booked)
    run_id = new_id()
    work.session.execute(
        insert(Run).values(
            tenant_id=tenant_id,
            id=run_id,
            offering=offering.slug,
            delivery=plan.delivery,
            order_line_id=order_line_id,
            request=plan.request,
            status=RunStatus.QUEUED,
            stage="queued",
            progress=0,
            attempts=0,
            fingerprint=plan.fingerprint,
            repeats=plan.repeats,
            requested_by=work.actor.user_id,
            created_at=work.now,
        )
    )
    work.emit(Event("run.queued", tenant_id, {"run_id": str(run_id)}, priority=priority))
    return Delivery(run_id=run_id)


def cancel_delivery(
    work: Work,
    *,
    run_id: UUID | None = None,
    booking_id: UUID | None = None,
    site_month_id: UUID | None = None,
    sample_batch_id: UUID | None = None,
    overdue: bool = False,
) -> None:
    """Stop what has not ended: a queued run will not start, a running one is stopped by its worker, a slot is free.

    A site's month can be given back until the service has worked in it, samples until their test has begun; what is
    ``overdue``, always.

    Raises Conflict when it has ended meanwhile: what was delivered is not cancelled. Cancelled twice is cancelled.
    """
    work.actor.require(Permission.CANCEL_ORDER)
    if run_id is not None:
        _cancel_run(work, run_id)
    if booking_id is not None:
        _cancel_booking(work, booking_id)
    if site_month_id is not None:
        site_months.cancel_month(work, site_month_id=site_month_id, overdue=overdue)
    if sample_batch_id is not None:
        sample_requests.cancel_samples(work, batch_id=sample_batch_id, overdue=overdue)


def _plan(offering: OfferingView, quantity: int, request: dict[str, Any], what: str) -> DeliveryPlan:
    title = f"{offering.name} · {what}"[:LONGEST_TITLE]
    return DeliveryPlan(offering.delivery, quantity, offering.usage_unit, request, title)


def _plan_inspection(work: Work, offering: OfferingView, request: Mapping[str, Any]) -> DeliveryPlan:
    asked = read_inspection(request)
    try:
        instrument = instruments.read_instrument(work, offering=offering.slug, instrument_id=asked.instrument_id)
    except NotFound as problem:
        errors = [FieldError("request.instrument_id", problem.code, problem.message)]
        raise Invalid(problem.code, problem.message, errors=errors) from problem
    try:
        ends_at = check_span(instrument.hours, asked.starts_at, asked.slots, work.now, working_days(work))
    except Invalid as problem:
        errors = [FieldError("request.starts_at", problem.code, problem.message)]
        raise Invalid(problem.code, problem.message, errors=errors) from problem
    suspensions.refuse_suspended(work, provider_id=instrument.provider_id)
    asked = _with_person(work, asked, instrument)
    booking_series.occurrence_number(work, asked)
    span = Span(instrument.id, asked.starts_at, ends_at)
    slots.check_free(work, instrument, span)
    try:
        quotas.check_quota(work, instrument, span)
    except Conflict as problem:
        errors = [FieldError("request.starts_at", problem.code, problem.message)]
        raise Conflict(problem.code, problem.message, errors=errors) from problem
    full = inspection_document(asked, asked.starts_at)
    when = f"{asked.starts_at.astimezone(CHINA):%Y-%m-%d %H:%M}"
    return _plan(offering, asked.slots * instrument.slot_minutes // 60, full, f"{instrument.name} · {when}")


def _with_person(work: Work, asked: InspectionDocument, instrument: InstrumentView) -> InspectionDocument:
    """Return the request with who will use the instrument, where that matters: a member's price is for that member,
    whoever orders it. Raises Invalid for nobody of the park, Conflict for who is not qualified on the day.
    """
    where = "request.responsible_id"
    person = rebooking.user_of(work, asked.responsible_id, where)
    if not instrument.facts.qualification:
        return asked
    qualifications.refuse_unqualified(work, instrument=instrument, at=asked.starts_at, person=person, where=where)
    return asked.model_copy(update={"responsible_id": person})


def _book(work: Work, tenant_id: UUID, offering: OfferingView, plan: DeliveryPlan, order_line_id: UUID) -> UUID:
    asked = read_inspection(plan.request)
    instrument = instruments.read_instrument(work, offering=offering.slug, instrument_id=asked.instrument_id)
    ends_at = check_span(instrument.hours, asked.starts_at, asked.slots, work.now, working_days(work))
    span = Span(instrument.id, asked.starts_at, ends_at)
    quotas.count_booking(work, instrument, span)
    reservation_id = slots.reserve(work, instrument, span)
    booking_id = new_id()
    once = (
        postgresql_insert(Booking)
        .values(
            tenant_id=tenant_id,
            id=booking_id,
            provider_id=instrument.provider_id,
            reservation_id=reservation_id,
            instrument_id=instrument.id,
            instrument_name=instrument.name,
            region_code=instrument.region_code,
            offering=offering.slug,
            starts_at=asked.starts_at,
            ends_at=ends_at,
            purpose=asked.purpose,
            status=BookingStatus.BOOKED,
            order_line_id=order_line_id,
            booked_by=work.actor.user_id,
            responsible_id=asked.responsible_id or work.actor.user_id,
            created_at=work.now,
            attendance=terms_at(work.session, instrument.provider_id, instrument.id, work.now),
            series_id=asked.series_id,
            series_number=booking_series.occurrence_number(work, asked),
        )
        .on_conflict_do_nothing()
    )
    with suspensions.keeping_out(), qualifications.keeping_out():
        booked = rows_written(work.session, once)
    if not booked:
        raise booking_series.booked_already()
    return booking_id


def _cancel_run(work: Work, run_id: UUID) -> None:
    tenant_id = work.actor.tenant_id
    own = () if tenant_id is None else (Run.tenant_id == tenant_id,)
    cancelled = (
        update(Run)
        .where(Run.id == run_id, *own, Run.status.in_((*OPEN, RunStatus.CANCELLED)))
        .values(status=RunStatus.CANCELLED, finished_at=func.coalesce(Run.finished_at, work.now))
        .returning(Run.id)
    )
    if work.session.execute(cancelled).scalar_one_or_none() is None:
        raise Conflict("run.closed", msg("该次计算已经结束，不能取消。"))


def _cancel_booking(work: Work, booking_id: UUID) -> None:
    tenant_id = work.actor.tenant_id
    own = () if tenant_id is None else (Booking.tenant_id == tenant_id,)
    cancelled = (
        update(Booking)
        .where(Booking.id == booking_id, *own, Booking.status.in_((BookingStatus.BOOKED, BookingStatus.CANCELLED)))
        .values(
            status=BookingStatus.CANCELLED,
            closed_by=func.coalesce(Booking.closed_by, work.actor.user_id),
            closed_at=func.coalesce(Booking.closed_at, work.now),
        )
        .returning(Booking.provider_id, Booking.reservation_id)
    )
    row = work.session.execute(cancelled).one_or_none()
    if row is None:
        raise Conflict("booking.closed", msg("该预约已经结束，不能取消。"))
    free_reservation(work.session, row.provider_id, row.reservation_id)
