"""Subsidy programmes: rules as data, written by one person and approved by another."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import programmes as use_cases
from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import Answer, Body, ById, Document, Idempotent, Moment, Name, PathParameters, Slug
from marketplace.doors.identity import working

programmes = noun("programmes", "Rules of subsidies, in versions.")


class NewProgramme(Body):
    """A programme, and the bounds that every version keeps to."""

    slug: Slug
    name: Name
    name_en: Name
    bounds: Document = Field(default_factory=dict)


class NewVersion(Body):
    """Rules: a Policy as the contract describes it."""

    policy: Document


class Version(Answer):
    """A version of a programme's rules."""

    programme_id: UUID
    version: int
    status: str
    policy: Document
    written_by: UUID
    written_at: Moment
    submitted_at: Moment | None
    approved_by: UUID | None
    approved_at: Moment | None
    effective_from: Moment | None


class Programme(Answer):
    """A programme with its versions, oldest first."""

    id: UUID
    slug: str
    name: str
    name_en: str
    bounds: Document
    versions: list[Version]


class Programmes(Answer):
    """Programmes."""

    items: list[Programme]
    next_cursor: str | None = None


class VersionPath(PathParameters):
    """A version of a programme."""

    id: UUID
    version: Annotated[int, Field(ge=1, le=1_000_000)]

    def about(self) -> dict[str, str | int]:
        """Return what the path names, for the command's fingerprint."""
        return {"programme": str(self.id), "version": self.version}


@programmes.get("/programmes", **call(Programmes))
def list_programmes() -> Response:
    """List the programmes with their versions."""
    with working() as work:
        return show(Programmes(items=[Programme.of(each) for each in use_cases.list_programmes(work)]))


@programmes.post("/programmes", **call(Programme, status=201))
def create_programme(body: NewProgramme, header: Idempotent) -> Response:
    """Found a programme; it has no rules yet."""
    return command(
        "programme.create",
        header,
        body,
        lambda work: Programme.of(use_cases.create_programme(work, **body.model_dump())),
        status=201,
    )


@programmes.post("/programmes/<id>/versions", **call(Version, status=201))
def write_version(path: ById, body: NewVersion, header: Idempotent) -> Response:
    """Write the next version of the rules, as a draft."""
    return command(
        "policy.write",
        header,
        body,
        lambda work: Version.of(use_cases.write_version(work, programme_id=path.id, policy=body.policy)),
        status=201,
        about={"programme": str(path.id)},
    )


@programmes.post("/programmes/<id>/versions/<version>/submission", **call(Version))
def submit_version(path: VersionPath, header: Idempotent) -> Response:
    """Submit a draft for approval."""
    return command(
        "policy.submit",
        header,
        None,
        lambda work: Version.of(use_cases.submit_version(work, programme_id=path.id, version=path.version)),
        about=path.about(),
    )


@programmes.post("/programmes/<id>/versions/<version>/approval", **call(Version))
def approve_version(path: VersionPath, header: Idempotent) -> Response:
    """Approve what somebody else wrote; it holds from then on."""
    return command(
        "policy.approve",
        header,
        None,
        lambda work: Version.of(use_cases.approve_version(work, programme_id=path.id, version=path.version)),
        about=path.about(),
    )
