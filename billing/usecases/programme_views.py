"""Programmes and versions as their readers see them: parks the approved ones, staff all and who decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from billing.store import programme_queries
from billing.store.programmes import PolicyVersion, Programme
from tenants.kernel.context import Reach
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases.identity import person_names


@dataclass(frozen=True)
class PolicyVersionView:
    """A version of a programme, as the contract writes it, and who decided what when."""

    programme_id: UUID
    version: int
    status: str
    policy: Mapping[str, Any]
    written_by: UUID
    written_at: datetime
    submitted_at: datetime | None
    approved_by: UUID | None
    approved_at: datetime | None
    effective_from: datetime | None
    rejected_by: UUID | None = None
    rejected_at: datetime | None = None
    rejection: str | None = None
    """Why it was rejected."""
    writer: str | None = None
    decider: str | None = None
    """The names of who wrote it and of who approved or rejected it, for readers who may know them."""


@dataclass(frozen=True)
class ProgrammeView:
    """A programme, the rates it allows per park size, and its versions, oldest first."""

    id: UUID
    slug: str
    name: str
    name_en: str
    bounds: Mapping[str, Any]
    versions: tuple[PolicyVersionView, ...]


def read_programme_view(work: Work, programme_id: UUID) -> ProgrammeView:
    """Return a programme for use cases that have asked for their own permission. Raises NotFound."""
    programme = work.session.get(Programme, programme_id)
    if programme is None:
        raise programme_not_found()
    return programme_view(work, programme)


def programme_not_found() -> NotFound:
    """Return the refusal of an id that no programme has."""
    return NotFound("programme.not_found", msg("没有找到该补贴项目。请核对编号。"))


def programme_view(work: Work, programme: Programme) -> ProgrammeView:
    """Return a programme with those of its versions that the reader may see."""
    versions = [
        version
        for version in programme_queries.versions_of(work.session, programme.id)
        if work.actor.reach is Reach.STAFF or version.status == "approved"
    ]
    names = _names(work, versions)
    return ProgrammeView(
        id=programme.id,
        slug=programme.slug,
        name=programme.name,
        name_en=programme.name_en,
        bounds=programme.bounds,
        versions=tuple(version_view(version, names) for version in versions),
    )


def version_view(row: PolicyVersion, names: Mapping[UUID, str] = MappingProxyType({})) -> PolicyVersionView:
    """Return a version; ``names`` are those of the people who wrote and decided it."""
    decider = row.approved_by or row.rejected_by
    return PolicyVersionView(
        programme_id=row.programme_id,
        version=row.version,
        status=row.status,
        policy=row.policy,
        written_by=row.written_by,
        written_at=row.written_at,
        submitted_at=row.submitted_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        effective_from=row.effective_from,
        rejected_by=row.rejected_by,
        rejected_at=row.rejected_at,
        rejection=row.rejection,
        writer=names.get(row.written_by),
        decider=None if decider is None else names.get(decider),
    )


def _names(work: Work, versions: Iterable[PolicyVersion]) -> Mapping[UUID, str]:
    if work.actor.reach is not Reach.STAFF or not work.actor.may(Permission.READ_AUDIT):
        return {}
    people = {person for row in versions for person in (row.written_by, row.approved_by, row.rejected_by) if person}
    return person_names(work, user_ids=people)
