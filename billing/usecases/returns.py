"""Return of a delivered service (退回): each payer gets back its own share, and no public money goes to the park.

A line that stands on an invoice is taken back by a credit note, which is the document of it (``credit_note_issue``).
The park's share pays its open invoice, or goes to its wallet when it has paid; a service that stands on no invoice yet
keeps its credit until that is issued. The public share goes back to its funds while it is not paid out; what was paid
out is asked of the provider by a clawback that is opened at once. The books take the sale back by the same shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from billing.rules import ledger
from billing.rules.clawbacks import Bearer, ClawbackCause
from billing.rules.invoices import LEGAL_ENTITY
from billing.rules.money import format_yuan
from billing.rules.periods import DEFAULT_ZONE, local_day
from billing.rules.plans import ChargedFee
from billing.rules.returns import ReturnCause, Shares, split_return, vat_back, vat_back_of_line
from billing.store import (
    entitlement_queries,
    invoice_queries,
    legal_entities,
    return_queries,
    statement_queries,
    trace_queries,
    wallet_movements,
)
from billing.store.books import post_journal
from billing.store.credit_notes import CreditNote
from billing.store.invoices import InvoiceLine
from billing.store.joint_true_ups import JOINT
from billing.store.return_queries import Before
from billing.store.returns import LineReturn
from billing.store.usage import RatedUsage
from billing.usecases import credit_note_issue, evidence
from billing.usecases.clawback_cases import NewCase, instant_programmes, open_case, sum_by_fund
from billing.usecases.fee_returns import fee_of_usage, fen_of_days
from billing.usecases.return_views import ReturnView, return_view
from billing.usecases.uncapture import Cause, Spent, lock_spent, recall, uncapture_each
from billing.usecases.wallets import mover_of
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.days import Span
from tenants.rules.faults import Faults
from tenants.rules.people import check_name
from tenants.usecases import audit

REPAY_WITHIN = timedelta(days=30)
"""How long a provider has to pay back what had been paid out for a returned service."""


@dataclass(frozen=True)
class ReturnWish:
    """What is returned and why. ``amount_fen`` of the list price, None for all that is left of it.

    ``agreement`` says who agreed for the provider; ``subject`` is what people call the line; ``days`` are those of a
    subscription's fee that the amount is for.
    """

    cause: ReturnCause
    reason: str
    agreement: str
    subject: str
    amount_fen: int | None = None
    file: evidence.Upload | None = None
    days: Span | None = None


@dataclass(frozen=True)
class ReturnedLine:
    """An order line that is returned, and the provider that delivered it; the platform's own fees have none."""

    order_line_id: UUID
    provider_id: UUID | None
    wish: ReturnWish


@dataclass(frozen=True)
class _Plan:
    """A return worked out: its shares, and of each hold what is withdrawn and what is recalled."""

    id: UUID
    provider_id: UUID | None
    wish: ReturnWish
    usage: RatedUsage
    invoice_line: InvoiceLine | None
    number: int
    before: Before
    shares: Shares
    vat_fen: int
    withdrawn: dict[UUID, int]
    recalled: dict[UUID, int]

    @property
    def amount_fen(self) -> int:
        """Return what is taken back of the price."""
        return self.shares.park_fen + self.shares.public_fen


@dataclass(frozen=True)
class _ParkPart:
    """Where the park's share goes."""

    invoice_id: UUID | None
    to_invoice_fen: int
    to_wallet_fen: int
    waiting_fen: int


def return_delivery(work: Work, *, order_line_id: UUID, provider_id: UUID, wish: ReturnWish) -> ReturnView:
    """Take a delivered order line back, wholly or in part, and give each payer its share; a line that stands on an
    invoice is credited by a credit note.

    Raises Conflict for a line that was not delivered or has nothing left to return, while a later grant on it stands
    (``return.later_grant``), or above what one person may return (``return.two_people``); Invalid for an amount above
    what is left.
    """
    work.actor.require(Permission.RETURN_DELIVERY)
    (made,) = return_lines(work, [ReturnedLine(order_line_id, provider_id, wish)])
    return return_view(made)


def return_lines(
    work: Work, lines: Sequence[ReturnedLine], *, note: CreditNote | None = None, agreed_by_two: bool = False
) -> tuple[LineReturn, ...]:  # fmt: skip
    """Take order lines back in one transaction, for use cases that have asked for their own permission.

    ``note`` is the credit note, under lock, that they are taken back by: two people have agreed where its amount wants
    it. Without it, one is issued for each invoice they stand on. ``agreed_by_two`` says that two people did otherwise.
    """
    person = work.actor.require_person()
    for line in lines:
        _check_texts(line.wish)
    ordered = sorted(lines, key=lambda line: line.order_line_id)
    for line in ordered:
        entitlement_queries.lock_of_line(work.session, line.order_line_id)
    spent = lock_spent(work, order_line_ids=[line.order_line_id for line in ordered])
    # Nobody issues an invoice meanwhile, which would miss the credit.
    invoice_queries.lock_counter(work.session, LEGAL_ENTITY, local_day(work.now, DEFAULT_ZONE).year)
    plans = [_plan(work, line, spent) for line in ordered]
    if any(plan.usage.offering == JOINT for plan in plans):
        raise Conflict("return.joint", msg("共建年度结算只能由省级冲回，不能退回。请在共建协议中办理。"))
    if note is None and not agreed_by_two:
        _check_alone(work, sum(plan.amount_fen for plan in plans))
    for plan in plans:
        _carry_out(work, person, plan, spent)
    made = return_queries.returns_by_id(work.session, [plan.id for plan in plans])
    credited = [(made[plan.id], plan.invoice_line) for plan in plans if plan.invoice_line is not None]
    credit_note_issue.issue_for_returns(work, credited, note=note)
    withdrawn = {hold_id: fen for plan in plans for hold_id, fen in plan.withdrawn.items()}
    if withdrawn:
        causes = {hold_id: Cause("line_return", plan.id) for plan in plans for hold_id in plan.withdrawn}
        uncapture_each(work, causes=causes, amounts=withdrawn, reason=f"delivery.{ordered[0].wish.cause.value}")
    return tuple(made[plan.id] for plan in plans)


def charged_usage(work: Work, order_line_id: UUID) -> RatedUsage:
    """Return what an order line, or a fee, was charged, for use cases of billing. Raises Conflict for one that was not."""
    usage = return_queries.usage_of_line(work.session, order_line_id)
    if usage is None:
        raise Conflict("return.not_delivered", msg("该服务尚未交付计费，不能退回。未交付的订单请取消。"))
    return usage


def left_to_return(work: Work, usage: RatedUsage) -> int:
    """Return what of a delivery's price nobody has got back or is asked back yet, for use cases of billing."""
    if usage.offering == JOINT:  # undone by a reversal of the whole year
        return 0
    fee = fee_of_usage(work, usage)
    before = return_queries.returned_before(work.session, usage.tenant_id, usage.order_line_id)
    line = return_queries.invoice_line_of_usage(work.session, usage.tenant_id, usage.id)
    park_left = _park_left(usage, before, fee, _discount_of(line))
    if fee is not None:
        return park_left
    instant = instant_programmes(usage)
    holds = trace_queries.holds_of_usage(work.session, usage)
    public = sum(hold.captured_fen - hold.recalled_fen for hold in holds if hold.programme in instant)
    return park_left + public


def _discount_of(line: InvoiceLine | None) -> int:
    """Return what its invoice's discount took off a line: nobody paid it, so nobody gets it back."""
    return 0 if line is None else line.discount_fen


def _park_left(usage: RatedUsage, before: Before, fee: ChargedFee | None, discount_fen: int) -> int:
    """Return what the park paid or owes of a line and has not got back."""
    left = usage.payable_fen - discount_fen - before.park_fen
    return left if fee is None else max(0, min(left, fee.left_fen))


def _check_texts(wish: ReturnWish) -> None:
    with Faults() as faults:
        faults.take("reason", check_name, wish.reason)
        faults.take("agreement", check_name, wish.agreement)


def _check_alone(work: Work, amount_fen: int) -> None:
    most = legal_entities.entity_of(work.session, LEGAL_ENTITY).alone_up_to_fen
    if amount_fen > most:
        raise Conflict(
            "return.two_people",
            msg(
                "退回 {amount} 元超过一人可办理的 {most} 元。请在账单开具后申请红字账单，由另一人确认。",
                amount=format_yuan(amount_fen),
                most=format_yuan(most),
            ),
        )


def _carry_out(work: Work, person: UUID, plan: _Plan, spent: Sequence[Spent]) -> None:
    """Write a return, credit the park, and take the sale back; the funds get theirs last of all."""
    usage, wish = plan.usage, plan.wish
    kept = None if wish.file is None else evidence.keep(work, usage.tenant_id, wish.file, field="evidence")
    recall(work, amounts=plan.recalled)
    park = _give_park_its_part(work, plan)
    row = {
        "tenant_id": usage.tenant_id,
        "id": plan.id,
        "order_line_id": usage.order_line_id,
        "rated_usage_id": usage.id,
        "number": plan.number,
        "gross_fen": usage.gross_fen - _discount_of(plan.invoice_line),
        "payable_fen": usage.payable_fen - _discount_of(plan.invoice_line),
        "before_fen": plan.before.amount_fen,
        "park_before_fen": plan.before.park_fen,
        "amount_fen": plan.amount_fen,
        "park_fen": plan.shares.park_fen,
        "public_fen": plan.shares.public_fen,
        "vat_fen": plan.vat_fen,
        **vars(park),
        "withdrawn_fen": sum(plan.withdrawn.values()),
        "recalled_fen": sum(plan.recalled.values()),
        "from_day": None if wish.days is None else wish.days.start,
        "until_day": None if wish.days is None else wish.days.end,
        "cause": wish.cause,
        "reason": wish.reason.strip(),
        "agreement": wish.agreement.strip(),
        "evidence_id": None if kept is None else kept.id,
        "returned_by": person,
        "returned_at": work.now,
    }
    if not return_queries.insert_line_return(work.session, row):
        raise Conflict("return.changed", msg("该服务刚刚被他人退回。请刷新后核对剩余可退金额。"))
    _post(work, plan, park, spent)
    if plan.recalled:
        _open_case(work, plan)
    audit.record(
        work, "delivery.return", "order_line", usage.order_line_id, tenant_id=usage.tenant_id,
        amount_fen=plan.amount_fen, park_fen=plan.shares.park_fen, cause=wish.cause.value,
    )  # fmt: skip


def _own_holds(usage: RatedUsage, spent: Sequence[Spent]) -> list[Spent]:
    """Return the holds that paid a part of the price; refuse while a grant that came later stands on it."""
    instant = instant_programmes(usage)
    if any(each.open_fen for each in spent if each.programme not in instant):
        raise Conflict(
            "return.later_grant",
            msg("该服务已核定后补助，补贴在园区手中。请先以“不符合条件”追回后补助，再退回服务。"),
        )
    return [each for each in spent if each.programme in instant]


def _plan(work: Work, line: ReturnedLine, spent: Sequence[Spent]) -> _Plan:
    usage, wish = charged_usage(work, line.order_line_id), line.wish
    holds = _own_holds(usage, [each for each in spent if each.order_line_id == line.order_line_id])
    before = return_queries.returned_before(work.session, usage.tenant_id, usage.order_line_id)
    fee = fee_of_usage(work, usage, lock=True)
    invoice_line = return_queries.invoice_line_of_usage(work.session, usage.tenant_id, usage.id)
    discount_fen = _discount_of(invoice_line)
    park_left = _park_left(usage, before, fee, discount_fen)
    left = park_left + sum(each.open_fen for each in holds)
    if not left:
        raise Conflict("return.nothing_left", msg("该服务的价款已全部退回或列入追回，没有可退金额。"))
    amount = left if wish.amount_fen is None else wish.amount_fen
    if not 0 < amount <= left:
        message = msg("退回金额须大于零且不超过 {most} 元。请改正金额。", most=format_yuan(left))
        raise Invalid("return.amount", message, errors=[FieldError("amount_fen", "return.amount", message)])
    if wish.days is not None and fen_of_days(fee, wish.days, "days") != amount:
        raise Conflict("return.changed", msg("该费用刚刚发生变化，可冲金额已不同。请重新申请。"))
    shares = split_return(amount, park_left, [each.open_fen for each in holds])
    withdrawn: dict[UUID, int] = {}
    recalled: dict[UUID, int] = {}
    for hold, part in zip(holds, shares.by_hold, strict=True):
        unpaid = min(part, hold.unpaid_fen)
        if unpaid:
            withdrawn[hold.hold_id] = unpaid
        if part > unpaid:
            recalled[hold.hold_id] = part - unpaid
    vat_fen = vat_back(before.sale_back_fen, amount, usage.vat_bp)
    if invoice_line is not None:
        returned = before.sale_back_fen + amount
        sold = usage.gross_fen - discount_fen
        vat_fen = min(vat_back_of_line(invoice_line.vat_fen, sold, returned, before.vat_fen), amount)
    return _Plan(
        id=new_id(),
        provider_id=line.provider_id,
        wish=wish,
        usage=usage,
        invoice_line=invoice_line,
        number=before.returns + 1,
        before=before,
        shares=shares,
        vat_fen=vat_fen,
        withdrawn=withdrawn,
        recalled=recalled,
    )


def _give_park_its_part(work: Work, plan: _Plan) -> _ParkPart:
    """Credit the park: what it still owes is paid first, the rest goes to its wallet."""
    usage, amount_fen = plan.usage, plan.shares.park_fen
    invoice_id = None if plan.invoice_line is None else plan.invoice_line.invoice_id
    if not amount_fen:
        return _ParkPart(invoice_id, 0, 0, 0)
    prepaid = usage.payment_method == "wallet"
    if invoice_id is None and not prepaid:
        return _ParkPart(None, 0, 0, amount_fen)
    invoice = None if invoice_id is None else invoice_queries.invoice_of(work.session, invoice_id, lock=True)
    open_fen = 0 if invoice is None or prepaid else invoice.payable_fen - invoice.paid_fen
    to_invoice = min(amount_fen, open_fen)
    payment_id = new_id()
    credit = statement_queries.payment_values(
        usage.tenant_id, payment_id, f"return:{plan.id}", amount_fen, work.now, work.actor.user_id
    )
    invoice_queries.insert_payment(work.session, credit | {"method": "return"})
    if invoice is not None and to_invoice:
        invoice_queries.pay(work.session, invoice, payment_id, to_invoice, work.now)
    if amount_fen > to_invoice:
        wallet_movements.top_up(work.session, mover_of(work, usage.tenant_id), payment_id, amount_fen - to_invoice)
    return _ParkPart(invoice_id, to_invoice, amount_fen - to_invoice, 0)


def _post(work: Work, plan: _Plan, park: _ParkPart, spent: Sequence[Spent]) -> None:
    """Take the sale back. What the provider pays back to a fund itself stands to its credit here."""
    recalled_fen = sum(plan.recalled.values())
    by_provider = {} if plan.provider_id is None or not recalled_fen else {plan.provider_id: recalled_fen}
    draft = ledger.sale_back(
        park_id=plan.usage.tenant_id,
        source_kind="line_return",
        source_id=str(plan.id),
        occurred_at=work.now,
        vat_fen=plan.vat_fen,
        park_fen=park.to_invoice_fen + park.waiting_fen,
        wallet_fen=park.to_wallet_fen,
        by_fund=sum_by_fund(plan.withdrawn, {each.hold_id: each.fund_id for each in spent}),
        by_provider=by_provider,
    )
    assert draft is not None, "a return is not of nothing"  # noqa: S101 - for the type checker
    post_journal(work.session, draft, user_id=work.actor.user_id)


def _open_case(work: Work, plan: _Plan) -> None:
    assert plan.provider_id is not None, "no public money pays a fee"  # noqa: S101 - for the type checker
    is_undelivered = plan.wish.cause is ReturnCause.UNDELIVERED
    open_case(
        work,
        NewCase(
            park_id=plan.usage.tenant_id,
            order_line_id=plan.usage.order_line_id,
            subject=plan.wish.subject,
            cause=ClawbackCause.UNDELIVERED if is_undelivered else ClawbackCause.RETURNED,
            bearer=Bearer.PROVIDER,
            bearer_id=plan.provider_id,
            amounts=plan.recalled,
            reason=plan.wish.reason.strip(),
            due_on=local_day(work.now + REPAY_WITHIN, DEFAULT_ZONE),
            return_id=plan.id,
        ),
    )
