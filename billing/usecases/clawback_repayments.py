"""What comes of a clawback: money that is paid back, in parts or at once, and what two people give up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from billing.rules import clawback_books
from billing.rules.clawback_books import Debt
from billing.rules.clawbacks import Bearer, ClawbackStatus, RepaymentMethod, check_amount
from billing.rules.ledger import JournalDraft
from billing.rules.money import allocate
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.store import clawback_queries, wallet_movements
from billing.store.books import post_journal
from billing.store.clawback_queries import Part
from billing.store.clawbacks import Clawback
from billing.store.wallet_movements import Outcome
from billing.usecases.clawback_cases import ClawbackView, case_view, check_there, no_case, outstanding, sum_by_fund
from billing.usecases.clawbacks import read_case
from billing.usecases.uncapture import Cause, lock_spent, take_repaid
from billing.usecases.wallets import mover_of
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit


@dataclass(frozen=True)
class Repayment:
    """Money that came: to the treasury with its bank's reference, or out of the park's wallet (which needs none)."""

    amount_fen: int
    method: RepaymentMethod = RepaymentMethod.TREASURY
    reference: str = ""
    received_on: date | None = None


def record_repayment(work: Work, *, clawback_id: UUID, repayment: Repayment) -> ClawbackView:
    """Record money that came for an upheld case; the same reference with the same amount again changes nothing.

    Bank transfers to the treasury go back to the funds, in proportion to what is outstanding to each; what the park owes
    its seller comes out of its wallet. Raises Conflict for a case that asks nothing back, for a reference that counted
    otherwise, and for a wallet that has too little; Invalid for more than is outstanding.
    """
    work.actor.require(Permission.RECORD_REPAYMENT)
    work.actor.require_person()
    case, parts = _locked(work, clawback_id)
    if repayment.method is RepaymentMethod.SET_OFF:
        by_payout = msg("抵扣由登记拨付付款时自动办理，不能手工登记。请改选其他方式。")
        raise Invalid("clawback.method", by_payout, errors=[FieldError("method", "clawback.method", by_payout)])
    by_bank = repayment.method is RepaymentMethod.TREASURY
    today = local_day(work.now, DEFAULT_ZONE)
    with Faults() as faults:
        if by_bank:
            faults.take("reference", check_name, repayment.reference)
        faults.take("received_on", _check_received, repayment.received_on or today, today)
    repayment_id = new_id()
    reference = repayment.reference.strip() if by_bank else str(repayment_id)
    if by_bank and _counted_before(work, case, reference, repayment.amount_fen):
        return case_view(work, case)
    if case.status != ClawbackStatus.UPHELD:
        raise Conflict("clawback.not_due", msg("该案件没有待退回的款项。请核对案件状态。"))
    to_fund, to_seller = outstanding(case)
    with Faults() as faults:
        faults.take("amount_fen", check_amount, repayment.amount_fen, to_fund if by_bank else to_seller)
    row = {
        "tenant_id": case.tenant_id,
        "id": repayment_id,
        "clawback_id": case.id,
        "method": repayment.method,
        "reference": reference,
        "amount_fen": repayment.amount_fen,
        "received_on": repayment.received_on or today,
        "recorded_by": work.actor.user_id,
        "recorded_at": work.now,
    }
    if not clawback_queries.insert_repayment(work.session, row):
        raise Conflict("clawback.reference_used", msg("该银行流水号刚刚已登记。请刷新后核对。"))
    if by_bank:
        case.repaid_fund_fen += repayment.amount_fen
    else:
        case.repaid_seller_fen += repayment.amount_fen
    work.session.flush()
    if outstanding(case) == (0, 0):
        case.status, case.closed_at = ClawbackStatus.CLOSED, work.now
        work.session.flush()
    audit.record(
        work, "clawback.repay", "clawback", case.id, tenant_id=case.tenant_id, amount_fen=repayment.amount_fen,
        method=repayment.method.value, reference=reference,
    )  # fmt: skip
    if by_bank:
        _to_funds(work, case, parts, repayment_id, repayment.amount_fen)
    else:
        _from_wallet(work, case, repayment_id, repayment.amount_fen)
    return read_case(work, clawback_id)


def propose_write_off(work: Work, *, clawback_id: UUID, reason: str) -> ClawbackView:
    """Ask that what is outstanding be given up; somebody else has to approve it. Asking again changes the reason."""
    work.actor.require(Permission.OPEN_CLAWBACK)
    person = work.actor.require_person()
    with Faults() as faults:
        faults.take("reason", check_name, reason)
    case, _ = _locked(work, clawback_id)
    if case.status != ClawbackStatus.UPHELD:
        raise Conflict("clawback.not_due", msg("该案件没有待退回的款项。请核对案件状态。"))
    case.write_off_reason, case.write_off_by = reason.strip(), person
    work.session.flush()
    audit.record(
        work, "clawback.propose_write_off", "clawback", case.id, tenant_id=case.tenant_id, reason=reason.strip()
    )
    return case_view(work, case)


def approve_write_off(work: Work, *, clawback_id: UUID) -> ClawbackView:
    """Give up what is outstanding, as somebody else proposed; a repeat changes nothing.

    The money stays where it was spent, and counts on its ceilings. Raises Conflict when nobody has proposed it, and for
    the person who did.
    """
    work.actor.require(Permission.DECIDE_CLAWBACK)
    person = work.actor.require_person()
    case, parts = _locked(work, clawback_id)
    if case.status == ClawbackStatus.WRITTEN_OFF and case.write_off_approved_by == person:
        return case_view(work, case)
    if case.status != ClawbackStatus.UPHELD or case.write_off_by is None:
        raise Conflict("clawback.no_write_off", msg("该案件没有待批准的核销申请。请由立案部门先提出。"))
    if case.write_off_by == person:
        raise Conflict("clawback.same_person", msg("申请人不能批准自己的核销申请。请由另一位人员审批。"))
    to_fund, to_seller = outstanding(case)
    post_journal(work.session, _write_off(work, case, parts, to_seller), user_id=person)
    case.status, case.closed_at = ClawbackStatus.WRITTEN_OFF, work.now
    case.written_off_fen, case.write_off_approved_by = to_fund + to_seller, person
    work.session.flush()
    audit.record(
        work, "clawback.write_off", "clawback", case.id, tenant_id=case.tenant_id, amount_fen=case.written_off_fen
    )
    return case_view(work, case)


def _locked(work: Work, clawback_id: UUID) -> tuple[Clawback, list[Part]]:
    """Lock a case's holds, then the case, and return it with its parts as they are."""
    parts = check_there(clawback_queries.parts_of(work.session, [clawback_id])[clawback_id])
    lock_spent(work, hold_ids=[part.hold_id for part in parts])
    case = clawback_queries.case_of(work.session, clawback_id, lock=True)
    if case is None:
        raise no_case()
    return case, clawback_queries.parts_of(work.session, [clawback_id])[clawback_id]


def _check_received(received_on: date, today: date) -> date:
    if received_on > today:
        raise Invalid("clawback.received_on", msg("到账日期不能晚于今天。请改正日期。"))
    return received_on


def _counted_before(work: Work, case: Clawback, reference: str, amount_fen: int) -> bool:
    """Tell whether a bank's reference has counted for this case with this amount; Conflict when otherwise."""
    before = clawback_queries.repayment_by_reference(work.session, case.tenant_id, RepaymentMethod.TREASURY, reference)
    if before is None:
        return False
    if (before.clawback_id, before.amount_fen) != (case.id, amount_fen):
        raise Conflict("clawback.reference_used", msg("该银行流水号已按其他案件或金额登记。请向银行核实。"))
    return True


def _to_funds(work: Work, case: Clawback, parts: list[Part], repayment_id: UUID, amount_fen: int) -> None:
    shares = allocate(amount_fen, [part.outstanding_fen for part in parts])
    amounts = {part.hold_id: fen for part, fen in zip(parts, shares, strict=True) if fen}
    for hold_id, fen in amounts.items():
        clawback_queries.change_part(work.session, case.id, hold_id, repaid_fen=fen)
    draft = clawback_books.repaid(
        Debt(case.bearer, case.bearer_id),
        source_id=str(repayment_id),
        occurred_at=work.now,
        by_fund=sum_by_fund(amounts, {part.hold_id: part.fund_id for part in parts}),
    )
    post_journal(work.session, draft, user_id=work.actor.user_id)
    take_repaid(
        work, cause=Cause("clawback_repayment", repayment_id), amounts=amounts, reason=f"clawback {case.number}"
    )


def _write_off(work: Work, case: Clawback, parts: list[Part], to_seller_fen: int) -> JournalDraft:
    outstanding_by_hold = {part.hold_id: part.outstanding_fen for part in parts}
    return clawback_books.written_off(
        Debt(case.bearer, case.bearer_id),
        source_id=str(case.id),
        occurred_at=work.now,
        by_fund=sum_by_fund(outstanding_by_hold, {part.hold_id: part.fund_id for part in parts}),
        to_seller_fen=to_seller_fen,
    )


def _from_wallet(work: Work, case: Clawback, repayment_id: UUID, amount_fen: int) -> None:
    assert case.bearer == Bearer.PARK, "only a park owes a seller"  # noqa: S101 - held by the amounts of the case
    mover = mover_of(work, case.tenant_id)
    if wallet_movements.hold(work.session, mover, repayment_id, amount_fen) is Outcome.SHORT:
        raise Conflict("wallet.insufficient", msg("钱包余额不足，未扣款。请先充值，或改用银行转账。"))
    wallet_movements.capture(work.session, mover, repayment_id)
    draft = clawback_books.paid_from_wallet(
        Debt(case.bearer, case.bearer_id), source_id=str(repayment_id), occurred_at=work.now, amount_fen=amount_fen
    )
    post_journal(work.session, draft, user_id=work.actor.user_id)
