"""Clawback (追回): public money asked back from the one whose fault it was. One person opens a case, another decides it.

A decision first keeps back what is not paid out yet; only the rest has to be repaid. Who bears it follows from the
cause. A provider that bears a case loses that part of its sale; a park that bears it owes the price itself: to the fund
what had been paid out, to the seller what no fund pays any more. A case that came from a return finds all that done.
Every step takes the holds first, then the case, then what every transaction takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from billing.rules import clawback_books, ledger
from billing.rules.clawback_books import Debt
from billing.rules.clawbacks import (
    Bearer,
    ClawbackCause,
    ClawbackStatus,
    SpentPart,
    bearer_of,
    check_amount,
    take_part,
)
from billing.rules.money import allocate
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.rules.returns import vat_back
from billing.store import clawback_queries, return_queries
from billing.store.books import post_journal
from billing.store.clawback_queries import Part
from billing.store.clawbacks import Clawback
from billing.store.usage import RatedUsage
from billing.usecases import evidence
from billing.usecases.clawback_cases import (
    ClawbackRow,
    ClawbackView,
    NewCase,
    case_view,
    check_there,
    instant_programmes,
    no_case,
    open_case,
    rows,
    sum_by_fund,
)
from billing.usecases.uncapture import Cause, Spent, lock_spent, recall, too_little, uncapture
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit

LONGEST_TERM = timedelta(days=366)


@dataclass(frozen=True)
class ClawbackWish:
    """What an officer asks back. ``amount_fen`` of the subsidy, None for all of it; ``bearer`` only for fraud.

    ``programme`` asks back what one programme gave, such as a later grant before its service is returned.
    """

    cause: ClawbackCause
    reason: str
    due_on: date
    subject: str
    amount_fen: int | None = None
    bearer: Bearer | None = None
    file: evidence.Upload | None = None
    programme: str | None = None


@dataclass(frozen=True)
class _Outcome:
    """What a decision does to each hold, by where its money came from."""

    withdrawn: dict[UUID, int]
    recalled: dict[UUID, int]
    """Asked back by this decision; what a return asked back before is not in it."""
    demanded: dict[UUID, int]
    """All that has been paid out and is to come back."""
    sold: dict[UUID, int]
    """Withdrawn money that paid a part of the price; the rest had been granted to the park afterwards."""
    sale_back: dict[UUID, int]
    """Paid-out money whose sale this decision takes back."""


def open_clawback(work: Work, *, order_line_id: UUID, provider_id: UUID, wish: ClawbackWish) -> ClawbackView:
    """Open a case about a delivered line; nothing moves until somebody else decides it.

    Raises Invalid with every wrong field, Conflict ``clawback.nothing_spent`` for a line without subsidy that may still
    be asked back.
    """
    work.actor.require(Permission.OPEN_CLAWBACK)
    work.actor.require_person()
    with Faults() as faults:
        faults.take("reason", check_name, wish.reason)
        bearer = faults.take("bearer", bearer_of, wish.cause, wish.bearer)
        faults.take("due_on", _check_due, wish.due_on, local_day(work.now, DEFAULT_ZONE))
        faults.take("evidence", _check_file, wish.file)
    spent = [
        each
        for each in lock_spent(work, order_line_ids=[order_line_id])
        if each.open_fen and wish.programme in {None, each.programme}
    ]
    left = sum(each.open_fen for each in spent)
    if not left:
        raise Conflict("clawback.nothing_spent", msg("该服务没有已核销且未退回的补贴，无需追回。请核对订单。"))
    with Faults() as faults:
        amount = faults.take("amount_fen", check_amount, left if wish.amount_fen is None else wish.amount_fen, left)
    park_id = spent[0].tenant_id
    assert wish.file is not None, "checked above"  # noqa: S101 - for the type checker
    kept = evidence.keep(work, park_id, wish.file, field="evidence")
    parts = allocate(amount, [each.open_fen for each in spent])
    clawback_id = open_case(
        work,
        NewCase(
            park_id=park_id,
            order_line_id=order_line_id,
            subject=wish.subject,
            cause=wish.cause,
            bearer=bearer,
            bearer_id=park_id if bearer is Bearer.PARK else provider_id,
            amounts={each.hold_id: fen for each, fen in zip(spent, parts, strict=True) if fen},
            reason=wish.reason.strip(),
            due_on=wish.due_on,
            evidence_id=kept.id,
        ),
    )
    return read_case(work, clawback_id)


def decide_clawback(work: Work, *, clawback_id: UUID, uphold: bool, note: str = "") -> ClawbackView:
    """Uphold or dismiss a case that somebody else opened; the same decision again changes nothing.

    What is not paid out yet goes back to its fund at once. Raises Conflict for the person who opened it, for a case
    decided otherwise, for dismissing what follows from a return, and ``hold.too_little_left`` when another case or
    return has taken the money meanwhile.
    """
    work.actor.require(Permission.DECIDE_CLAWBACK)
    person = work.actor.require_person()
    parts = check_there(clawback_queries.parts_of(work.session, [clawback_id])[clawback_id])
    spent = lock_spent(work, hold_ids=[part.hold_id for part in parts])
    case = clawback_queries.case_of(work.session, clawback_id, lock=True)
    if case is None:
        raise no_case()
    if case.status != ClawbackStatus.OPENED:
        if case.decided_by == person and (case.status != ClawbackStatus.DISMISSED) == uphold:
            return case_view(work, case)
        raise Conflict("clawback.decided", msg("该追回案件已作出决定，不能再次处理。请刷新后查看。"))
    if case.opened_by == person:
        raise Conflict("clawback.same_person", msg("立案人不能对自己的追回案件作决定。请由另一位人员审批。"))
    if not uphold:
        if case.return_id is not None:
            raise Conflict("clawback.return_stands", msg("该案件来自已登记的服务退回，退回有效，不能驳回。"))
        _decided(work, case, note, ClawbackStatus.DISMISSED)
        audit.record(work, "clawback.dismiss", "clawback", clawback_id, tenant_id=case.tenant_id)
        return case_view(work, case)
    _uphold(work, case, parts, spent, note)
    return read_case(work, clawback_id)


def read_clawback(work: Work, *, clawback_id: UUID) -> ClawbackView:
    """Return a case; NotFound for another park's."""
    work.actor.require(Permission.READ_CLAWBACK)
    return read_case(work, clawback_id)


def list_clawbacks(
    work: Work, *, status: str | None = None, park_id: UUID | None = None, limit: int = 50, cursor: str | None = None
) -> Page[ClawbackRow]:
    """Return cases, newest first: a park's own, for staff those of ``park_id`` or of all parks."""
    work.actor.require(Permission.READ_CLAWBACK)
    found = clawback_queries.case_page(
        work.session,
        status=status,
        park_id=park_id,
        before=decode_cursor(cursor),
        limit=check_limit(limit) + 1,
    )
    page = page_of(found, limit, lambda row: row, lambda row: (row.opened_at, row.id))
    return Page(rows(work, page.items), page.next_cursor)


def read_case(work: Work, clawback_id: UUID) -> ClawbackView:
    """Return a case for billing's own use cases, which have asked for their own permission."""
    case = clawback_queries.case_of(work.session, clawback_id)
    if case is None:
        raise no_case()
    return case_view(work, case)


def _check_due(due_on: date, today: date) -> date:
    if not today < due_on <= today + LONGEST_TERM:
        raise Invalid("clawback.due_on", msg("退款期限须晚于今天且不超过一年。请改正日期。"))
    return due_on


def _check_file(file: evidence.Upload | None) -> evidence.Upload:
    if file is None:
        raise Invalid("clawback.evidence", msg("请附上证明应当追回的材料。"))
    return file


def _decided(work: Work, case: Clawback, note: str, status: ClawbackStatus) -> None:
    """Note who decided what; a case that asks nothing back is over with it."""
    case.status, case.decision_note = status, note.strip()[:500]
    case.decided_by, case.decided_at = work.actor.require_person(), work.now
    case.closed_at = None if status is ClawbackStatus.UPHELD else work.now
    work.session.flush()


def _uphold(work: Work, case: Clawback, parts: Sequence[Part], spent: Sequence[Spent], note: str) -> None:
    """Keep back what is not paid out, ask the rest back, and post both; the funds' rows come last."""
    usage = return_queries.usage_of_line(work.session, case.order_line_id)
    assert usage is not None, "a captured hold belongs to a delivery"  # noqa: S101 - for the type checker
    outcome = _outcome(case, parts, spent, usage)
    funds = {part.hold_id: part.fund_id for part in parts}
    recall(work, amounts=outcome.recalled)
    for part in parts:
        withdrawn, recalled = outcome.withdrawn.get(part.hold_id, 0), outcome.recalled.get(part.hold_id, 0)
        clawback_queries.change_part(
            work.session, case.id, part.hold_id, withdrawn_fen=withdrawn, recalled_fen=recalled
        )
    by_park = case.bearer == Bearer.PARK
    sale_back = (0, 0) if by_park else _take_sale_back(work, case, usage, outcome, funds)
    case.withdrawn_fen, case.to_fund_fen = sum(outcome.withdrawn.values()), sum(outcome.demanded.values())
    case.to_seller_fen = sum(outcome.sold.values()) if by_park else 0
    case.sale_back_fen, case.vat_fen = sale_back
    is_over = not case.to_fund_fen and not case.to_seller_fen
    _decided(work, case, note, ClawbackStatus.CLOSED if is_over else ClawbackStatus.UPHELD)
    _post_demand(work, case, outcome, funds)
    audit.record(
        work, "clawback.uphold", "clawback", case.id, tenant_id=case.tenant_id, withdrawn_fen=case.withdrawn_fen,
        demanded_fen=case.to_fund_fen + case.to_seller_fen,
    )  # fmt: skip
    uncapture(work, cause=Cause("clawback", case.id), amounts=outcome.withdrawn, reason=f"clawback.{case.cause}")


def _outcome(case: Clawback, parts: Sequence[Part], spent: Sequence[Spent], usage: RatedUsage) -> _Outcome:
    by_hold = {each.hold_id: each for each in spent}
    instant = instant_programmes(usage)
    outcome = _Outcome({}, {}, {}, {}, {})
    for part in parts:
        hold = by_hold[part.hold_id]
        taken = take_part(SpentPart(part.amount_fen, part.recalled_fen, hold.unpaid_fen, hold.disbursed_fen))
        if taken is None:
            raise too_little(part.amount_fen - part.recalled_fen, hold.open_fen)
        sold = part.programme in instant
        for amounts, fen, counts in (
            (outcome.withdrawn, taken.withdrawn_fen, True),
            (outcome.recalled, taken.recalled_fen, True),
            (outcome.demanded, taken.recalled_fen + part.recalled_fen, True),
            (outcome.sold, taken.withdrawn_fen, sold),
            (outcome.sale_back, taken.recalled_fen, sold and case.return_id is None),
        ):
            if fen and counts:
                amounts[part.hold_id] = fen
    return outcome


def _take_sale_back(
    work: Work, case: Clawback, usage: RatedUsage, outcome: _Outcome, funds: Mapping[UUID, UUID]
) -> tuple[int, int]:
    """Take back the part of the sale that public money paid; return what that is, and the VAT in it."""
    recalled_fen = sum(outcome.sale_back.values())
    # A case that came from a return has nothing here: the return took its sale back.
    amount_fen = sum(outcome.sold.values()) + recalled_fen
    before = return_queries.returned_before(work.session, case.tenant_id, case.order_line_id).sale_back_fen
    vat_fen = vat_back(before, amount_fen, usage.vat_bp)
    draft = ledger.sale_back(
        park_id=case.tenant_id,
        source_kind="clawback_sale_back",
        source_id=str(case.id),
        occurred_at=work.now,
        vat_fen=vat_fen,
        by_fund=sum_by_fund(outcome.sold, funds),
        by_provider={case.bearer_id: recalled_fen} if recalled_fen else {},
    )
    if draft is not None:
        post_journal(work.session, draft, user_id=work.actor.user_id)
    return amount_fen, vat_fen


def _post_demand(work: Work, case: Clawback, outcome: _Outcome, funds: Mapping[UUID, UUID]) -> None:
    later = {hold_id: fen for hold_id, fen in outcome.withdrawn.items() if hold_id not in outcome.sold}
    drafts = [
        clawback_books.demand(
            Debt(case.bearer, case.bearer_id),
            source_id=str(case.id),
            occurred_at=work.now,
            to_fund=sum_by_fund(outcome.demanded, funds),
            to_seller=sum_by_fund(outcome.sold, funds) if case.bearer == Bearer.PARK else {},
        )
    ]
    if later:
        drafts.append(
            ledger.later_grant_undone(
                park_id=case.tenant_id,
                source_id=str(case.id),
                occurred_at=work.now,
                by_fund=sum_by_fund(later, funds),
            )
        )
    for draft in drafts:
        if draft is not None:
            post_journal(work.session, draft, user_id=work.actor.user_id)
