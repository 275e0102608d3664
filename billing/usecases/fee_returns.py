"""What of a subscription's fee may be given back: its days, what other fees have taken over, and what came back before."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from billing.rules.money import format_yuan
from billing.rules.plans import ChargedFee, GivenBack
from billing.store import plans, return_queries
from billing.store.plans import SUBSCRIPTION, SubscriptionCharge
from billing.store.usage import RatedUsage
from tenants.kernel.errors import Conflict, FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.work import Work
from tenants.rules.days import Span


def fee_of_charge(work: Work, charge: SubscriptionCharge) -> ChargedFee:
    """Return what a period was charged and what became of it, for use cases of billing."""
    after = plans.replacing(work.session, charge.tenant_id, charge.period_id)
    made = return_queries.returns_of_lines(work.session, [charge.period_id])
    return ChargedFee(
        span=Span(charge.from_day, charge.whole_until),
        due_fen=charge.due_fen,
        charged_fen=charge.charged_fen,
        moved_fen=0 if after is None else after.credit_fen,
        cut_on=None if after is None else after.from_day,
        given_back=tuple(
            GivenBack(
                each.amount_fen,
                None if each.from_day is None or each.until_day is None else Span(each.from_day, each.until_day),
            )
            for each in made
        ),
    )


def fee_of_usage(work: Work, usage: RatedUsage, *, lock: bool = False) -> ChargedFee | None:
    """Return the fee that usage is, None for any other. ``lock`` waits for everybody who credits or replaces it."""
    if usage.offering != SUBSCRIPTION:
        return None
    if lock:
        plans.lock_charge(work.session, usage.order_line_id)
    found = plans.charge_of(work.session, usage.tenant_id, usage.order_line_id)
    line = return_queries.invoice_line_of_usage(work.session, usage.tenant_id, usage.id)
    discount_fen = 0 if line is None else line.discount_fen
    return None if found is None else replace(fee_of_charge(work, found[0]), discount_fen=discount_fen)


def days_between(first: date | None, last: date | None, amount_fen: int | None, field: str) -> Span:
    """Return the days from ``first`` to ``last``, both included; Invalid at ``field`` for half a wish, days the wrong way
    round, and an amount beside them.
    """
    if first is None or last is None or last < first or amount_fen is not None:
        message = msg("请填写起日和止日（起日不晚于止日），或只填金额。")
        raise Invalid("credit_note.days", message, errors=[FieldError(field, "credit_note.days", message)])
    return Span(first, last + timedelta(days=1))


def fen_of_days(fee: ChargedFee | None, days: Span, field: str) -> int:
    """Return what of a fee falls on some of its days.

    Raises Invalid at ``field`` for what has no days, days that it does not have or none left to pay back; Conflict
    ``credit_note.days_back`` for days that were given back before.
    """
    if fee is None:
        message = msg("只有订阅费可以按天冲减。请改填金额。")
        raise Invalid("credit_note.no_days", message, errors=[FieldError(field, "credit_note.no_days", message)])
    own = fee.own_days
    if not own.start <= days.start < days.end <= own.end:
        message = msg(
            "日期须在 {first} 至 {last} 之间，且起日不晚于止日。请改正。",
            first=own.start.isoformat(),
            last=(own.end - timedelta(days=1)).isoformat(),
        )
        raise Invalid("credit_note.days", message, errors=[FieldError(field, "credit_note.days", message)])
    if not fee.is_free(days):
        message = msg("所选日期中有的已冲减过。请刷新后改选其余日期。")
        raise Conflict("credit_note.days_back", message, errors=[FieldError(field, "credit_note.days_back", message)])
    fen = fee.of_days(days)
    if not 0 < fen <= fee.left_fen:
        message = msg(
            "所选日期的费用为 {fen} 元，该行最多可冲 {most} 元。请改正。",
            fen=format_yuan(fen),
            most=format_yuan(fee.left_fen),
        )
        raise Invalid("credit_note.amount", message, errors=[FieldError(field, "credit_note.amount", message)])
    return fen
