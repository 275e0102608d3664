"""Subsidy programmes: rules as data, written by one person and approved by another."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import programmes as use_cases
from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import (
    Answer,
    Body,
    ById,
    Document,
    Idempotent,
    Instant,
    Moment,
    Name,
    Note,
    Parameters,
    PathParameters,
    Slug,
)
from marketplace.doors.identity import working
from marketplace.doors.policy_words import difference_words
from marketplace.doors.texts import CHINESE, ENGLISH, translate

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
    rejected_by: UUID | None
    rejected_at: Moment | None
    rejection: str | None


class Rejection(Body):
    """Why a version is refused."""

    reason: Note


class Change(Answer):
    """One difference of two versions: where it stands in the policy, what it is about, and in words."""

    path: str
    topic: str
    zh: str
    en: str


class Comparison(Answer):
    """How a version differs from an older one; from none when it is the first."""

    programme_id: UUID
    version: int
    against: int | None
    differences: list[Change]


class Against(Parameters):
    """Which version to compare with."""

    against: int | None = Field(None, ge=1, le=1_000_000, description="Left out: the latest approved one before it")


class OnDay(Parameters):
    """The moment that is asked for."""

    at: Instant | None = Field(None, description="Left out: now")


class InForce(Answer):
    """A version of a programme that counts at a moment."""

    programme: str
    version: int
    name: str
    name_en: str
    policy: Document


class InForceList(Answer):
    """The versions that count at a moment, one per programme at most."""

    at: Moment
    items: list[InForce]
    next_cursor: str | None = None


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


@programmes.post("/programmes/<id>/versions/<version>/rejection", **call(Version))
def reject_version(path: VersionPath, body: Rejection, header: Idempotent) -> Response:
    """Refuse a submitted version, with the reason; the next one may start from it."""
    return command(
        "policy.reject",
        header,
        body,
        lambda work: Version.of(
            use_cases.reject_version(work, programme_id=path.id, version=path.version, reason=body.reason)
        ),
        about=path.about(),
    )


@programmes.post("/programmes/<id>/versions/<version>/withdrawal", **call(Version))
def withdraw_version(path: VersionPath, header: Idempotent) -> Response:
    """Take back a version that is not approved."""
    return command(
        "policy.withdraw",
        header,
        None,
        lambda work: Version.of(use_cases.withdraw_version(work, programme_id=path.id, version=path.version)),
        about=path.about(),
    )


@programmes.get("/programmes/<id>/versions/<version>/diff", **call(Comparison))
def compare_versions(path: VersionPath, query: Against) -> Response:
    """Say what a version changes, in Chinese and English."""
    with working() as work:
        found = use_cases.compare_versions(work, programme_id=path.id, version=path.version, against=query.against)
    said = [(each, difference_words(each)) for each in found.differences]
    changes = [
        Change(path=each.path, topic=each.topic, zh=translate(words, CHINESE), en=translate(words, ENGLISH))
        for each, words in said
    ]
    return show(
        Comparison(programme_id=found.programme_id, version=found.version, against=found.against, differences=changes)
    )


@programmes.get("/programmes/in-force", **call(InForceList))
def list_in_force(query: OnDay) -> Response:
    """List what counts at a moment."""
    with working() as work:
        at = query.at or work.now
        found = use_cases.effective_policies(work, at=at)
    items = [
        InForce(
            programme=each.policy.programme,
            version=each.policy.version,
            name=each.name,
            name_en=each.name_en,
            policy=each.document,
        )
        for each in found
    ]
    return show(InForceList(at=at, items=items))
