"""Inspection: free slots of instruments, bookings, their calendar entry and the provider's report."""

from __future__ import annotations

from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.artefacts import RAW_UPLOAD, download, sent_file
from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Answer, Body, ById, Idempotent, Instant, Moment, Parameters, Slug
from marketplace.doors.identity import bearer_actor, working
from marketplace.doors.requests import takes_files
from marketplace.usecases import inspection_search
from services.rules.slots import MOST_SLOTS
from services.usecases import bookings as use_cases
from services.usecases import qualifications, together
from services.usecases.slot_search import LONGEST_METHOD, MOST_TOGETHER

bookings = noun("bookings", "Inspection slots, and who took them.")


Region = Field(None, pattern=r"^\d{2}(\d{2}(\d{2})?)?$", description="Beginning of a division code")
Method = Field(None, max_length=LONGEST_METHOD, description="Part of the name of a method or standard")


class SlotSearch(Body):
    """When and where an instrument is wanted."""

    offering: Slug
    from_: Instant = Field(alias="from")
    to: Instant
    region: str | None = Region
    method: str | None = Method
    instrument_id: UUID | None = None
    limit: int = Field(100, ge=1, le=1000, strict=True)


class Slot(Answer):
    """A slot that is free now."""

    instrument_id: UUID
    instrument_name: str
    region_code: str
    starts_at: Moment
    ends_at: Moment = Field(description="End of the shortest booking")
    free_units: int


class Slots(Answer):
    """Free slots, earliest first."""

    items: list[Slot]
    next_cursor: str | None = None


MOST_FEN = 10**12


class InspectionSearch(Body):
    """What an instrument is wanted for, when, and what an hour may cost."""

    from_: Instant = Field(alias="from")
    to: Instant
    offering: Slug | None = None
    region: str | None = Region
    method: str | None = Method
    most_payable_fen: int | None = Field(
        None, ge=0, le=MOST_FEN, strict=True, description="The most an hour may cost the park after its subsidy"
    )
    limit: int = Field(50, ge=1, le=200, strict=True)


class Inspection(Answer):
    """An instrument that fits, when it is free first, and what an hour costs the park now; null without a price."""

    instrument_id: UUID
    instrument_name: str
    offering: str
    region_code: str
    methods: list[str]
    starts_at: Moment
    ends_at: Moment = Field(description="End of the shortest booking")
    gross_fen: int | None
    payable_fen: int | None
    qualification: str = Field(description="What a person must hold to use it; empty for nothing")
    qualification_state: str | None = Field(
        description="How the caller stands with it today; null where nothing is asked"
    )


class Inspections(Answer):
    """Instruments, the one that is free first on top."""

    items: list[Inspection]
    next_cursor: str | None = None


class TogetherSearch(Body):
    """Which instruments are wanted at once, for how many slots each, and when."""

    instrument_ids: list[UUID] = Field(min_length=2, max_length=MOST_TOGETHER)
    from_: Instant = Field(alias="from")
    to: Instant
    slots: int = Field(1, ge=1, le=MOST_SLOTS, strict=True)
    limit: int = Field(20, ge=1, le=200, strict=True)


class Together(Answer):
    """A time at which all of them are free; it ends when the longest booking does."""

    starts_at: Moment
    ends_at: Moment
    over_quota: list[UUID] = Field(description="Instruments of which the park's quota has too little left at that time")


class Togethers(Answer):
    """Times, earliest first."""

    items: list[Together]
    next_cursor: str | None = None


class AttendanceTermsAnswer(Answer):
    """The rule of attendance that a booking was made under."""

    version: int
    check_in_before_minutes: int
    grace_minutes: int = Field(description="After the start; who has not checked in by then has not come")
    free_cancel_minutes: int = Field(description="Before the start; cancelled later, the fee is charged")
    late_cancel_bp: int = Field(description="Basis points of the booking's price")
    no_show_bp: int = Field(description="Basis points of the booking's price")
    overrun_unit_minutes: int
    overrun_fee_fen: int = Field(description="Whole fen for each started unit")
    metering: str
    suspend_after: int = Field(description="No-shows at the provider that suspend the park there; 0 for never")
    suspend_window_days: int = Field(description="Within how many days they count")
    suspend_days: int = Field(description="For how long nothing new can be booked")
    dispute_days: int = Field(description="How long after it was charged a fee, or the noted times, may be disputed")


class Booking(Answer):
    """A booking of an instrument."""

    id: UUID
    instrument_id: UUID
    instrument_name: str
    region_code: str
    offering: str
    starts_at: Moment
    ends_at: Moment
    purpose: str
    status: str
    passed: bool | None
    failure_reason: str | None
    created_at: Moment
    closed_at: Moment | None
    responsible_id: UUID | None = Field(description="Who of the park takes care of it")
    revision: int = Field(description="How often it was moved or handed over")
    changed_at: Moment | None
    terms: AttendanceTermsAnswer | None
    series_id: UUID | None
    series_number: int | None = Field(description="Which occurrence of the series it is, from 1 on")
    checked_in_at: Moment | None
    checked_out_at: Moment | None
    corrected_in_at: Moment | None = Field(description="As an accepted dispute put it right; null where none did")
    corrected_out_at: Moment | None
    booked_minutes: int
    used_minutes: int | None


class ReportParameters(Parameters):
    """What the report found, and its file's name when the body is the file itself."""

    passed: bool | None = Field(None, description="Whether the sample passed; left out when that is not the question")
    name: str | None = Field(None, max_length=200)


@bookings.post("/slots/search", **call(Slots))
def search_slots(body: SlotSearch) -> Response:
    """Find free slots."""
    with working() as work:
        found = use_cases.search_slots(
            work,
            offering=body.offering,
            from_=body.from_,
            to=body.to,
            region=body.region,
            method=body.method,
            instrument_id=body.instrument_id,
            limit=body.limit,
        )
        return Response(Slots(items=[Slot.of(slot) for slot in found]).model_dump_json(), mimetype="application/json")


@bookings.post("/slots/instruments", **call(Inspections))
def search_instruments(body: InspectionSearch) -> Response:
    """Find instruments by method, region, days and price after subsidy, with the first free slot of each."""
    with working() as work:
        found = inspection_search.find_inspections(
            work,
            from_=body.from_,
            to=body.to,
            offering=body.offering,
            method=body.method,
            region=body.region,
            most_payable_fen=body.most_payable_fen,
            limit=body.limit,
        )
        standing = qualifications.standings(work, instruments=[each.instrument for each in found])
        items = [
            Inspection(
                instrument_id=each.instrument.id,
                instrument_name=each.instrument.name,
                offering=each.instrument.offering,
                region_code=each.instrument.region_code,
                methods=list(each.instrument.methods),
                starts_at=each.first.starts_at,
                ends_at=each.first.ends_at,
                gross_fen=each.gross_fen,
                payable_fen=each.payable_fen,
                qualification=each.instrument.facts.qualification,
                qualification_state=standing[each.instrument.id].state if each.instrument.id in standing else None,
            )
            for each in found
        ]
        return Response(Inspections(items=items).model_dump_json(), mimetype="application/json")


@bookings.post("/slots/together", **call(Togethers))
def search_together(body: TogetherSearch) -> Response:
    """Find the times at which several instruments are free."""
    with working() as work:
        found = together.find_together(
            work,
            instrument_ids=body.instrument_ids,
            from_=body.from_,
            to=body.to,
            slots=body.slots,
            limit=body.limit,
        )
        items = [
            Together(starts_at=each.starts_at, ends_at=each.ends_at, over_quota=list(each.over_quota)) for each in found
        ]
        return Response(Togethers(items=items).model_dump_json(), mimetype="application/json")


@bookings.get("/bookings/<id>", **call(Booking))
def read_booking(path: ById) -> Response:
    """Read a booking."""
    return read(Booking, lambda work: use_cases.read_booking(work, booking_id=path.id))


@bookings.get("/bookings/<id>.ics", **call(files=["text/calendar"]))
def booking_calendar(path: ById) -> Response:
    """Download a booking as a calendar entry."""
    with working() as work:
        content = use_cases.booking_calendar(work, booking_id=path.id)
    return download(f"booking-{path.id}.ics", "text/calendar", content)


@bookings.post("/bookings/<id>/report", **call(Booking), **RAW_UPLOAD)
@takes_files
def report_inspection(path: ById, query: ReportParameters, header: Idempotent) -> Response:
    """Deliver the report of an inspection (the instrument's provider); the file as in POST /artefacts."""
    bearer_actor()
    sent = sent_file()
    about = {"booking": str(path.id), "passed": query.passed, "name": sent.name, "sha256": sent.sha256}
    return command(
        "inspection.report",
        header,
        None,
        lambda work: Booking.of(
            use_cases.report_inspection(
                work,
                booking_id=path.id,
                file_name=sent.name,
                media_type=sent.media_type,
                content=sent.content,
                passed=query.passed,
            )
        ),
        about=about,
    )
