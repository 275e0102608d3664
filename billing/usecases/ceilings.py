"""Ceilings: which counter each limit is kept in, what of it is used, and taking from it before any fund is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.rules.money import format_yuan
from billing.rules.periods import cap_year, local_day
from billing.rules.terms import CapScope, Policy, Used
from billing.store import ceiling_queries
from billing.store.ceiling_queries import NOBODY, CounterKey
from billing.store.exemption_queries import SCOPE as EXEMPTION
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg
from tenants.kernel.work import Work


@dataclass(frozen=True)
class Ceiling:
    """One limit that an award counts against; ``limit_fen`` is None where it only counts.

    ``period`` is the first day of the cap year, '' for a limit that never starts anew.
    """

    scope: str
    period: str
    limit_fen: int | None


@dataclass(frozen=True)
class Take:
    """An amount that counts in one counter, and the limit that its lines are under."""

    amount_fen: int
    limit_fen: int | None


def counter_for(programme: str, scope: str, period: str, tenant_id: UUID, facts: Mapping[str, Any]) -> CounterKey:
    """Return the counter of a limit for a park and a line's facts.

    A park without a control group is its own controller. ``order`` has no counter: an order is evaluated as a whole.
    """
    match CapScope(scope):
        case CapScope.ENTITY_YEAR:
            return CounterKey(programme, scope, tenant_id, "", period)
        case CapScope.CONTROLLER_YEAR:
            return CounterKey(programme, scope, NOBODY, str(facts.get("control_group") or tenant_id), period)
        case CapScope.PROVIDER_POOL:
            return CounterKey(programme, scope, NOBODY, str(facts.get("provider") or ""), period)
        case _:
            return CounterKey(programme, scope, NOBODY, "", period)


def used_before(
    work: Work,
    policies: Iterable[Policy],
    tenant_id: UUID,
    orders: Sequence[Sequence[Mapping[str, Any]]],
    at: datetime,
) -> tuple[Used, ...]:
    """Return for each of several orders, given by its lines' facts, what counts against each programme's ceilings for
    this park now; one statement for all.

    Where the lines of one order meet different counters of a scope (pools of different providers), the fullest one
    counts for all of them: an award may come out too small, and never too large.
    """
    known = list(policies)
    wanted = [_counters_of(known, tenant_id, lines, at) for lines in orders]
    amounts = ceiling_queries.used(work.session, set().union(*wanted))
    return tuple(Used(by_programme=_taken(each, amounts)) for each in wanted)


def _counters_of(
    policies: Iterable[Policy], tenant_id: UUID, lines: Iterable[Mapping[str, Any]], at: datetime
) -> dict[CounterKey, tuple[str, CapScope]]:
    found: dict[CounterKey, tuple[str, CapScope]] = {}
    for policy in policies:
        year = cap_year(local_day(at, policy.timezone), policy.year_starts).label
        for scope in {cap.scope for cap in policy.caps} - {CapScope.ORDER}:
            period = year if scope.yearly else ""
            for facts in lines:
                counter = counter_for(policy.programme, scope.value, period, tenant_id, facts)
                found[counter] = (policy.programme, scope)
    return found


def _taken(
    wanted: Mapping[CounterKey, tuple[str, CapScope]], amounts: Mapping[CounterKey, int]
) -> dict[str, dict[CapScope, int]]:
    taken: dict[str, dict[CapScope, int]] = {}
    for counter, (programme, scope) in wanted.items():
        scopes = taken.setdefault(programme, {})
        scopes[scope] = max(amounts[counter], scopes.get(scope, 0))
    return taken


def cap_reached(counter: CounterKey, needed_fen: int, left_fen: int) -> Conflict:
    """Return the refusal of an amount that does not fit under a ceiling."""
    left, needed = format_yuan(left_fen), format_yuan(needed_fen)
    if counter.scope == EXEMPTION:
        text = msg(
            "一事一议批复的补贴总额仅余 {left} 元，本单需要 {needed} 元。请重新询价，新报价将按余额计算补贴。",
            left=left,
            needed=needed,
        )
    else:
        text = msg(
            "补贴项目 {programme} 的上限仅余 {left} 元，本单需要 {needed} 元。请重新询价，新报价将按余额计算补贴。",
            programme=counter.programme,
            left=left,
            needed=needed,
        )
    return Conflict("cap.reached", text)


def give_back_all(work: Work, amounts: Mapping[CounterKey, int]) -> None:
    """Take amounts off their counters again, in the counters' stable order.

    A counter that does not hold the amount is a bug, not a refusal: nothing may be given back twice.
    """
    for counter in sorted(amounts):
        if amounts[counter] and not ceiling_queries.give_back(work.session, counter, amounts[counter]):
            raise RuntimeError(f"counter {counter} holds less than the {amounts[counter]} fen to give back")


def counters_of(programme: str, documents: Iterable[Mapping[str, str]], amount_fen: int) -> dict[CounterKey, int]:
    """Return what a hold that gives back ``amount_fen`` gives back to each of the counters it kept."""
    return {counter_from(programme, document): amount_fen for document in documents}


def counter_json(counter: CounterKey) -> dict[str, str]:
    """Return a counter as a hold keeps it; the programme is the hold's own."""
    return {
        "scope": counter.scope,
        "owner_id": str(counter.owner_id),
        "key": counter.key,
        "period": counter.period,
    }


def counter_from(programme: str, document: Mapping[str, str]) -> CounterKey:
    """Return the counter that a hold kept."""
    return CounterKey(programme, document["scope"], UUID(document["owner_id"]), document["key"], document["period"])
