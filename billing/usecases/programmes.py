"""Programmes and their versions: written by one person, approved by another, superseded and never edited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from billing.formats.documents import Document, read_document
from billing.formats.fields import BasisPoints
from billing.formats.policy import policy_json
from billing.rules.naming import check_slug
from billing.rules.periods import cap_year, local_day, start_of_day
from billing.rules.policies import Frame, RateBounds, check_version
from billing.rules.terms import CapScope, Policy
from billing.store import programme_queries
from billing.store.ceiling_queries import most_used
from billing.store.fund_queries import ids_of_funds
from billing.store.programmes import PolicyVersion, Programme
from billing.usecases.policies_in_force import EffectivePolicy, policies_in_force, read_policy
from tenants.kernel.context import Reach
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import ParkSize, Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit

KNOWN_FACTS = frozenset(
    (
        "park_size", "region", "region_class", "tier", "verification", "control_group",
        "offering", "offering_tier", "delivery", "provider", "provider_control_group", "gross_fen",
        "related_party", "already_subsidised",
    )
)  # fmt: skip
"""What orders state of themselves. A condition on anything else would never hold, so a version with one is refused."""


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


@dataclass(frozen=True)
class ProgrammeView:
    """A programme, the rates it allows per park size, and its versions, oldest first."""

    id: UUID
    slug: str
    name: str
    name_en: str
    bounds: Mapping[str, Any]
    versions: tuple[PolicyVersionView, ...]


class BoundsDocument(Document):
    """The lowest and the highest rate for one park size, both allowed."""

    min_bp: BasisPoints
    max_bp: BasisPoints


class SizesDocument(Document):
    """Bounds per park size; a size without any takes every rate."""

    small: BoundsDocument | None = None
    medium: BoundsDocument | None = None
    large: BoundsDocument | None = None


def create_programme(work: Work, *, slug: str, name: str, name_en: str, bounds: Mapping[str, Any]) -> ProgrammeView:
    """Create a programme with bounds such as ``{"small": {"min_bp": 5000, "max_bp": 7000}}``.

    Raises Invalid for unusable names or bounds that are none, and Conflict when ``slug`` is taken.
    """
    work.actor.require(Permission.WRITE_PROGRAMME)
    with Faults() as faults:
        faults.take("slug", check_slug, slug)
        faults.take("name", check_name, name)
        faults.take("name_en", check_name, name_en)
    _read_bounds(bounds)
    programme_id = new_id()
    made = insert(Programme).values(
        id=programme_id,
        slug=slug,
        name=name,
        name_en=name_en,
        bounds=dict(bounds),
        created_by=work.actor.user_id,
        created_at=work.now,
    )
    if not rows_written(work.session, made.on_conflict_do_nothing()):
        raise Conflict("programme.slug_taken", msg("补贴项目代码 {slug} 已被使用。请换一个代码。", slug=slug))
    audit.record(work, "programme.create", "programme", programme_id, slug=slug)
    return read_programme_view(work, programme_id)


def write_version(work: Work, *, programme_id: UUID, policy: Mapping[str, Any]) -> PolicyVersionView:
    """Write the next version of a programme as a draft.

    ``programme`` and ``version`` of the document may be left out. Raises Invalid with one error per fault: rates
    outside the bounds, shares that do not sum, a fund or fact that does not exist, a day that has passed.
    """
    work.actor.require(Permission.WRITE_PROGRAMME)
    writer = work.actor.require_person()
    programme = _locked(work, programme_id)
    before = programme_queries.versions_of(work.session, programme_id)
    latest = before[-1].version if before else 0
    rules = read_policy({"programme": programme.slug, "version": latest + 1, **policy})
    _check(work, programme, rules, latest)
    row = PolicyVersion(
        programme_id=programme_id,
        version=rules.version,
        status="draft",
        policy=policy_json(rules),
        written_by=writer,
        written_at=work.now,
        submitted_at=None,
        approved_by=None,
        approved_at=None,
        effective_from=None,
    )
    work.session.add(row)
    work.session.flush()
    audit.record(work, "policy.write", "programme", programme_id, version=row.version)
    return _version_view(row)


def submit_version(work: Work, *, programme_id: UUID, version: int) -> PolicyVersionView:
    """Put a draft before the approvers. Raises Invalid when it has gone stale meanwhile, such as a day that has passed."""
    work.actor.require(Permission.WRITE_PROGRAMME)
    programme = _locked(work, programme_id)
    row = _version(work, programme_id, version, "draft")
    _check(work, programme, read_policy(row.policy), version - 1)
    row.status, row.submitted_at = "submitted", work.now
    return _decided(work, row, "policy.submit")


def approve_version(work: Work, *, programme_id: UUID, version: int) -> PolicyVersionView:
    """Approve a submitted version written by somebody else; it counts from its window's first day, or from now.

    Raises Conflict ``policy.same_person`` for its author; the database refuses that, too.
    """
    work.actor.require(Permission.APPROVE_PROGRAMME)
    approver = work.actor.require_person()
    _locked(work, programme_id)
    row = _version(work, programme_id, version, "submitted")
    if row.written_by == approver:
        raise Conflict("policy.same_person", msg("编写人不能批准自己编写的政策版本。请由另一位人员批准。"))
    rules = read_policy(row.policy)
    row.status, row.approved_by, row.approved_at = "approved", approver, work.now
    row.effective_from = max(work.now, start_of_day(rules.window.start, rules.timezone))
    return _decided(work, row, "policy.approve")


def withdraw_version(work: Work, *, programme_id: UUID, version: int) -> PolicyVersionView:
    """Take back a version that is not approved."""
    work.actor.require(Permission.WRITE_PROGRAMME)
    _locked(work, programme_id)
    row = _version(work, programme_id, version, "draft", "submitted")
    row.status = "withdrawn"
    return _decided(work, row, "policy.withdraw")


def list_programmes(work: Work) -> tuple[ProgrammeView, ...]:
    """Return all programmes with their versions: to parks the approved ones, to staff all."""
    work.actor.require(Permission.READ_PROGRAMME)
    return tuple(_programme_view(work, programme) for programme in programme_queries.all_programmes(work.session))


def read_programme(work: Work, *, programme_id: UUID) -> ProgrammeView:
    """Return a programme with its versions: to parks the approved ones, to staff all. Raises NotFound."""
    work.actor.require(Permission.READ_PROGRAMME)
    return read_programme_view(work, programme_id)


def effective_policies(work: Work, *, at: datetime) -> tuple[EffectivePolicy, ...]:
    """Return the version of each programme that counts at ``at``."""
    work.actor.require(Permission.READ_PROGRAMME)
    return policies_in_force(work, at=at)


def read_programme_view(work: Work, programme_id: UUID) -> ProgrammeView:
    """Return a programme for use cases that have asked for their own permission. Raises NotFound."""
    programme = work.session.get(Programme, programme_id)
    if programme is None:
        raise _not_found()
    return _programme_view(work, programme)


def _check(work: Work, programme: Programme, rules: Policy, latest: int) -> None:
    """Refuse a version that could not be applied, or that its programme does not allow."""
    frame = Frame(
        bounds=_read_bounds(programme.bounds),
        known_facts=KNOWN_FACTS,
        granted=_granted(work, rules),
        latest_version=latest,
        not_before=local_day(work.now, rules.timezone),
        neighbours=[
            read_policy(version.policy) for version in programme_queries.neighbours_of(work.session, programme.id)
        ],
    )
    errors = [*check_version(rules, frame), *_check_place(programme, rules, latest), *_check_funds(work, rules)]
    if errors:
        raise Invalid(
            "policy.invalid", msg("政策版本有 {count} 处问题。请按所列字段逐一改正。", count=len(errors)), errors=errors
        )


def _check_place(programme: Programme, rules: Policy, latest: int) -> Iterable[FieldError]:
    if rules.programme != programme.slug:
        yield FieldError(
            "programme",
            "policy.other_programme",
            msg(
                "该版本写的是项目 {other}，不属于 {slug}。请改正或删去此字段。",
                other=rules.programme,
                slug=programme.slug,
            ),
        )
    if rules.version > latest + 1:
        yield FieldError(
            "version", "policy.version_gap", msg("下一版本号应为 {next}。请改正或删去此字段。", next=latest + 1)
        )


def _check_funds(work: Work, rules: Policy) -> Iterable[FieldError]:
    known = ids_of_funds(work.session, {funder.fund for funder in rules.funders})
    for index, funder in enumerate(rules.funders):
        if funder.fund not in known:
            yield FieldError(
                f"funders[{index}].fund",
                "policy.unknown_fund",
                msg("没有资金池 {fund}。请先设立该资金池，或改用已有的资金池。", fund=funder.fund),
            )


def _granted(work: Work, rules: Policy) -> dict[CapScope, int]:
    """Return the most that any holder has under each ceiling in the cap year of the version's first day."""
    year = cap_year(rules.window.start, rules.year_starts).label
    used = most_used(work.session, rules.programme)
    return {
        scope: used.get((scope.value, year if scope.yearly else ""), 0)
        for scope in CapScope
        if scope is not CapScope.ORDER
    }


def _read_bounds(bounds: Mapping[str, Any]) -> dict[str, RateBounds]:
    document = read_document(SizesDocument, dict(bounds))
    found = {size.value: getattr(document, size.value) for size in ParkSize}
    return {size: RateBounds(each.min_bp, each.max_bp) for size, each in found.items() if each is not None}


def _locked(work: Work, programme_id: UUID) -> Programme:
    programme = programme_queries.lock_programme(work.session, programme_id)
    if programme is None:
        raise _not_found()
    return programme


def _version(work: Work, programme_id: UUID, version: int, *statuses: str) -> PolicyVersion:
    """Return a version that stands at one of ``statuses``; the programme is locked by now."""
    rows = [row for row in programme_queries.versions_of(work.session, programme_id) if row.version == version]
    if not rows:
        raise NotFound("policy.not_found", msg("没有第 {version} 版。请核对版本号。", version=version))
    if rows[0].status not in statuses:
        raise Conflict(
            "policy.wrong_status",
            msg(
                "第 {version} 版目前为 {status} 状态，不能进行此操作。请刷新后再试。",
                version=version,
                status=rows[0].status,
            ),
        )
    return rows[0]


def _decided(work: Work, row: PolicyVersion, action: str) -> PolicyVersionView:
    work.session.flush()
    audit.record(work, action, "programme", row.programme_id, version=row.version)
    return _version_view(row)


def _not_found() -> NotFound:
    return NotFound("programme.not_found", msg("没有找到该补贴项目。请核对编号。"))


def _programme_view(work: Work, programme: Programme) -> ProgrammeView:
    versions = [
        version
        for version in programme_queries.versions_of(work.session, programme.id)
        if work.actor.reach is Reach.STAFF or version.status == "approved"
    ]
    return ProgrammeView(
        id=programme.id,
        slug=programme.slug,
        name=programme.name,
        name_en=programme.name_en,
        bounds=programme.bounds,
        versions=tuple(_version_view(version) for version in versions),
    )


def _version_view(row: PolicyVersion) -> PolicyVersionView:
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
    )
