"""Disputes of fees of bookings and of their times: asked by the park, answered by the provider, decided by the operator
where the park insists.

What is given back is a return like any other: of a charge on an invoice a credit note is issued, of another the next
invoice is paid with it. Nobody decides on what they noted themselves.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from billing.rules.attendance_disputes import (
    ANSWER_WITHIN,
    BY_OPERATOR,
    BY_PARK,
    BY_PROVIDER,
    DisputeStatus,
    DisputeStep,
)
from billing.rules.attendance_fees import FeeKind
from billing.rules.returns import ReturnCause
from billing.store import attendance_disputes as store
from billing.store import return_queries
from billing.store.attendance_disputes import AttendanceDispute
from billing.store.attendance_fees import AttendanceFee
from billing.usecases import attendance_times
from billing.usecases.attendance_dispute_views import (
    ClaimedTimes,
    DisputeView,
    dispute_where,
    list_disputes,
    list_own_disputes,
    read_dispute,
    read_own_dispute,
)
from billing.usecases.returns import ReturnedLine, ReturnWish, return_lines
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.outbox import Event
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit

__all__ = [
    "DisputableFee", "DisputeView", "TimesClaim", "ask_dispute", "ask_times_dispute", "booking_of_fee", "decide_dispute",
    "disputable_fees", "insist", "list_disputes", "list_own_disputes", "read_dispute", "read_own_dispute",
    "times_disputable_until",
]  # fmt: skip


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
class TimesClaim(ClaimedTimes):
    """What a park says of the times of a booking at a provider, and within how many days it may."""

    booking_id: UUID
    provider_id: UUID
    within_days: int


def disputable_fees(work: Work) -> tuple[DisputableFee, ...]:
    """Return the acting park's fees that may still be disputed, the latest first."""
    work.actor.require(Permission.READ_ORDER)
    rows = store.undisputed_fees(work.session, work.actor.require_tenant(), work.now)
    return tuple(
        DisputableFee(row.id, row.booking_id, FeeKind(row.kind), title, row.amount_fen, row.charged_at, _until(row))
        for row, title in rows
    )


def booking_of_fee(work: Work, *, fee_id: UUID) -> UUID:
    """Return the booking that an own fee was charged for; NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    return _own_fee(work, fee_id).booking_id


def ask_dispute(work: Work, *, fee_id: UUID, provider_id: UUID, reason: str) -> DisputeView:
    """Dispute an own fee, whose booking is at ``provider_id``, within the days for it, once.

    Raises NotFound for another park's fee, Conflict for one that is too old or disputed, Invalid without a reason.
    """
    work.actor.require(Permission.ACCEPT_DELIVERY)
    work.actor.require_person()
    _check_reason(reason)
    fee = _own_fee(work, fee_id)
    if work.now >= _until(fee):
        raise _too_late(fee.dispute_days)
    row = {"fee_id": fee_id, "provider_id": provider_id, "within_days": fee.dispute_days}
    return _ask(work, row, reason)


def times_disputable_until(
    work: Work, *, order_line_id: UUID, booking_id: UUID, within_days: int
) -> datetime | None:  # fmt: skip
    """Return until when the times of an own booking may be disputed; None where they may not, or were."""
    work.actor.require(Permission.READ_ORDER)
    usage = return_queries.usage_of_line(work.session, order_line_id)
    if usage is None or store.is_disputed(work.session, work.actor.require_tenant(), booking_id):
        return None
    until = usage.rated_at + timedelta(days=within_days)
    return until if work.now < until else None


def ask_times_dispute(work: Work, *, claim: TimesClaim, reason: str) -> DisputeView:
    """Dispute the times that an own booking was charged by, within the days for it, once.

    Raises Conflict for one that is not charged yet, too old or disputed, Invalid without a reason.
    """
    work.actor.require(Permission.ACCEPT_DELIVERY)
    work.actor.require_person()
    _check_reason(reason)
    usage = return_queries.usage_of_line(work.session, claim.order_line_id)
    if usage is None:
        raise Conflict("dispute.not_charged", msg("该预约尚未结算。出具结果并结算后，可对使用时间提出异议。"))
    if work.now >= usage.rated_at + timedelta(days=claim.within_days):
        raise _too_late(claim.within_days)
    wrong = attendance_times.too_much(
        work, usage, booking_id=claim.booking_id, used_units=claim.used_units, overrun_units=claim.overrun_units
    )
    return _ask(work, vars(claim) | {"claimed_fen": wrong.fen}, reason)


def insist(work: Work, *, dispute_id: UUID, reason: str) -> DisputeView:
    """Take an own dispute to the operator: within the days after a refusal, or where the provider has not answered.

    Raises NotFound for another park's, Conflict before that, after it, or a second time.
    """
    work.actor.require(Permission.ACCEPT_DELIVERY)
    person, tenant = work.actor.require_person(), work.actor.require_tenant()
    _check_reason(reason)
    found = dispute_where(work, dispute_id, AttendanceDispute.tenant_id == tenant)
    if found.status is DisputeStatus.OPEN and work.now < found.asked_at + ANSWER_WITHIN:
        raise Conflict("dispute.unanswered", msg("服务机构尚在答复期内。请等待答复，逾期未答复可再提请裁定。"))
    if found.status not in {DisputeStatus.OPEN, DisputeStatus.REFUSED}:
        raise _decided()
    refused = found.status is DisputeStatus.REFUSED
    if refused and work.now >= found.steps[-1].taken_at + timedelta(days=found.within_days):
        raise _too_late(found.within_days)
    _take(work, found, BY_PARK, DisputeStep.INSISTED, reason, person)
    return dispute_where(work, dispute_id)


def decide_dispute(
    work: Work, *, dispute_id: UUID, accept: bool, reason: str, noted_by: Collection[UUID]
) -> DisputeView:  # fmt: skip
    """Answer a dispute for its provider, or decide on one that the park insists on for the operator.

    An accepted fee is given back as a whole; of accepted times, what was charged too much by the noted ones. Each payer
    gets its own share. ``noted_by`` are those who noted the booking's attendance: Conflict ``dispute.same_person`` for one
    of them. Raises NotFound for another provider's, Conflict for one that is decided or waits for somebody else.
    """
    work.actor.require(Permission.DECIDE_DISPUTE)
    person = work.actor.require_person()
    _check_reason(reason)
    operates = work.actor.may(Permission.RUN_PLATFORM)
    found = read_dispute(work, dispute_id=dispute_id)
    if person in noted_by:
        raise Conflict("dispute.same_person", msg("您登记过该预约的签到或签退，不能处理对它的异议。请由他人处理。"))
    if found.status is not (DisputeStatus.INSISTED if operates else DisputeStatus.OPEN):
        raise _decided()
    back = _give_back(work, found, reason) if accept else {}
    step = DisputeStep.ACCEPTED if accept else DisputeStep.REFUSED
    _take(work, found, BY_OPERATOR if operates else BY_PROVIDER, step, reason, person, noted_by, back)
    work.emit(Event("attendance_dispute.decided", found.park_id, {"dispute_id": str(dispute_id)}))
    return dispute_where(work, dispute_id)


def _ask(work: Work, about: dict[str, Any], reason: str) -> DisputeView:
    dispute_id = new_id()
    row = about | {
        "tenant_id": work.actor.require_tenant(),
        "id": dispute_id,
        "reason": reason.strip(),
        "asked_by": work.actor.require_person(),
        "asked_at": work.now,
    }
    if not store.insert_dispute(work.session, row):
        raise Conflict("dispute.asked", msg("已提出过异议。请在“履约记录”中查看进展。"))
    of = {name: about[name] for name in ("fee_id", "booking_id") if name in about}
    audit.record(work, "attendance.dispute", "attendance_dispute", dispute_id, **of)
    return dispute_where(work, dispute_id)


def _give_back(work: Work, found: DisputeView, reason: str) -> dict[str, Any]:
    """Take back what was charged wrongly: two people have agreed, the park's who asked and the one who decides."""
    if found.times is not None:
        return_id, use_return_id = attendance_times.give_back(work, found, found.times, reason)
        return {"return_id": return_id, "use_return_id": use_return_id, "corrected": True}
    wish = ReturnWish(
        cause=ReturnCause.WRONG, reason=reason, agreement=f"异议 {found.id}", subject=found.title
    )  # fmt: skip
    (made,) = return_lines(work, [ReturnedLine(found.charged_id, None, wish)], agreed_by_two=True)
    return {"return_id": made.id}


def _take(
    work: Work,
    found: DisputeView,
    number: int,
    step: DisputeStep,
    reason: str,
    person: UUID,
    noted_by: Collection[UUID] = (),
    back: dict[str, Any] | None = None,
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
        "return_id": None,
        "use_return_id": None,
        "corrected": False,
    } | (back or {})
    if not store.insert_step(work.session, row):
        raise _decided()
    audit.record(work, f"attendance.dispute_{step}", "attendance_dispute", found.id, tenant_id=found.park_id)


def _own_fee(work: Work, fee_id: UUID) -> AttendanceFee:
    fee = store.fee_by_id(work.session, work.actor.require_tenant(), fee_id)
    if fee is None:
        raise NotFound("attendance.no_fee", msg("没有找到该费用。请从订单中重新打开。"))
    return fee


def _until(fee: AttendanceFee) -> datetime:
    return fee.charged_at + timedelta(days=fee.dispute_days)


def _check_reason(reason: str) -> None:
    with Faults() as faults:
        faults.take("reason", check_name, reason)


def _too_late(days: int) -> Conflict:
    return Conflict("dispute.too_late", msg("已超过 {days} 天的异议期限，不能再提出。", days=days))


def _decided() -> Conflict:
    return Conflict("dispute.decided", msg("该异议已处理，或正等待其他人处理。请刷新页面。"))
