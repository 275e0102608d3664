"""Holds: public money reserved for an order line, captured once and at most in full, or given back.

Every transaction takes rows in one order: holds, then rolling registers, then ceilings, then regional envelopes, then
the funds' general envelopes. So none waits for another in a circle, and the rows that all parks meet at are held shortest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.rules.money import allocate, format_yuan
from billing.store import hold_calls, hold_queries
from billing.store.ceiling_queries import CounterKey
from billing.store.fund_queries import ids_of_funds
from billing.store.funds import Hold
from billing.store.hold_calls import HeldPart, HoldCall, Needed, Taken
from billing.usecases.aid_register import Grant, Returned, give_back, grant_all
from billing.usecases.ceilings import Take, cap_reached, counter_for, counter_from, counter_json, give_back_all
from billing.usecases.exemptions_in_force import Promise, counter_of, keep_promises
from billing.usecases.fund_register import Amount, allotments, in_order, move
from billing.usecases.quote_views import AwardView, QuoteView
from tenants.kernel.errors import Conflict, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

MOST_OVERDUE_AT_ONCE = 200


@dataclass(frozen=True)
class HoldView:
    """Public money reserved for an order line from one envelope of one fund, and what became of it."""

    id: UUID
    order_line_id: UUID
    fund_id: UUID
    fund: str
    envelope: str
    programme: str
    version: int
    amount_fen: int
    captured_fen: int
    status: str
    expires_at: datetime


@dataclass(frozen=True)
class OverdueLine:
    """An order line whose holds have run out of time, for the marketplace to cancel."""

    tenant_id: UUID
    order_line_id: UUID


@dataclass(frozen=True)
class AwardToHold:
    """An award on an order line, and the facts that its ceilings are counted by."""

    line_id: UUID
    quote_id: UUID
    offering: str
    award: AwardView
    facts: Mapping[str, Any]


def hold_subsidies(
    work: Work, *, quote: QuoteView, line_ids: Sequence[UUID], expires_at: datetime
) -> tuple[HoldView, ...]:
    """Reserve the instant awards of all lines under all ceilings and from all funds, or raise and reserve nothing.

    The last step of a checkout: its last statements are the draws on the funds. ``line_ids`` are the order's lines in
    the quote's order. Awards that come later (``reimburse``, ``auto``) hold nothing. Raises Conflict ``cap.reached``
    or ``fund.exhausted`` with what is left; the caller's transaction is then undone as a whole.
    """
    work.actor.require(Permission.PLACE_ORDER)
    tenant_id = work.actor.require_tenant()
    awarded = [
        AwardToHold(line_id, quote.id, line.offering, award, {**quote.facts, **line.facts})
        for line_id, line in zip(line_ids, quote.lines, strict=True)
        for award in line.awards
        if award.instant and award.amount_fen
    ]
    return _reserve(work, tenant_id, awarded, allotments(quote.facts), expires_at)


def spend_at_once(
    work: Work, award: AwardToHold, before_draw: Callable[[Sequence[HoldView]], None]
) -> tuple[HoldView, ...]:
    """Reserve an award that comes after the delivery and capture it in the same transaction, for billing's own use
    cases, which have asked for their own permission.

    ``before_draw`` is told the holds before any money is drawn, so that the funds' rows come last. Raises Conflict
    as a checkout does.
    """
    held = _reserve(
        work, work.actor.require_tenant(), [award], allotments(award.facts), work.now, before_draw=before_draw
    )
    rows = hold_queries.lock_holds(work.session, [hold.id for hold in held])
    _settle(work, rows, [row.amount_fen for row in rows], "hold.granted")
    return tuple(replace(hold, captured_fen=hold.amount_fen, status="captured") for hold in held)


def capture_holds(
    work: Work, *, order_line_id: UUID, amount_fen: int, parts: Mapping[UUID, int] | None = None
) -> tuple[HoldView, ...]:
    """Spend ``amount_fen`` of what is held for a delivered line, and give the rest and its ceilings back.

    Split over the line's holds as ``parts`` say, by hold, or by what each holds. Captured once: a repeat with the same
    amount returns the first result. Raises Conflict ``hold.not_open`` for a line whose holds were released or captured
    otherwise, ``hold.too_small`` for more than is held, and ValueError for parts that are not ``amount_fen``.
    """
    work.actor.require(Permission.METER_USAGE)
    holds = hold_queries.lock_holds_of_lines(work.session, [order_line_id])
    if any(hold.status != hold_queries.OPEN for hold in holds):
        if sum(hold.captured_fen for hold in holds) == amount_fen > 0:
            return read_line_holds(work, order_line_id)
        raise Conflict("hold.not_open", msg("该订单项的补贴预占已核销或释放，不能再次核销。请核对订单状态。"))
    held = sum(hold.amount_fen for hold in holds)
    if amount_fen > held:
        raise Conflict(
            "hold.too_small",
            msg(
                "核销金额 {amount} 元超过预占金额 {held} 元。请核对计量与报价。",
                amount=format_yuan(amount_fen),
                held=format_yuan(held),
            ),
        )
    split = allocate(amount_fen, [hold.amount_fen for hold in holds])
    captured = split if parts is None else [parts[hold.id] for hold in holds]
    if sum(captured) != amount_fen:
        raise ValueError(f"the parts of line {order_line_id} are not {amount_fen} fen")
    _settle(work, holds, captured, "hold.captured")
    return read_line_holds(work, order_line_id)


def release_holds(work: Work, *, order_line_id: UUID, reason: str) -> None:
    """Give back what is held for an order line, with its ceilings. Done once, however often asked."""
    release_lines(work, order_line_ids=[order_line_id], reason=reason)


def release_lines(work: Work, *, order_line_ids: Sequence[UUID], reason: str) -> None:
    """Give back what is held for several order lines in one go; what is given back after its time is ``expired``.

    A transaction that releases several lines has to do it here: line by line it would take a ceiling after a fund,
    and could wait in a circle with a checkout.
    """
    work.actor.require(Permission.CANCEL_ORDER)
    holds = hold_queries.lock_holds_of_lines(work.session, order_line_ids)
    still_open = [hold for hold in holds if hold.status == hold_queries.OPEN]
    _settle(work, still_open, [0] * len(still_open), reason)


def extend_holds(work: Work, *, order_line_ids: Sequence[UUID], expires_at: datetime) -> None:
    """Let public money of order lines wait longer, as their delivery was put off; it never waits shorter for that."""
    work.actor.require(Permission.PLACE_ORDER)
    hold_queries.lock_holds_of_lines(work.session, order_line_ids)
    hold_queries.extend(work.session, order_line_ids, expires_at)


def overdue_lines(work: Work, *, limit: int = MOST_OVERDUE_AT_ONCE) -> tuple[OverdueLine, ...]:
    """Return order lines whose public money has waited too long, the longest first.

    Nothing is changed: who owns the order cancels it, and so gives back holds, slot and wallet in one transaction.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    return tuple(OverdueLine(*row) for row in hold_queries.overdue_lines(work.session, work.now, limit))


def read_line_holds(work: Work, order_line_id: UUID) -> tuple[HoldView, ...]:
    """Return the holds of an order line, for billing's own use cases, which have asked for their own permission."""
    return tuple(_view(hold, slug) for hold, slug in hold_queries.holds_of_line(work.session, order_line_id))


def counters_of_award(tenant_id: UUID, award: AwardView, facts: Mapping[str, Any]) -> dict[CounterKey, int | None]:
    """Return the counters that an award is counted in, with their limits."""
    counters: dict[CounterKey, int | None] = {
        counter_for(award.programme, ceiling.scope, ceiling.period, tenant_id, facts): ceiling.limit_fen
        for ceiling in award.ceilings
    }
    if award.exemption is not None:
        counters[counter_of(award.programme, award.exemption.id, tenant_id)] = award.exemption.limit_fen
    return counters


def _reserve(
    work: Work,
    tenant_id: UUID,
    awarded: Sequence[AwardToHold],
    regional: Sequence[str],
    expires_at: datetime,
    *,
    before_draw: Callable[[Sequence[HoldView]], None] | None = None,
) -> tuple[HoldView, ...]:
    if not awarded:
        return ()
    grant_all(work, tenant_id, [_grant(each) for each in awarded if each.award.rolling])
    funds = ids_of_funds(work.session, {slug for each in awarded for slug in each.award.by_fund})
    call = _hold_call(work, tenant_id, awarded, regional, expires_at, funds)
    slugs = {fund_id: slug for slug, fund_id in funds.items()}
    promises = _promises(awarded)
    try:
        if before_draw is None and not promises:
            parts = hold_calls.hold_all(work.session, call)
            return _held(call, parts, slugs)
        hold_calls.count_under_ceilings(work.session, call)
        keep_promises(work, tenant_id, promises)
        parts = hold_calls.enter_holds(work.session, call)
        held = _held(call, parts, slugs)
        if before_draw is not None:
            before_draw(held)
        hold_calls.draw_on_funds(work.session, call, parts)
    except hold_calls.CeilingReachedError as reached:
        raise cap_reached(reached.taken.counter, reached.taken.amount_fen, reached.left_fen) from reached
    except hold_calls.FundExhaustedError as exhausted:
        needed = sum(need.amount_fen for need in call.needs if need.fund_id == exhausted.fund_id)
        raise _exhausted(slugs[exhausted.fund_id], needed, exhausted.left_fen) from exhausted
    return held


def _grant(each: AwardToHold) -> Grant:
    award = each.award
    assert award.rolling is not None, "only awards under a rolling ceiling are entered"  # noqa: S101 - for the type checker
    return Grant(each.line_id, award.programme, award.version, award.amount_fen, award.rolling, each.facts)


def _hold_call(
    work: Work,
    tenant_id: UUID,
    awarded: Sequence[AwardToHold],
    regional: Sequence[str],
    expires_at: datetime,
    funds: Mapping[str, UUID],
) -> HoldCall:
    counted = [counters_of_award(tenant_id, each.award, each.facts) for each in awarded]
    takes = _joined_takes((each.award.amount_fen, counters) for each, counters in zip(awarded, counted, strict=True))
    return HoldCall(
        tenant_id=tenant_id,
        user_id=work.actor.user_id,
        at=work.now,
        expires_at=expires_at,
        takes=[Taken(counter, take.amount_fen, take.limit_fen) for counter in sorted(takes) for take in takes[counter]],
        needs=[
            Needed(
                order_line_id=each.line_id,
                fund_id=funds[slug],
                programme=each.award.programme,
                version=each.award.version,
                amount_fen=amount,
                ceilings=[counter_json(counter) for counter in counters],
            )
            for each, counters in zip(awarded, counted, strict=True)
            for slug, amount in sorted(each.award.by_fund.items())
            if amount
        ],
        regional=regional,
    )


def _promises(awarded: Iterable[AwardToHold]) -> list[Promise]:
    """Return what the order takes under case-by-case decisions."""
    return [
        Promise(
            note=each.award.exemption,
            order_line_id=each.line_id,
            quote_id=each.quote_id,
            programme=each.award.programme,
            version=each.award.version,
            offering=each.offering,
            amount_fen=each.award.amount_fen,
        )
        for each in awarded
        if each.award.exemption is not None
    ]


def _joined_takes(counted: Iterable[tuple[int, Mapping[CounterKey, int | None]]]) -> dict[CounterKey, list[Take]]:
    """Join what lines count in one counter under the same limit; the lowest limit first, no limit last."""
    sums: dict[CounterKey, dict[int | None, int]] = {}
    for amount, counters in counted:
        for counter, limit in counters.items():
            by_limit = sums.setdefault(counter, {})
            by_limit[limit] = by_limit.get(limit, 0) + amount
    return {
        counter: [Take(by_limit[limit], limit) for limit in sorted(by_limit, key=_height)]
        for counter, by_limit in sums.items()
    }


def _height(limit_fen: int | None) -> tuple[bool, int]:
    return limit_fen is None, limit_fen or 0


def _held(call: HoldCall, parts: Sequence[HeldPart], slugs: Mapping[UUID, str]) -> tuple[HoldView, ...]:
    return tuple(
        HoldView(
            id=part.hold_id,
            order_line_id=call.needs[part.need].order_line_id,
            fund_id=part.fund_id,
            fund=slugs[part.fund_id],
            envelope=part.envelope,
            programme=call.needs[part.need].programme,
            version=call.needs[part.need].version,
            amount_fen=part.amount_fen,
            captured_fen=0,
            status=hold_queries.OPEN,
            expires_at=call.expires_at,
        )
        for part in parts
    )


def _exhausted(slug: str, needed_fen: int, left_fen: int) -> Problem:
    return Conflict(
        "fund.exhausted",
        msg(
            "资金池 {fund} 可用余额 {left} 元，本单需要 {needed} 元。请重新询价，新报价将按余额计算补贴。",
            fund=slug,
            left=format_yuan(left_fen),
            needed=format_yuan(needed_fen),
        ),
    )


def _settle(work: Work, holds: Sequence[Hold], captured: Sequence[int], reason: str) -> None:
    """Close open holds that are under lock: spend what is captured of each, give the rest and its ceilings back."""
    parts = list(zip(holds, captured, strict=True))
    returned: dict[CounterKey, int] = {}
    for hold, amount in parts:
        status = "captured" if amount else "expired" if hold.expires_at <= work.now else "released"
        if not hold_queries.settle(work.session, hold, status=status, captured_fen=amount, at=work.now):
            raise RuntimeError(f"hold {hold.id} was settled while it was under lock")
        for document in hold.ceilings:
            counter = counter_from(hold.programme, document)
            returned[counter] = returned.get(counter, 0) + hold.amount_fen - amount
    back = [Returned(each.order_line_id, each.programme, each.amount_fen - spent) for each, spent in parts]
    give_back(work, back, reason)
    give_back_all(work, returned)
    for place in in_order({(hold.fund_id, hold.envelope) for hold in holds}):
        here = [(hold, amount) for hold, amount in parts if (hold.fund_id, hold.envelope) == place]
        spent = [Amount(amount, hold.id, hold.tenant_id) for hold, amount in here]
        rest = [Amount(hold.amount_fen - amount, hold.id, hold.tenant_id) for hold, amount in here]
        for destination, amounts in (("captured", spent), ("available", rest)):
            if not move(
                work,
                fund_id=place[0],
                envelope=place[1],
                source="held",
                destination=destination,
                amounts=amounts,
                reason=reason[:200],
            ):
                raise RuntimeError(f"envelope {place} holds less than its open holds")


def _view(hold: Hold, slug: str) -> HoldView:
    return HoldView(
        id=hold.id,
        order_line_id=hold.order_line_id,
        fund_id=hold.fund_id,
        fund=slug,
        envelope=hold.envelope,
        programme=hold.programme,
        version=hold.version,
        amount_fen=hold.amount_fen,
        captured_fen=hold.captured_fen,
        status=hold.status,
        expires_at=hold.expires_at,
    )
