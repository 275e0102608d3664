"""Available money that moves without being spent: to another envelope, back to the treasury, into the next year's fund.

One person asks, another approves. What is held or captured stays where it is until it is settled. Every approval locks
the request, then the funds (by id), then the envelopes in the order of ``fund_register.in_order``: checkouts take the
envelopes in the same order, so none waits in a circle.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.rules import ledger
from billing.rules.money import MAX_FEN, format_yuan
from billing.rules.naming import check_envelope, check_reason
from billing.store import fund_queries, fund_transfer_queries
from billing.store.books import post_journal
from billing.store.fund_transfers import FundTransfer
from billing.store.funds import Fund
from billing.usecases.fund_register import Amount, lock_envelopes, move, move_between
from billing.usecases.fund_views import find_fund, find_open_fund, not_open
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.people import LONGEST_NAME
from tenants.usecases import audit


@dataclass(frozen=True)
class TransferView:
    """A movement of available money that was asked for, and who decided.

    ``kind`` is ``transfer`` (between envelopes of the fund), ``return`` (to the treasury) or ``carry_over`` (into
    another year's fund; its amount is known once it is approved).
    """

    id: UUID
    kind: str
    fund_id: UUID
    envelope: str | None
    to_fund_id: UUID | None
    to_envelope: str | None
    amount_fen: int | None
    reason: str
    document_no: str
    status: str
    requested_by: UUID
    requested_at: datetime
    approved_by: UUID | None
    approved_at: datetime | None
    ended_by: UUID | None
    ended_at: datetime | None
    ended_reason: str | None


def request_transfer(
    work: Work, *, fund_id: UUID, envelope: str, to_envelope: str, amount_fen: int, reason: str, document_no: str = ""
) -> TransferView:
    """Ask that available money go from one envelope of a fund to another; '' is the general one.

    Raises Invalid with every wrong field, and Conflict when the envelope has less.
    """
    work.actor.require(Permission.MANAGE_FUND)
    with Faults() as faults:
        faults.take("amount_fen", _check_amount, amount_fen)
        faults.take("envelope", check_envelope, envelope)
        faults.take("to_envelope", _check_other, to_envelope, envelope)
        kept = faults.take("reason", check_reason, reason)
        number = faults.take("document_no", _check_number, document_no)
    find_open_fund(work, fund_id)
    _check_available(work, fund_id, envelope, amount_fen)
    row = FundTransfer(
        kind="transfer",
        fund_id=fund_id,
        envelope=envelope,
        to_fund_id=fund_id,
        to_envelope=to_envelope,
        amount_fen=amount_fen,
        reason=kept,
        document_no=number,
    )
    return _asked(work, row)


def request_return(
    work: Work, *, fund_id: UUID, envelope: str, amount_fen: int, reason: str, document_no: str = ""
) -> TransferView:
    """Ask that available money go back to the treasury. Raises Invalid with every wrong field, Conflict for too much."""
    work.actor.require(Permission.MANAGE_FUND)
    with Faults() as faults:
        faults.take("amount_fen", _check_amount, amount_fen)
        faults.take("envelope", check_envelope, envelope)
        kept = faults.take("reason", check_reason, reason)
        number = faults.take("document_no", _check_number, document_no)
    _not_closed(find_fund(work, fund_id, lock=True))
    _check_available(work, fund_id, envelope, amount_fen)
    row = FundTransfer(
        kind="return", fund_id=fund_id, envelope=envelope, amount_fen=amount_fen, reason=kept, document_no=number
    )
    return _asked(work, row)


def request_carry_over(
    work: Work, *, fund_id: UUID, to_fund_id: UUID, reason: str, document_no: str = ""
) -> TransferView:
    """Ask that all that a fund has available at the moment of the approval go into a later year's fund.

    Each envelope's money goes into the envelope of the same name. Raises Invalid with every wrong field.
    """
    work.actor.require(Permission.MANAGE_FUND)
    fund, target = find_fund(work, fund_id), fund_queries.fund_of(work.session, to_fund_id)
    with Faults() as faults:
        faults.take("to_fund_id", _check_later, fund, target)
        kept = faults.take("reason", check_reason, reason)
        number = faults.take("document_no", _check_number, document_no)
    _not_closed(fund)
    row = FundTransfer(kind="carry_over", fund_id=fund_id, to_fund_id=to_fund_id, reason=kept, document_no=number)
    return _asked(work, row)


def approve_transfer(work: Work, *, transfer_id: UUID) -> TransferView:
    """Approve what somebody else asked; the money moves now, all of it or nothing.

    Raises Conflict for the person who asked, for one that is decided, and when the money is not there any more.
    """
    work.actor.require(Permission.APPROVE_FUND)
    approver = work.actor.require_person()
    row = _undecided(work, transfer_id)
    _check_other_person(row, approver)
    carried = {"transfer": _transfer, "return": _give_back, "carry_over": _carry_over}[row.kind](work, row)
    row.status, row.approved_by, row.approved_at, row.amount_fen = "approved", approver, work.now, carried
    work.session.flush()
    audit.record(work, "fund_transfer.approve", "fund_transfer", row.id, kind=row.kind, amount_fen=carried)
    return _view(row)


def reject_transfer(work: Work, *, transfer_id: UUID, reason: str) -> TransferView:
    """Refuse what somebody else asked, with the reason. Raises Conflict for one that is decided."""
    work.actor.require(Permission.APPROVE_FUND)
    row = _undecided(work, transfer_id)
    _check_other_person(row, work.actor.require_person())
    return _end(work, row, "rejected", reason)


def withdraw_transfer(work: Work, *, transfer_id: UUID, reason: str) -> TransferView:
    """Take back what is not decided yet, with the reason. Raises Conflict for what is."""
    work.actor.require(Permission.MANAGE_FUND)
    return _end(work, _undecided(work, transfer_id), "withdrawn", reason)


def list_transfers(work: Work, *, fund_id: UUID) -> tuple[TransferView, ...]:
    """Return the transfers within a fund, out of it and into it, newest first."""
    work.actor.require(Permission.READ_FUND)
    find_fund(work, fund_id)
    return tuple(_view(row) for row in fund_transfer_queries.transfers_of(work.session, fund_id))


def undecided_transfers(work: Work) -> tuple[TransferView, ...]:
    """Return what waits for a second person, over all funds, the oldest first."""
    work.actor.require(Permission.READ_FUND)
    return tuple(_view(row) for row in fund_transfer_queries.undecided_transfers(work.session))


def _transfer(work: Work, row: FundTransfer) -> int:
    """Move money between two envelopes of one fund; return how much."""
    find_open_fund(work, row.fund_id)
    giver, taker, amount = (row.fund_id, row.envelope or ""), (row.fund_id, row.to_envelope or ""), row.amount_fen or 0
    fund_queries.ensure_envelope(work.session, *giver)
    fund_queries.ensure_envelope(work.session, *taker)
    available = lock_envelopes(work, (giver, taker))
    reasons = (
        f"transfer to {taker[1] or 'general'}: {row.reason}",
        f"transfer from {giver[1] or 'general'}: {row.reason}",
    )
    if not move_between(work, giver=giver, taker=taker, amount_fen=amount, via="transferred", reasons=reasons):
        raise _too_little(available[giver], amount)
    return amount


def _give_back(work: Work, row: FundTransfer) -> int:
    """Return money to the treasury; return how much."""
    _not_closed(find_fund(work, row.fund_id, lock=True))
    amount = row.amount_fen or 0
    place = (row.fund_id, row.envelope or "")
    draft = ledger.budget_return(fund_id=row.fund_id, source_id=str(row.id), occurred_at=work.now, amount_fen=amount)
    post_journal(work.session, draft, user_id=work.actor.user_id)
    fund_queries.ensure_envelope(work.session, *place)
    available = lock_envelopes(work, [place])[place]
    moved = move(
        work,
        fund_id=place[0],
        envelope=place[1],
        source="available",
        destination="appropriated",
        amounts=[Amount(amount)],
        reason=f"return to the treasury {row.document_no}: {row.reason}",
    )
    if not moved:
        raise _too_little(available, amount)
    return amount


def _carry_over(work: Work, row: FundTransfer) -> int:
    """Move all that is available into another year's fund, envelope by envelope; return how much it was."""
    funds = {fund_id: find_fund(work, fund_id, lock=True) for fund_id in sorted({row.fund_id, _target(row)})}
    fund, target = funds[row.fund_id], funds[_target(row)]
    _not_closed(fund)
    if target.status != "open":
        raise not_open()
    names = [each.envelope for each in fund_queries.envelopes_of(work.session, [fund.id])]
    for name in names:
        fund_queries.ensure_envelope(work.session, target.id, name)
    locked = lock_envelopes(work, [(each.id, name) for each in (fund, target) for name in names])
    unspent = {name: locked[fund.id, name] for name in names if locked[fund.id, name]}
    if not unspent:
        raise Conflict("fund.nothing_to_carry", msg("资金池 {fund} 没有可结转的余额。请核对余额。", fund=fund.slug))
    reasons = (f"carried over to {target.slug} ({target.year})", f"carried over from {fund.slug} ({fund.year})")
    for name, amount in unspent.items():
        giver, taker = (fund.id, name), (target.id, name)
        if not move_between(work, giver=giver, taker=taker, amount_fen=amount, via="carried", reasons=reasons):
            raise RuntimeError(f"envelope {giver} changed while it was under lock")
    total = sum(unspent.values())
    draft = ledger.carry_over(
        fund_id=fund.id, to_fund_id=target.id, source_id=str(row.id), occurred_at=work.now, amount_fen=total
    )
    post_journal(work.session, draft, user_id=work.actor.user_id)
    return total


def _target(row: FundTransfer) -> UUID:
    if row.to_fund_id is None:
        raise RuntimeError(f"transfer {row.id} names no fund")
    return row.to_fund_id


def _asked(work: Work, row: FundTransfer) -> TransferView:
    row.id, row.status, row.requested_by, row.requested_at = (
        new_id(),
        "requested",
        work.actor.require_person(),
        work.now,
    )
    work.session.add(row)
    work.session.flush()
    audit.record(
        work,
        "fund_transfer.request",
        "fund_transfer",
        row.id,
        kind=row.kind,
        fund_id=row.fund_id,
        amount_fen=row.amount_fen,
        reason=row.reason,
    )
    return _view(row)


def _undecided(work: Work, transfer_id: UUID) -> FundTransfer:
    row = fund_transfer_queries.lock_transfer(work.session, transfer_id)
    if row is None:
        raise NotFound("fund_transfer.not_found", msg("没有找到该资金调剂申请。请核对编号。"))
    if row.status != "requested":
        raise Conflict("fund_transfer.decided", msg("该申请已处理，不能再次处理。请刷新查看结果。"))
    return row


def _end(work: Work, row: FundTransfer, status: str, reason: str) -> TransferView:
    with Faults() as faults:
        kept = faults.take("reason", check_reason, reason)
    row.status, row.ended_by, row.ended_at, row.ended_reason = status, work.actor.require_person(), work.now, kept
    work.session.flush()
    verb = {"rejected": "reject", "withdrawn": "withdraw"}[status]
    audit.record(work, f"fund_transfer.{verb}", "fund_transfer", row.id, kind=row.kind, reason=kept)
    return _view(row)


def _check_other_person(row: FundTransfer, person: UUID) -> None:
    if row.requested_by == person:
        raise Conflict("fund_transfer.same_person", msg("申请人不能审批自己的申请。请由另一位人员处理。"))


def _check_amount(amount_fen: int) -> None:
    if not 0 < amount_fen <= MAX_FEN:
        raise Invalid("fund_transfer.amount", msg("金额须大于零。请改正金额。"))


def _check_other(to_envelope: str, envelope: str) -> None:
    check_envelope(to_envelope)
    if to_envelope == envelope:
        raise Invalid("fund_transfer.same_envelope", msg("调出与调入的范围不能相同。请另选一个范围。"))


def _check_number(text: str) -> str:
    number = text.strip()
    if len(number) > LONGEST_NAME or not number.isprintable():
        raise Invalid("input.bad_name", msg("文号最多 {most} 个可见字符。请改正文号。", most=LONGEST_NAME))
    return number


def _check_later(fund: Fund, target: Fund | None) -> None:
    if target is None:
        raise Invalid("fund.not_found", msg("没有找到该资金池。请核对编号。"))
    if target.year <= fund.year:
        raise Invalid(
            "fund_transfer.not_later",
            msg("结余只能结转到以后年度的资金池（{year} 年以后）。请另选资金池。", year=fund.year),
        )
    if target.status != "open":
        raise Invalid("fund.not_open", msg("转入的资金池已冻结或关闭。请先解冻，或另选资金池。"))


def _check_available(work: Work, fund_id: UUID, envelope: str, amount_fen: int) -> None:
    """Refuse at once what could not be approved now either; the approval looks again, under lock."""
    rows = fund_queries.envelopes_of(work.session, [fund_id])
    available = sum(row.available_fen for row in rows if row.envelope == envelope)
    if available < amount_fen:
        raise _too_little(available, amount_fen)


def _too_little(available_fen: int, amount_fen: int) -> Problem:
    message: Message = msg(
        "该范围可用余额 {left} 元，少于 {amount} 元。请减少金额。",
        left=format_yuan(available_fen),
        amount=format_yuan(amount_fen),
    )
    return Conflict(
        "fund_transfer.too_little", message, errors=[FieldError("amount_fen", "fund_transfer.too_little", message)]
    )


def _not_closed(fund: Fund) -> None:
    if fund.status == "closed":
        raise Conflict("fund.closed", msg("资金池已关闭，不能再改变状态。请另行设立资金池。"))


def _view(row: FundTransfer) -> TransferView:
    return TransferView(
        id=row.id,
        kind=row.kind,
        fund_id=row.fund_id,
        envelope=row.envelope,
        to_fund_id=row.to_fund_id,
        to_envelope=row.to_envelope,
        amount_fen=row.amount_fen,
        reason=row.reason,
        document_no=row.document_no,
        status=row.status,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        ended_by=row.ended_by,
        ended_at=row.ended_at,
        ended_reason=row.ended_reason,
    )
