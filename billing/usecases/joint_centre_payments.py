"""Paying a joint facility's centre: what its parties owe for their use is passed on to it by finance, transfer by transfer.

What is owed to it is what the approved true-ups of a version charge, less what they give to lenders and what was paid. A
transfer that was recorded wrongly is taken back by a row of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from billing.rules import joint_true_ups as rules
from billing.rules.joint_agreements import PartyRole
from billing.rules.money import format_yuan
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store import joint_agreements as agreements
from billing.store import joint_centre_payments as store
from billing.store.books import post_journal
from billing.store.joint_agreements import JointAgreement
from billing.store.joint_centre_payments import JointCentrePayment
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit

LONGEST_REFERENCE = 100


@dataclass(frozen=True)
class CentrePaymentView:
    """A transfer to the centre, in fen; below zero it takes ``reverses_id`` back."""

    id: UUID
    amount_fen: int
    reference: str
    paid_on: date
    reverses_id: UUID | None
    is_reversed: bool
    reason: str
    recorded_by: UUID
    recorded_at: datetime


@dataclass(frozen=True)
class CentreView:
    """What a version's centre is owed, in fen. Below zero it was paid more than is owed since: a true-up was undone.

    ``settled_fen`` is what its parties were charged less what lenders got; ``payee_name`` the lead's, who runs it.
    """

    agreement_id: UUID
    title: str
    version: int
    payee_name: str
    settled_fen: int
    paid_fen: int
    owed_fen: int
    payments: tuple[CentrePaymentView, ...]


def read_centre(work: Work, *, agreement_id: UUID) -> CentreView:
    """Return what a version's centre is owed and was paid; NotFound for a version that the park is no party of."""
    work.actor.require(Permission.READ_JOINT)
    return _view(work, _agreement(work, agreement_id))


def pay_centre(
    work: Work, *, agreement_id: UUID, amount_fen: int, reference: str, paid_on: date
) -> CentreView:  # fmt: skip
    """Record a transfer to the centre, of no more than it is owed.

    A repeat with the same reference, amount and day changes nothing. Raises Invalid for an amount above what is owed, a
    day to come or no reference, Conflict for a reference that another transfer has which was not taken back.
    """
    work.actor.require(Permission.DISBURSE)
    person = work.actor.require_person()
    with Faults() as faults:
        faults.take("reference", check_name, reference)
    row = _agreement(work, agreement_id, lock=True)
    written = reference.strip()[:LONGEST_REFERENCE]
    rows = store.payments_of(work.session, row.id)
    undone = {each.reverses_id for each in rows}
    known = [each for each in rows if each.reference == written and each.id not in undone and each.reverses_id is None]
    if [(each.amount_fen, each.paid_on) for each in known] == [(amount_fen, paid_on)]:
        return _view(work, row)
    if paid_on > local_day(work.now, DEFAULT_ZONE):
        raise _refused("paid_on", "joint.paid_later", msg("付款日期不能晚于今天。请改正。"))
    owed_fen = _view(work, row).owed_fen
    if not 0 < amount_fen <= owed_fen:
        wrong = msg("金额须大于零且不超过应付的 {most} 元。请改正。", most=format_yuan(max(0, owed_fen)))
        raise _refused("amount_fen", "joint.more_than_owed", wrong)
    values = {
        "amount_fen": amount_fen, "reference": written, "paid_on": paid_on, "reverses_id": None, "reason": "",
        "attempt": 1 + store.times_reversed(work.session, written),
    }  # fmt: skip
    if not _write(work, row, values, person):
        used = msg("该付款凭证号已登记。请核对是否重复登记；登记有误的，先冲回再登记。")
        raise Conflict("joint.reference_used", used)
    return _view(work, row)


def reverse_payment(work: Work, *, payment_id: UUID, reason: str) -> CentreView:
    """Take a transfer back that was recorded wrongly: what it paid is owed again.

    Raises NotFound, Conflict for one that was taken back or takes one back, Invalid without a reason.
    """
    work.actor.require(Permission.DISBURSE)
    person = work.actor.require_person()
    with Faults() as faults:
        faults.take("reason", check_name, reason)
    found = store.payment(work.session, payment_id)
    if found is None:
        raise NotFound("joint.payment_not_found", msg("没有找到该付款。请从列表中重新打开。"))
    row = _agreement(work, found.agreement_id, lock=True)
    values = {
        "amount_fen": -found.amount_fen, "reference": found.reference, "paid_on": found.paid_on,
        "reverses_id": found.id, "reason": reason.strip(), "attempt": found.attempt,
    }  # fmt: skip
    if found.reverses_id is not None or not _write(work, row, values, person):
        raise Conflict("joint.payment_reversed", msg("该付款已冲回。请刷新页面。"))
    return _view(work, row)


def _write(work: Work, row: JointAgreement, values: dict[str, object], person: UUID) -> bool:
    payment_id = new_id()
    written = values | {
        "id": payment_id, "agreement_id": row.id, "members": row.members, "recorded_by": person,
        "recorded_at": work.now,
    }  # fmt: skip
    if not store.insert_payment(work.session, written):
        return False
    amount_fen = int(str(values["amount_fen"]))
    draft = rules.centre_paid(
        series_id=row.series_id, source_id=str(payment_id), occurred_at=work.now, amount_fen=amount_fen
    )
    post_journal(work.session, draft, user_id=person)
    audit.record(
        work, "joint.pay_centre", "joint_agreement", row.id, amount_fen=amount_fen, reference=values["reference"]
    )
    return True


def _agreement(work: Work, agreement_id: UUID, *, lock: bool = False) -> JointAgreement:
    row = agreements.agreement(work.session, agreement_id, lock=lock)
    if row is None:
        raise NotFound("joint.not_found", msg("没有找到该共建协议。请从列表中重新打开。"))
    if row.registered_at is None:
        raise Conflict("joint.not_in_force", msg("该版本尚未备案生效，还没有机时账户。"))
    return row


def _view(work: Work, row: JointAgreement) -> CentreView:
    payments = store.payments_of(work.session, row.id)
    parties = agreements.parties_of(work.session, [row.id])
    settled_fen, paid_fen = store.settled_fen(work.session, row.id), sum(each.amount_fen for each in payments)
    return CentreView(
        agreement_id=row.id,
        title=row.title,
        version=row.version,
        payee_name=next(each.name for each in parties if each.role == PartyRole.LEAD),
        settled_fen=settled_fen,
        paid_fen=paid_fen,
        owed_fen=settled_fen - paid_fen,
        payments=_payments(payments),
    )


def _payments(rows: Sequence[JointCentrePayment]) -> tuple[CentrePaymentView, ...]:
    undone = {each.reverses_id for each in rows}
    return tuple(
        CentrePaymentView(
            id=each.id,
            amount_fen=each.amount_fen,
            reference=each.reference,
            paid_on=each.paid_on,
            reverses_id=each.reverses_id,
            is_reversed=each.id in undone,
            reason=each.reason,
            recorded_by=each.recorded_by,
            recorded_at=each.recorded_at,
        )
        for each in rows
    )


def _refused(field: str, code: str, wrong: Message) -> Invalid:
    return Invalid(code, wrong, errors=[FieldError(field, code, wrong)])
