"""Disputes of fees of bookings: asked by the park, answered by the provider, decided by the operator where it insists.

A fee that is taken back is a return like any other: of one on an invoice a credit note is issued, of another the next
invoice is paid with it. Nobody decides on what they noted themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement

from billing.rules.attendance_disputes import (
    ANSWER_WITHIN,
    BY_OPERATOR,
    BY_PARK,
    BY_PROVIDER,
    DISPUTE_WITHIN,
    DisputeStatus,
    DisputeStep,
    status_of,
)
from billing.rules.attendance_fees import FeeKind
from billing.rules.returns import ReturnCause
from billing.store import attendance_disputes as store
from billing.store.attendance_disputes import AttendanceDispute, AttendanceDisputeStep, DisputeRow
from billing.usecases.returns import ReturnedLine, ReturnWish, return_lines
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.outbox import Event
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit


@dataclass(frozen=True)
class DisputableFee:
    """A fee that may still be disputed, until ``until``."""

    id: UUID
    booking_id: UUID
    kind: FeeKind
    title: str
    amount_fen: int
    charged_at: datetime
    until: datetime


@dataclass(frozen=True)
class DisputeStepView:
    """What was done about a dispute, by whom; 1 is the provider's place, 2 the park's, 3 the operator's."""

    number: int
    step: str
    reason: str
    taken_by: UUID
    taken_at: datetime


@dataclass(frozen=True)
class DisputeView:
    """A dispute and where it stands."""

    id: UUID
    park_id: UUID
    provider_id: UUID
    booking_id: UUID
    fee_id: UUID
    kind: FeeKind
    title: str
    amount_fen: int
    reason: str
    asked_by: UUID
    asked_at: datetime
    status: DisputeStatus
    steps: tuple[DisputeStepView, ...]


def disputable_fees(work: Work) -> tuple[DisputableFee, ...]:
    """Return the acting park's fees that may still be disputed, the latest first."""
    work.actor.require(Permission.READ_ORDER)
    rows = store.undisputed_fees(work.session, work.actor.require_tenant(), work.now - DISPUTE_WITHIN)
    return tuple(
        DisputableFee(
            row.id, row.booking_id, FeeKind(row.kind), title, row.amount_fen, row.charged_at,
            row.charged_at + DISPUTE_WITHIN,
        )
        for row, title in rows
    )  # fmt: skip


def booking_of_fee(work: Work, *, fee_id: UUID) -> UUID:
    """Return the booking that an own fee was charged for; NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    fee = store.fee_by_id(work.session, work.actor.require_tenant(), fee_id)
    if fee is None:
        raise NotFound("attendance.no_fee", msg("没有找到该费用。请从订单中重新打开。"))
    return fee.booking_id


def ask_dispute(work: Work, *, fee_id: UUID, provider_id: UUID, reason: str) -> DisputeView:
    """Dispute an own fee, whose booking is at ``provider_id``, within the days for it, once.

    Raises NotFound for another park's fee, Conflict for one that is too old or disputed, Invalid without a reason.
    """
    work.actor.require(Permission.ACCEPT_DELIVERY)
    person, tenant = work.actor.require_person(), work.actor.require_tenant()
    _check_reason(reason)
    fee = store.fee_by_id(work.session, tenant, fee_id)
    if fee is None:
        raise NotFound("attendance.no_fee", msg("没有找到该费用。请从订单中重新打开。"))
    if work.now >= fee.charged_at + DISPUTE_WITHIN:
        raise _too_late()
    dispute_id = new_id()
    row = {
        "tenant_id": tenant,
        "id": dispute_id,
        "fee_id": fee_id,
        "provider_id": provider_id,
        "reason": reason.strip(),
        "asked_by": person,
        "asked_at": work.now,
    }
    if not store.insert_dispute(work.session, row):
        raise Conflict("dispute.asked", msg("该费用已提出异议。请在“履约记录”中查看进展。"))
    audit.record(work, "attendance.dispute", "attendance_dispute", dispute_id, fee_id=fee_id)
    return _read(work, dispute_id)


def insist(work: Work, *, dispute_id: UUID, reason: str) -> DisputeView:
    """Take an own dispute to the operator: within the days after a refusal, or where the provider has not answered.

    Raises NotFound for another park's, Conflict before that, after it, or a second time.
    """
    work.actor.require(Permission.ACCEPT_DELIVERY)
    person, tenant = work.actor.require_person(), work.actor.require_tenant()
    _check_reason(reason)
    found = _read(work, dispute_id, AttendanceDispute.tenant_id == tenant)
    if found.status is DisputeStatus.OPEN and work.now < found.asked_at + ANSWER_WITHIN:
        raise Conflict("dispute.unanswered", msg("服务机构尚在答复期内。请等待答复，逾期未答复可再提请裁定。"))
    if found.status not in {DisputeStatus.OPEN, DisputeStatus.REFUSED}:
        raise _decided()
    if found.status is DisputeStatus.REFUSED and work.now >= found.steps[-1].taken_at + DISPUTE_WITHIN:
        raise _too_late()
    _take(work, found, BY_PARK, DisputeStep.INSISTED, reason, person)
    return _read(work, dispute_id)


def decide_dispute(
    work: Work, *, dispute_id: UUID, accept: bool, reason: str, noted_by: Collection[UUID]
) -> DisputeView:  # fmt: skip
    """Answer a dispute for its provider, or decide on one that the park insists on for the operator.

    An accepted fee is given back as a whole, to whoever is to have it. ``noted_by`` are those who noted the booking's
    attendance: Conflict ``dispute.same_person`` for one of them. Raises NotFound for another provider's, Conflict for
    one that is decided or waits for somebody else.
    """
    work.actor.require(Permission.DECIDE_DISPUTE)
    person = work.actor.require_person()
    _check_reason(reason)
    operates = work.actor.may(Permission.RUN_PLATFORM)
    found = _read(work, dispute_id, *_reach(work))
    if person in noted_by:
        raise Conflict("dispute.same_person", msg("您登记过该预约的签到或签退，不能处理对它的异议。请由他人处理。"))
    if found.status is not (DisputeStatus.INSISTED if operates else DisputeStatus.OPEN):
        raise _decided()
    return_id = _give_back(work, found, reason) if accept else None
    step = DisputeStep.ACCEPTED if accept else DisputeStep.REFUSED
    _take(work, found, BY_OPERATOR if operates else BY_PROVIDER, step, reason, person, noted_by, return_id)
    work.emit(Event("attendance_dispute.decided", found.park_id, {"dispute_id": str(dispute_id)}))
    return _read(work, dispute_id)


def list_own_disputes(work: Work, *, limit: int = 50, cursor: str | None = None) -> Page[DisputeView]:
    """Return the acting park's disputes, the latest first."""
    work.actor.require(Permission.READ_ORDER)
    return _page(work, (AttendanceDispute.tenant_id == work.actor.require_tenant(),), limit, cursor)


def list_disputes(work: Work, *, limit: int = 50, cursor: str | None = None) -> Page[DisputeView]:
    """Return the disputes of fees at the acting provider, for the operator of all, the latest first."""
    work.actor.require(Permission.DECIDE_DISPUTE)
    return _page(work, _reach(work), limit, cursor)


def read_own_dispute(work: Work, *, dispute_id: UUID) -> DisputeView:
    """Return a dispute of the acting park; NotFound for another's."""
    work.actor.require(Permission.READ_ORDER)
    return _read(work, dispute_id, AttendanceDispute.tenant_id == work.actor.require_tenant())


def read_dispute(work: Work, *, dispute_id: UUID) -> DisputeView:
    """Return a dispute at the acting provider, for the operator at any; NotFound for another's."""
    work.actor.require(Permission.DECIDE_DISPUTE)
    return _read(work, dispute_id, *_reach(work))


def _give_back(work: Work, found: DisputeView, reason: str) -> UUID:
    """Take the fee back: two people have agreed, the park's who asked and the one who decides."""
    wish = ReturnWish(
        cause=ReturnCause.WRONG, reason=reason, agreement=f"异议 {found.id}", subject=found.title
    )  # fmt: skip
    (made,) = return_lines(work, [ReturnedLine(found.fee_id, None, wish)], agreed_by_two=True)
    return made.id


def _take(
    work: Work,
    found: DisputeView,
    number: int,
    step: DisputeStep,
    reason: str,
    person: UUID,
    noted_by: Collection[UUID] = (),
    return_id: UUID | None = None,
) -> None:
    row = {
        "tenant_id": found.park_id,
        "dispute_id": found.id,
        "number": number,
        "step": step,
        "reason": reason.strip(),
        "taken_by": person,
        "noted_by": sorted(noted_by),
        "taken_at": work.now,
        "return_id": return_id,
    }
    if not store.insert_step(work.session, row):
        raise _decided()
    audit.record(work, f"attendance.dispute_{step}", "attendance_dispute", found.id, tenant_id=found.park_id)


def _check_reason(reason: str) -> None:
    with Faults() as faults:
        faults.take("reason", check_name, reason)


def _reach(work: Work) -> tuple[ColumnElement[bool], ...]:
    if work.actor.may(Permission.RUN_PLATFORM):
        return ()
    return (AttendanceDispute.provider_id == work.actor.organisation_id,)


def _page(work: Work, where: tuple[ColumnElement[bool], ...], limit: int, cursor: str | None) -> Page[DisputeView]:
    rows = store.disputes_where(work.session, *where, before=decode_cursor(cursor), limit=check_limit(limit) + 1)
    page = page_of(rows, limit, lambda row: row, lambda row: (row[0].asked_at, row[0].id))
    return Page(_views(work, page.items), page.next_cursor)


def _read(work: Work, dispute_id: UUID, *where: ColumnElement[bool]) -> DisputeView:
    views = _views(work, store.disputes_where(work.session, AttendanceDispute.id == dispute_id, *where))
    if not views:
        raise NotFound("dispute.not_found", msg("没有找到该异议。请从“履约记录”中重新打开。"))
    return views[0]


def _views(work: Work, rows: Sequence[DisputeRow]) -> tuple[DisputeView, ...]:
    steps: dict[UUID, list[AttendanceDisputeStep]] = {}
    for step in store.steps_of(work.session, [row.id for row, *_ in rows]):
        steps.setdefault(step.dispute_id, []).append(step)
    return tuple(
        DisputeView(
            id=row.id,
            park_id=row.tenant_id,
            provider_id=row.provider_id,
            booking_id=fee.booking_id,
            fee_id=fee.id,
            kind=FeeKind(fee.kind),
            title=title,
            amount_fen=fee.amount_fen,
            reason=row.reason,
            asked_by=row.asked_by,
            asked_at=row.asked_at,
            status=status_of({each.number: each.step for each in steps.get(row.id, ())}),
            steps=tuple(
                DisputeStepView(each.number, each.step, each.reason, each.taken_by, each.taken_at)
                for each in steps.get(row.id, ())
            ),
        )
        for row, fee, title in rows
    )


def _too_late() -> Conflict:
    return Conflict("dispute.too_late", msg("已超过 {days} 天的异议期限，不能再提出。", days=DISPUTE_WITHIN.days))


def _decided() -> Conflict:
    return Conflict("dispute.decided", msg("该异议已处理，或正等待其他人处理。请刷新页面。"))
