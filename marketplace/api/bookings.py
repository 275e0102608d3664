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
from services.usecases import bookings as use_cases

bookings = noun("bookings", "Inspection slots, and who took them.")


class SlotSearch(Body):
    """When and where an instrument is wanted."""

    offering: Slug
    from_: Instant = Field(alias="from")
    to: Instant
    region: str | None = Field(None, pattern=r"^\d{2}(\d{2}(\d{2})?)?$", description="Beginning of a division code")
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


class ReportParameters(Parameters):
    """What the report found, and its file's name when the body is the file itself."""

    passed: bool | None = Field(None, description="Whether the sample passed; left out when that is not the question")
    name: str | None = Field(None, max_length=200)


@bookings.post("/slots/search", **call(Slots))
def search_slots(body: SlotSearch) -> Response:
    """Find free slots."""
    with working() as work:
        found = use_cases.search_slots(
            work, offering=body.offering, from_=body.from_, to=body.to, region=body.region, limit=body.limit
        )
        return Response(Slots(items=[Slot.of(slot) for slot in found]).model_dump_json(), mimetype="application/json")


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
