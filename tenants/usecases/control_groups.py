"""Control groups: which organisations have one actual controller, kept by people, each change in the trail."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from tenants.kernel.database import AnyRow
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import OrganisationKind, Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.rules.standing import check_grounds, check_remark
from tenants.store.organisations import Organisation
from tenants.store.park_queries import ORGANISATION, organisation
from tenants.store.standing import ControlGroup
from tenants.usecases import audit
from tenants.usecases.views import OrganisationView, organisation_view


@dataclass(frozen=True)
class ControlGroupView:
    """Organisations with one actual controller, parks and others, by name."""

    id: UUID
    name: str
    note: str
    created_at: datetime
    members: tuple[OrganisationView, ...]


@dataclass(frozen=True)
class Assignment:
    """An organisation and the group it was in before."""

    organisation: OrganisationView
    before: UUID | None

    @property
    def changed(self) -> bool:
        """Tell whether it is in another group now, or in none."""
        return self.organisation.control_group != self.before


def create_group(work: Work, *, name: str, note: str = "") -> ControlGroupView:
    """Open a group, which nobody belongs to yet.

    Raises Invalid with every wrong field, Conflict ``control_group.name_taken``.
    """
    work.actor.require(Permission.MANAGE_STANDING)
    with Faults() as faults:
        own_name = faults.take("name", check_name, name)
        own_note = faults.take("note", check_remark, note)
    row = {
        "id": new_id(),
        "name": own_name,
        "note": own_note,
        "created_by": work.actor.user_id,
        "created_at": work.now,
    }
    if not rows_written(work.session, insert(ControlGroup).values(row).on_conflict_do_nothing()):
        raise Conflict(
            "control_group.name_taken", msg("已有名为“{name}”的关联组。请使用该组，或另取名称。", name=own_name)
        )
    audit.record(work, "control_group.create", "control_group", row["id"], name=own_name)
    return read_group(work, group_id=UUID(str(row["id"])))


def assign(work: Work, *, uscc: str, group_id: UUID | None, note: str) -> Assignment:
    """Put the organisation with a credit code into a group, or out of any (None); ``note`` says on what grounds.

    Raises NotFound for either, Invalid ``control_group.note`` without grounds. Its rows are locked until the commit.
    """
    work.actor.require(Permission.MANAGE_STANDING)
    with Faults() as faults:
        told = faults.take("note", check_grounds, note)
    if group_id is not None:
        read_group(work, group_id=group_id)
    before = work.session.execute(
        select(Organisation.id, Organisation.control_group)
        .where(Organisation.uscc == uscc.strip().upper())
        .with_for_update(key_share=True)
    ).one_or_none()
    if before is None:
        raise NotFound("organisation.not_found", msg("没有找到该单位。请核对统一社会信用代码。"))
    if before.control_group != group_id:
        work.session.execute(update(Organisation).where(Organisation.id == before.id).values(control_group=group_id))
    row = organisation(work.session, ORGANISATION.id == before.id)
    assert row is not None, "it is under lock"  # noqa: S101 - for the type checker
    found = Assignment(organisation_view(row), before.control_group)
    if found.changed:
        concerned = before.id if found.organisation.kind is OrganisationKind.PARK else None
        audit.record(
            work, "control_group.assign", "organisation", before.id, tenant_id=concerned,
            before=before.control_group, after=group_id, note=told,
        )  # fmt: skip
    return found


def read_group(work: Work, *, group_id: UUID) -> ControlGroupView:
    """Return a group with its members. Raises NotFound."""
    work.actor.require(Permission.READ_ALL_PARKS)
    rows = _groups(work, [group_id])
    if not rows:
        raise NotFound("control_group.not_found", msg("没有找到该关联组。请从列表中重新打开。"))
    return rows[0]


def list_groups(work: Work, *, limit: int = 50, cursor: str | None = None) -> Page[ControlGroupView]:
    """Return the groups with their members, newest first."""
    work.actor.require(Permission.READ_ALL_PARKS)
    before = decode_cursor(cursor)
    query = select(ControlGroup.id, ControlGroup.created_at)
    if before is not None:
        query = query.where(tuple_(ControlGroup.created_at, ControlGroup.id) < before)
    newest = query.order_by(ControlGroup.created_at.desc(), ControlGroup.id.desc()).limit(check_limit(limit) + 1)
    rows = work.session.execute(newest).all()
    views = {view.id: view for view in _groups(work, [row.id for row in rows])}
    return page_of(rows, limit, lambda row: views[row.id], lambda row: (row.created_at, row.id))


def group_names(work: Work, *, group_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of groups: for lists that name controllers."""
    work.actor.require(Permission.READ_ALL_PARKS)
    rows = work.session.execute(select(ControlGroup.id, ControlGroup.name).where(ControlGroup.id.in_(group_ids)))
    return {row.id: row.name for row in rows}


def _groups(work: Work, ids: Sequence[UUID]) -> list[ControlGroupView]:
    rows = work.session.execute(select(ControlGroup.__table__).where(ControlGroup.id.in_(ids))).all()
    members = work.session.execute(
        select(*ORGANISATION).where(ORGANISATION.control_group.in_(ids)).order_by(ORGANISATION.name, ORGANISATION.id)
    ).all()
    return [_view(row, [each for each in members if each.control_group == row.id]) for row in rows]


def _view(row: AnyRow, members: Sequence[AnyRow]) -> ControlGroupView:
    return ControlGroupView(row.id, row.name, row.note, row.created_at, tuple(map(organisation_view, members)))
