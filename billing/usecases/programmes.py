"""Programmes and their versions: written by one person, approved by another, superseded and never edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from billing.formats.policy import policy_json
from billing.rules.naming import check_slug
from billing.rules.periods import start_of_day
from billing.rules.policy_diff import Difference, differences
from billing.store import programme_queries
from billing.store.programmes import PolicyVersion, Programme
from billing.usecases.policies_in_force import EffectivePolicy, policies_in_force, read_policy
from billing.usecases.policy_checks import check_draft, read_bounds
from billing.usecases.programme_views import (
    PolicyVersionView,
    ProgrammeView,
    programme_not_found,
    programme_view,
    read_programme_view,
    version_view,
)
from tenants.kernel.context import Reach
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit

__all__ = [
    "ComparisonView", "PolicyVersionView", "ProgrammeView", "approve_version", "compare_versions", "create_programme",
    "effective_policies", "list_programmes", "read_programme", "reject_version", "submit_version", "withdraw_version",
    "write_version",
]  # fmt: skip

LONGEST_REASON = 500


@dataclass(frozen=True)
class ComparisonView:
    """How a version differs from an older one; from none (``against`` None) when it is the first."""

    programme_id: UUID
    version: int
    against: int | None
    differences: tuple[Difference, ...]


def create_programme(work: Work, *, slug: str, name: str, name_en: str, bounds: Mapping[str, Any]) -> ProgrammeView:
    """Create a programme with bounds such as ``{"small": {"min_bp": 5000, "max_bp": 7000}}``.

    Raises Invalid for unusable names or bounds that are none, and Conflict when ``slug`` is taken.
    """
    work.actor.require(Permission.WRITE_PROGRAMME)
    with Faults() as faults:
        faults.take("slug", check_slug, slug)
        faults.take("name", check_name, name)
        faults.take("name_en", check_name, name_en)
    read_bounds(bounds)
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
    check_draft(work, programme, rules, latest)
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
    return version_view(row)


def submit_version(work: Work, *, programme_id: UUID, version: int) -> PolicyVersionView:
    """Put a draft before the approvers. Raises Invalid when it has gone stale meanwhile, such as a day that has passed."""
    work.actor.require(Permission.WRITE_PROGRAMME)
    programme = _locked(work, programme_id)
    row = _version(work, programme_id, version, "draft")
    check_draft(work, programme, read_policy(row.policy), version - 1)
    row.status, row.submitted_at = "submitted", work.now
    return _decided(work, row, "policy.submit")


def approve_version(work: Work, *, programme_id: UUID, version: int) -> PolicyVersionView:
    """Approve a submitted version written by somebody else; it counts from its window's first day, or from now.

    Raises Conflict ``policy.same_person`` for its author; the database refuses that, too. Raises Invalid when it has
    become impossible since it was submitted: an exclusive rival was approved, a ceiling is below what was granted.
    """
    work.actor.require(Permission.APPROVE_PROGRAMME)
    approver = work.actor.require_person()
    programme_queries.lock_all_programmes(work.session)  # two rivals are not approved side by side
    programme = _locked(work, programme_id)
    row = _version(work, programme_id, version, "submitted")
    if row.written_by == approver:
        raise Conflict("policy.same_person", msg("编写人不能批准自己编写的政策版本。请由另一位人员批准。"))
    rules = read_policy(row.policy)
    check_draft(work, programme, rules, version - 1, may_have_begun=True)
    row.status, row.approved_by, row.approved_at = "approved", approver, work.now
    row.effective_from = max(work.now, start_of_day(rules.window.start, rules.timezone))
    return _decided(work, row, "policy.approve")


def reject_version(work: Work, *, programme_id: UUID, version: int, reason: str) -> PolicyVersionView:
    """Refuse a submitted version with a reason. It is closed for good; the next version may start from it.

    Raises Invalid without a reason and Conflict ``policy.same_person`` for its author, who withdraws it instead.
    """
    work.actor.require(Permission.APPROVE_PROGRAMME)
    approver = work.actor.require_person()
    said = reason.strip()
    if not 1 <= len(said) <= LONGEST_REASON:
        wrong = msg("请写明退回理由（不超过 {most} 字）。", most=LONGEST_REASON)
        raise Invalid("policy.reason", wrong, errors=[FieldError("reason", "policy.reason", wrong)])
    _locked(work, programme_id)
    row = _version(work, programme_id, version, "submitted")
    if row.written_by == approver:
        raise Conflict("policy.same_person", msg("编写人不能退回自己编写的政策版本。请改为撤回。"))
    row.status, row.rejected_by, row.rejected_at, row.rejection = "rejected", approver, work.now, said
    return _decided(work, row, "policy.reject")


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
    return tuple(programme_view(work, programme) for programme in programme_queries.all_programmes(work.session))


def compare_versions(work: Work, *, programme_id: UUID, version: int, against: int | None = None) -> ComparisonView:
    """Return what a version changes, compared with another one, or else with the latest approved one before it.

    Raises NotFound for versions that do not exist, or that the reader may not see.
    """
    work.actor.require(Permission.READ_PROGRAMME)
    if work.session.get(Programme, programme_id) is None:
        raise programme_not_found()
    seen = {
        row.version: row
        for row in programme_queries.versions_of(work.session, programme_id)
        if work.actor.reach is Reach.STAFF or row.status == "approved"
    }
    if against is None:
        before = [row.version for row in seen.values() if row.version < version and row.status == "approved"]
        against = max(before, default=None)
    for wanted in (version, against):
        if wanted is not None and wanted not in seen:
            raise _no_version(wanted)
    if against is None:
        return ComparisonView(programme_id, version, None, ())
    changes = differences(read_policy(seen[against].policy), read_policy(seen[version].policy))
    return ComparisonView(programme_id, version, against, changes)


def read_programme(work: Work, *, programme_id: UUID) -> ProgrammeView:
    """Return a programme with its versions: to parks the approved ones, to staff all. Raises NotFound."""
    work.actor.require(Permission.READ_PROGRAMME)
    return read_programme_view(work, programme_id)


def effective_policies(work: Work, *, at: datetime) -> tuple[EffectivePolicy, ...]:
    """Return the version of each programme that counts at ``at``."""
    work.actor.require(Permission.READ_PROGRAMME)
    return policies_in_force(work, at=at)


def _locked(work: Work, programme_id: UUID) -> Programme:
    programme = programme_queries.lock_programme(work.session, programme_id)
    if programme is None:
        raise programme_not_found()
    return programme


def _version(work: Work, programme_id: UUID, version: int, *statuses: str) -> PolicyVersion:
    """Return a version that stands at one of ``statuses``; the programme is locked by now."""
    rows = [row for row in programme_queries.versions_of(work.session, programme_id) if row.version == version]
    if not rows:
        raise _no_version(version)
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


def _no_version(version: int) -> NotFound:
    return NotFound("policy.not_found", msg("没有第 {version} 版。请核对版本号。", version=version))


def _decided(work: Work, row: PolicyVersion, action: str) -> PolicyVersionView:
    work.session.flush()
    audit.record(work, action, "programme", row.programme_id, version=row.version, reason=row.rejection)
    return version_view(row)
