"""Hours of a joint facility: accounts by year, uses with their corrections, hours released for lending."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import joint_uses as use_cases
from billing.usecases import joint_years
from billing.usecases.joint_uses import NewUse
from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Amount, Answer, Body, ById, Idempotent, Moment, Paged, Parameters

joint_hours = noun("joint-hours", "Hours of a facility that several parks fund: entitled, used, lent, borrowed, left.")

Year = Annotated[int, Field(strict=True, ge=1900, le=2200)]
Minutes = Annotated[int, Field(strict=True, ge=1, le=527_040)]
Evidence = Annotated[str, Field(min_length=1, max_length=500, description="The booking, the report, the log")]


class Use(Body):
    """Who used the facility on a day. ``park_id`` names a funding party; without it ``user_name`` names an outsider."""

    day: date
    minutes: Minutes
    evidence: Evidence
    park_id: UUID | None = None
    user_name: Annotated[str, Field(max_length=200)] = ""
    evidence_sha256: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$")] = None


class Correction(Body):
    """What the use should have been; 0 takes it back."""

    minutes: Annotated[int, Field(strict=True, ge=0, le=527_040)]
    reason: Evidence


class Release(Body):
    """Minutes of the own entitlement that others may have at any date; below zero takes them back."""

    year: Year
    minutes: Annotated[int, Field(strict=True, ge=-527_040, le=527_040)]


class JointYearQuery(Parameters):
    """Which year; without it this one, or the nearest that the version covers."""

    year: int | None = Field(None, ge=1900, le=2200)


class UsesQuery(Paged):
    """Which part of a year's uses."""

    year: int | None = Field(None, ge=1900, le=2200)


class ParkHours(Answer):
    """A party's year. ``most_minutes``: what it may still use at all, at whatever price."""

    park_id: UUID
    name: str
    role: str
    share_bp: int
    entitled_minutes: int = Field(description="With carried_minutes")
    carried_minutes: int
    used_minutes: int
    lent_minutes: int
    borrowed_minutes: int
    released_minutes: int
    left_minutes: int
    most_minutes: int
    due_fen: Amount
    received_fen: Amount
    capital_fen: Amount
    net_fen: Amount


class JointHours(Answer):
    """A year of a joint facility on ``[start, end)``, by what was used so far."""

    agreement_id: UUID
    title: str
    version: int
    year: int
    start: date
    end: date
    lead_id: UUID
    shared_minutes: int
    used_minutes: int
    outsider_minutes: int
    free_minutes: int
    lending_notice_days: int
    overdraw_minutes: int
    inside_fen_per_hour: Amount
    above_fen_per_hour: Amount
    outsider_fen_per_hour: Amount
    outsiders_fen: Amount
    cost_fen: Amount
    is_closed: bool
    parks: list[ParkHours]


class JointUse(Answer):
    """A use; below zero it takes back the use ``corrects_id``."""

    id: UUID
    agreement_id: UUID
    park_id: UUID | None
    user_name: str
    day: date
    minutes: int
    evidence: str
    evidence_sha256: str | None
    corrects_id: UUID | None
    is_corrected: bool
    recorded_at: Moment


class JointUses(Answer):
    """Uses, last recorded first, a part of the list."""

    items: list[JointUse]
    next_cursor: str | None = None


@joint_hours.get("/joint-agreements/<id>/hours", **call(JointHours))
def read_hours(path: ById, query: JointYearQuery) -> Response:
    """Read a year's hours of all parties, and what it comes to so far."""
    return read(JointHours, lambda work: joint_years.read_year(work, agreement_id=path.id, year=query.year))


@joint_hours.get("/joint-agreements/<id>/uses", **call(JointUses))
def list_uses(path: ById, query: UsesQuery) -> Response:
    """List a year's uses with their corrections."""
    return read(JointUses, lambda work: use_cases.list_uses(work, agreement_id=path.id, **query.model_dump()))


@joint_hours.post("/joint-agreements/<id>/uses", **call(JointUse, status=201))
def record_use(path: ById, body: Use, header: Idempotent) -> Response:
    """Record a use, past or planned; the lead does."""
    use = NewUse(**dict(body))
    return command(
        "joint.record_use",
        header,
        body,
        lambda work: JointUse.of(use_cases.record_use(work, agreement_id=path.id, use=use)),
        about={"id": str(path.id)},
        status=201,
    )


@joint_hours.post("/joint-uses/<id>/correction", **call(JointUse))
def correct_use(path: ById, body: Correction, header: Idempotent) -> Response:
    """Take a use back and, unless minutes is 0, record it anew; the lead does."""
    return command(
        "joint.correct_use",
        header,
        body,
        lambda work: JointUse.of(use_cases.correct_use(work, use_id=path.id, minutes=body.minutes, reason=body.reason)),
        about={"id": str(path.id)},
    )


@joint_hours.post("/joint-agreements/<id>/releases", **call(JointHours))
def release_hours(path: ById, body: Release, header: Idempotent) -> Response:
    """Release the own park's unused hours for lending at any date, or take them back while nobody has them."""
    return command(
        "joint.release",
        header,
        body,
        lambda work: JointHours.of(
            use_cases.release_hours(work, agreement_id=path.id, year=body.year, minutes=body.minutes)
        ),
        about={"id": str(path.id)},
    )
