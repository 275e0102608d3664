"""Qualifications of persons: asked for with evidence, granted, declined and revoked by the instrument's provider."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.artefacts import download
from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Moment, Note, Paged
from marketplace.doors.identity import working
from services.rules.qualifications import LONGEST_EVIDENCE, LONGEST_REASON
from services.usecases import instruments, qualification_decisions
from services.usecases import qualifications as use_cases

qualifications = noun("qualifications", "What persons must hold to use an instrument, and who holds it until when.")

Reason = Annotated[str, Field(min_length=1, max_length=LONGEST_REASON, description="The person reads it")]


class QualificationStep(Answer):
    """A step of a named person of the provider."""

    number: int
    step: str = Field(description="granted, declined or revoked")
    valid_until: date | None = Field(description="The last day of a grant")
    reason: str
    taken_by: UUID
    taken_by_name: str
    taken_at: Moment


class Qualification(Answer):
    """A person's request for a qualification, and what became of it."""

    id: UUID
    park_id: UUID
    provider_id: UUID
    provider_name: str
    qualification: str
    person_id: UUID
    person_name: str
    number: int = Field(description="Which request of the person for it, from 1 on")
    evidence: str
    artefact_id: UUID | None
    asked_at: Moment
    state: str = Field(description="requested, valid, expired, declined or revoked, today")
    valid_until: date | None
    steps: list[QualificationStep]


class Qualifications(Answer):
    """Requests, the latest first."""

    items: list[Qualification]
    next_cursor: str | None


class QualificationWish(Body):
    """What a person asks for, by an instrument that asks for it."""

    instrument_id: UUID
    evidence: str = Field(min_length=1, max_length=LONGEST_EVIDENCE)
    artefact_id: UUID | None = Field(None, description="A file of the own park, which the provider may read then")


class QualificationGrant(Body):
    """Until which day it holds."""

    valid_until: date = Field(description="The last day, in China")
    reason: Note = ""


class QualificationRefusal(Body):
    """Why it is declined or revoked."""

    reason: Reason


class QualificationStanding(Answer):
    """What an instrument asks for, and how the caller stands with it today; ``state`` is null where it asks for nothing."""

    qualification: str
    training: str
    state: str | None
    valid_until: date | None


class LackingBooking(Answer):
    """An open booking whose person is not qualified on its day."""

    id: UUID
    park_id: UUID
    instrument_id: UUID
    instrument_name: str
    starts_at: Moment
    ends_at: Moment
    responsible_id: UUID | None


class LackingBookings(Answer):
    """Such bookings by their start, 200 at most."""

    items: list[LackingBooking]
    next_cursor: str | None = None


@qualifications.get("/qualifications", **call(Qualifications))
def list_qualifications(query: Paged) -> Response:
    """List the own requests, all of the park for who manages its members, or those to the own provider."""
    return read(Qualifications, lambda work: use_cases.list_requests(work, limit=query.limit, cursor=query.cursor))


@qualifications.post("/qualifications", **call(Qualification, status=201))
def ask_qualification(body: QualificationWish, header: Idempotent) -> Response:
    """Ask an instrument's provider for its qualification, for oneself."""
    return command(
        "qualification.ask",
        header,
        body,
        lambda work: Qualification.of(
            use_cases.ask(work, instrument_id=body.instrument_id, evidence=body.evidence, artefact_id=body.artefact_id)
        ),
        status=201,
    )


@qualifications.get("/qualifications/<id>", **call(Qualification))
def read_qualification(path: ById) -> Response:
    """Read a request."""
    return read(Qualification, lambda work: use_cases.read_request(work, request_id=path.id))


@qualifications.get("/qualifications/<id>/evidence", **call(files=["*/*"]))
def open_qualification_evidence(path: ById) -> Response:
    """Download the file that a request came with."""
    with working() as work:
        found = use_cases.open_evidence(work, request_id=path.id)
    return download(found.view.name, found.view.media_type, found.content, sha256=found.view.sha256)


@qualifications.post("/qualifications/<id>/grant", **call(Qualification))
def grant_qualification(path: ById, body: QualificationGrant, header: Idempotent) -> Response:
    """Grant a request until a day (the provider)."""
    return command(
        "qualification.grant",
        header,
        body,
        lambda work: Qualification.of(
            qualification_decisions.grant(work, request_id=path.id, until=body.valid_until, reason=body.reason)
        ),
        about={"id": str(path.id)},
    )


@qualifications.post("/qualifications/<id>/decline", **call(Qualification))
def decline_qualification(path: ById, body: QualificationRefusal, header: Idempotent) -> Response:
    """Decline a request (the provider)."""
    return command(
        "qualification.decline",
        header,
        body,
        lambda work: Qualification.of(qualification_decisions.decline(work, request_id=path.id, reason=body.reason)),
        about={"id": str(path.id)},
    )


@qualifications.post("/qualifications/<id>/revoke", **call(Qualification))
def revoke_qualification(path: ById, body: QualificationRefusal, header: Idempotent) -> Response:
    """Take a grant back; what is booked stays (the provider)."""
    return command(
        "qualification.revoke",
        header,
        body,
        lambda work: Qualification.of(qualification_decisions.revoke(work, request_id=path.id, reason=body.reason)),
        about={"id": str(path.id)},
    )


@qualifications.get("/instruments/<id>/qualification", **call(QualificationStanding))
def read_standing(path: ById) -> Response:
    """Read what an instrument asks for, and how the caller stands with it today."""
    with working() as work:
        instrument = instruments.read_instrument(work, instrument_id=path.id)
        found = use_cases.standings(work, instruments=[instrument]).get(path.id)
    if found is None:
        facts = instrument.facts
        return show(
            QualificationStanding(
                qualification=facts.qualification, training=facts.training, state=None, valid_until=None
            )
        )
    return show(QualificationStanding.of(found))


@qualifications.get("/unqualified-bookings", **call(LackingBookings))
def list_unqualified_bookings() -> Response:
    """List the own instruments' open bookings whose person is not qualified on their day (the provider)."""
    with working() as work:
        found = qualification_decisions.list_lacking(work)
    return show(LackingBookings(items=[LackingBooking.of(each) for each in found]))
