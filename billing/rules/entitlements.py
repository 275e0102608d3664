"""Awards that come after the delivery: until when they may be claimed, in which state, and how much is left of them.

The terms are those of the award that was kept with the order. What is worked out here is only what ceilings and funds
still carry of it on the day it is granted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.rules.headroom import Claim, Headroom, fit, split
from billing.rules.periods import local_day, start_of_day
from billing.rules.reasons import Reason
from billing.rules.terms import CapScope, Policy, Shortfall, Used
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import Message, msg


class State(StrEnum):
    """Where an award that comes later is."""

    WAITING = "waiting"
    """Delivered, but the park has not paid its part yet."""
    OPEN = "open"
    """Can be claimed (``reimburse``) or confirmed (``auto``) now."""
    CLAIMED = "claimed"
    """Granted, and under review."""
    RETURNED = "returned"
    """A reviewer sent it back: to be completed, or withdrawn."""
    DISBURSED = "disbursed"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    UNDONE = "undone"
    """The order was returned, or the grant taken back before it was paid: there is nothing to be paid."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an award that comes later. ``status`` is the step that was taken with it."""

    status: str
    paid: bool
    claim_until: datetime
    undone: bool = False
    returned: bool = False
    disbursed: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """What is granted of an award, by fund, and why not all of it."""

    amount_fen: int
    by_fund: Mapping[str, int]
    reasons: tuple[str, ...]


_BARRED: Mapping[State, tuple[str, Message]] = {
    State.WAITING: ("entitlement.not_paid", msg("本项服务的园区应付款尚未结清。请先付清账单，再申领。")),
    State.CLAIMED: ("entitlement.claimed", msg("本项补贴已经申领，正在审核。同一订单项同一政策只能申领一次。")),
    State.DISBURSED: ("entitlement.disbursed", msg("本项补贴已经拨付，不能再次申领。")),
    State.WITHDRAWN: ("entitlement.withdrawn", msg("本项补贴已由园区放弃，不能再申领。")),
    State.EXPIRED: ("entitlement.expired", msg("已超过申领期限，不能再申领。")),
    State.UNDONE: ("entitlement.undone", msg("该订单已取消或退回，没有可申领的补贴。")),
}


def claim_until(delivered_at: datetime, claim_days: int, timezone: str) -> datetime:
    """Return the moment from which an award can no longer be claimed: the end of the last day, in the policy's zone."""
    last = local_day(delivered_at, timezone) + timedelta(days=claim_days)
    return start_of_day(last + timedelta(days=1), timezone)


def state_of(standing: Standing, now: datetime) -> State:
    """Return where an award that comes later is. A claim made in time is not lost while it waits for its review."""
    if standing.status == "withdrawn":
        return State.WITHDRAWN
    if standing.undone:
        return State.UNDONE
    if standing.status == "claimed":
        if standing.disbursed:
            return State.DISBURSED
        return State.RETURNED if standing.returned else State.CLAIMED
    if now >= standing.claim_until:
        return State.EXPIRED
    return State.OPEN if standing.paid else State.WAITING


def check_claimable(standing: Standing, now: datetime) -> State:
    """Return the state of an award that may be claimed, or completed after a return; Conflict for any other."""
    state = state_of(standing, now)
    if state in _BARRED:
        code, sentence = _BARRED[state]
        raise Conflict(code, sentence)
    return state


def check_withdrawable(standing: Standing, now: datetime) -> State:
    """Return the state of an award that the park may give up: before its claim, or after a reviewer sent it back."""
    state = state_of(standing, now)
    if state is State.CLAIMED:
        raise in_review()
    if state in {State.DISBURSED, State.WITHDRAWN, State.EXPIRED, State.UNDONE}:
        code, sentence = _BARRED[state]
        raise Conflict(code, sentence)
    return state


def in_review() -> Conflict:
    """Return the refusal to give up what is under review."""
    return Conflict("entitlement.in_review", msg("申领正在审核，不能撤回。如需更改，请联系审核人员退回后办理。"))


def left_of_award(amount_fen: int, gross_fen: int, returned_fen: int) -> int:
    """Return what of an award still stands when a part of the price was given back: the same share, rounded down."""
    if not returned_fen:
        return amount_fen
    return amount_fen * max(0, gross_fen - returned_fen) // gross_fen


def grant(
    policy: Policy,
    amount_fen: int,
    limits: Mapping[CapScope, int | None],
    taken: Mapping[CapScope, int],
    funds: Mapping[str, int],
    rolling: Mapping[str, int],
    exempted_fen: int | None = None,
) -> Grant:
    """Return what of an award of ``amount_fen`` its ceilings and funds still carry.

    ``limits`` are the ceilings that were kept with the award, ``taken`` what counts against each now, ``funds`` what
    each fund has left, ``rolling`` what counts in each rolling register, ``exempted_fen`` what is left of the
    case-by-case decision that the award stands on, if it does (all in fen). The programme's shortfall decides between a part and nothing.
    """
    claim = Claim(policy, amount_fen=amount_fen, claim_fen=amount_fen, limits=_in_order(limits))
    if exempted_fen is not None and exempted_fen < amount_fen:
        whole = policy.shortfall is Shortfall.ALL_OR_NOTHING
        told = (Reason.CAP_EXEMPTION, *((Reason.ALL_OR_NOTHING,) if whole else ()))
        claim = claim.because(*told, amount_fen=0 if whole else exempted_fen)
    fitted = fit(claim, Headroom(Used(by_programme={policy.programme: taken}, rolling=rolling), funds))
    return Grant(
        amount_fen=fitted.amount_fen,
        by_fund={fund: share for fund, share in split(policy, fitted.amount_fen).items() if share},
        reasons=tuple(str(reason) for reason in fitted.reasons),
    )


def _in_order(limits: Mapping[CapScope, int | None]) -> dict[CapScope, int | None]:
    return {scope: limits[scope] for scope in CapScope if scope in limits}
