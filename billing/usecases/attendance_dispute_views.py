"""Reading disputes of fees of bookings and of their times: whose they are, where they stand, what they gave back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement

from billing.rules.attendance_disputes import TIMES, DisputeStatus, status_of
from billing.store import attendance_disputes as store
from billing.store import return_queries
from billing.store.attendance_disputes import AttendanceDispute, AttendanceDisputeStep, DisputeRow
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

TIMES_TITLE = "使用时间"


@dataclass(frozen=True)
class DisputeStepView:
    """What was done about a dispute, by whom; 1 is the provider's place, 2 the park's, 3 the operator's."""

    number: int
    step: str
    reason: str
    taken_by: UUID
    taken_at: datetime


@dataclass(frozen=True)
class ClaimedTimes:
    """What was noted of a booking whose line was charged, and what the park says is right and would be charged by it.

    ``used_units`` of the line, None where its rule does not charge by actual use; ``overrun_units`` of the fee.
    """

    order_line_id: UUID
    noted_came_at: datetime | None
    noted_left_at: datetime | None
    came_at: datetime
    left_at: datetime
    used_units: int | None
    overrun_units: int


@dataclass(frozen=True)
class DisputeView:
    """A dispute and where it stands. ``kind`` is that of its fee, or ``times``; ``amount_fen`` is the fee, or what the
    claimed times would give back; ``given_back_fen`` is what came back.
    """

    id: UUID
    park_id: UUID
    provider_id: UUID
    booking_id: UUID
    charged_id: UUID
    """What the disputed charge is known by: the fee, or the line of the booking."""
    fee_id: UUID | None
    kind: str
    title: str
    amount_fen: int
    given_back_fen: int
    times: ClaimedTimes | None
    within_days: int
    reason: str
    asked_by: UUID
    asked_at: datetime
    status: DisputeStatus
    steps: tuple[DisputeStepView, ...]


def list_own_disputes(work: Work, *, limit: int = 50, cursor: str | None = None) -> Page[DisputeView]:
    """Return the acting park's disputes, the latest first."""
    work.actor.require(Permission.READ_ORDER)
    return _page(work, (AttendanceDispute.tenant_id == work.actor.require_tenant(),), limit, cursor)


def list_disputes(work: Work, *, limit: int = 50, cursor: str | None = None) -> Page[DisputeView]:
    """Return the disputes at the acting provider, for the operator all of them, the latest first."""
    work.actor.require(Permission.DECIDE_DISPUTE)
    return _page(work, _reach(work), limit, cursor)


def read_own_dispute(work: Work, *, dispute_id: UUID) -> DisputeView:
    """Return a dispute of the acting park; NotFound for another's."""
    work.actor.require(Permission.READ_ORDER)
    return dispute_where(work, dispute_id, AttendanceDispute.tenant_id == work.actor.require_tenant())


def read_dispute(work: Work, *, dispute_id: UUID) -> DisputeView:
    """Return a dispute at the acting provider, for the operator at any; NotFound for another's."""
    work.actor.require(Permission.DECIDE_DISPUTE)
    return dispute_where(work, dispute_id, *_reach(work))


def dispute_where(work: Work, dispute_id: UUID, *where: ColumnElement[bool]) -> DisputeView:
    """Return a dispute, for use cases that have asked for their own permission and say whose it is. Raises NotFound."""
    views = _views(work, store.disputes_where(work.session, AttendanceDispute.id == dispute_id, *where))
    if not views:
        raise NotFound("dispute.not_found", msg("没有找到该异议。请从“履约记录”中重新打开。"))
    return views[0]


def _reach(work: Work) -> tuple[ColumnElement[bool], ...]:
    if work.actor.may(Permission.RUN_PLATFORM):
        return ()
    return (AttendanceDispute.provider_id == work.actor.organisation_id,)


def _page(work: Work, where: tuple[ColumnElement[bool], ...], limit: int, cursor: str | None) -> Page[DisputeView]:
    rows = store.disputes_where(work.session, *where, before=decode_cursor(cursor), limit=check_limit(limit) + 1)
    page = page_of(rows, limit, lambda row: row, lambda row: (row[0].asked_at, row[0].id))
    return Page(_views(work, page.items), page.next_cursor)


def _views(work: Work, rows: Sequence[DisputeRow]) -> tuple[DisputeView, ...]:
    steps: dict[UUID, list[AttendanceDisputeStep]] = {}
    for step in store.steps_of(work.session, [row.id for row, *_ in rows]):
        steps.setdefault(step.dispute_id, []).append(step)
    returned = [each for found in steps.values() for step in found for each in (step.return_id, step.use_return_id)]
    back = return_queries.returns_by_id(work.session, [each for each in returned if each is not None])
    amounts = {return_id: each.amount_fen for return_id, each in back.items()}
    return tuple(_view(row, steps.get(row[0].id, ()), amounts) for row in rows)


def _view(found: DisputeRow, steps: Sequence[AttendanceDisputeStep], amounts: Mapping[UUID, int]) -> DisputeView:
    row, fee, title, booking_id, charged_id = found
    ids = [each for step in steps for each in (step.return_id, step.use_return_id) if each is not None]
    return DisputeView(
        id=row.id,
        park_id=row.tenant_id,
        provider_id=row.provider_id,
        booking_id=booking_id,
        charged_id=charged_id,
        fee_id=row.fee_id,
        kind=TIMES if fee is None else fee.kind,
        title=f"{TIMES_TITLE}：{title}" if fee is None else title,
        amount_fen=(row.claimed_fen or 0) if fee is None else fee.amount_fen,
        given_back_fen=sum(amounts[each] for each in ids),
        times=_times(row),
        within_days=row.within_days,
        reason=row.reason,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        status=status_of({each.number: each.step for each in steps}),
        steps=tuple(
            DisputeStepView(each.number, each.step, each.reason, each.taken_by, each.taken_at) for each in steps
        ),
    )


def _times(row: AttendanceDispute) -> ClaimedTimes | None:
    if row.order_line_id is None or row.came_at is None or row.left_at is None:
        return None
    return ClaimedTimes(
        order_line_id=row.order_line_id,
        noted_came_at=row.noted_came_at,
        noted_left_at=row.noted_left_at,
        came_at=row.came_at,
        left_at=row.left_at,
        used_units=row.used_units,
        overrun_units=row.overrun_units or 0,
    )
