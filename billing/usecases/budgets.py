"""Budgets: limits that a park sets itself, or the platform sets for it, counted before an order is accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from billing.rules.budgets import (
    DEFAULT_SHARES_BP,
    Budget,
    BudgetMeasure,
    BudgetPeriod,
    BudgetScope,
    Spending,
    counted,
    crossed,
)
from billing.rules.money import MAX_FEN, WHOLE_BP, format_yuan
from billing.store import budgets as store
from billing.store.alerts import Told, raise_once
from billing.store.budgets import BudgetRow, BudgetUse
from billing.store.plans import SUBSCRIPTION
from tenants.kernel.context import Reach
from tenants.kernel.errors import Conflict, Invalid, NotAllowed, NotFound
from tenants.kernel.identifiers import new_id, parse_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.faults import Faults
from tenants.usecases import audit, onboarding

ALERT = "budget.share"


@dataclass(frozen=True)
class BudgetView:
    """A limit and what of it is used in the running period ``label``; fen, or units for ``quantity``.

    ``imposed`` says that the platform set it.
    """

    id: UUID
    scope: BudgetScope
    key: str
    measure: BudgetMeasure
    period: BudgetPeriod
    label: str
    limit: int
    used: int
    hard_stop: bool
    shares_bp: tuple[int, ...]
    imposed: bool
    set_at: datetime


@dataclass(frozen=True)
class Exceeded:
    """A budget that an order would pass; ``hard_stop`` tells whether it would be refused."""

    budget: BudgetView
    after: int


def set_budget(
    work: Work,
    *,
    limit: int,
    scope: str = "park",
    key: str = "",
    measure: str = "payable_fen",
    period: str = "month",
    hard_stop: bool = True,
    shares_bp: Sequence[int] = DEFAULT_SHARES_BP,
    park_id: UUID | None = None,
) -> BudgetView:
    """Set a limit on the acting park's orders, or (for staff, with ``park_id``) on a park's; it replaces one of its sort.

    What was ordered in the running period before counts from the start. Raises Invalid with every wrong field.
    """
    work.actor.require(Permission.MANAGE_BUDGET)
    person = work.actor.require_person()
    imposed = work.actor.reach is Reach.STAFF
    tenant_id = _concerned(work, park_id)
    with Faults() as faults:
        faults.take("limit", _limit, limit)
        of_scope = faults.take("scope", _scope, scope)
        of_measure = faults.take("measure", _measure, measure)
        of_period = faults.take("period", _period, period)
        faults.take("key", lambda text: _key(text, scope), key)
        shares = faults.take("shares_bp", _shares, shares_bp)
    assert of_scope and of_measure and of_period and shares is not None  # noqa: PT018, S101 - else Faults has refused
    wanted = (of_scope, key, of_measure, of_period)
    before: dict[str, int] = {}
    for row in store.running(work.session, tenant_id):
        if (row.scope, row.key, row.measure, row.period, row.imposed) == (*wanted, imposed):
            before = _used_so_far(work, tenant_id, row)
            store.end(work.session, tenant_id, row.id, by=person, at=work.now)
    budget_id = new_id()
    written = insert(BudgetRow).values(
        tenant_id=tenant_id,
        id=budget_id,
        scope=of_scope,
        key=key,
        measure=of_measure,
        period=of_period,
        limit=limit,
        hard_stop=hard_stop,
        shares_bp=list(shares),
        imposed=imposed,
        set_by=person,
        set_at=work.now,
        ended_by=None,
        ended_at=None,
    )
    if not rows_written(work.session, written.on_conflict_do_nothing()):
        raise Conflict("budget.set_meanwhile", msg("同类限额刚由他人设定。请刷新后再试。"))
    for label, amount in before.items():
        store.count(work.session, tenant_id, budget_id, label, amount, None)
    audit.record(
        work, "budget.set", "budget", budget_id, tenant_id=tenant_id, scope=scope, key=key, measure=measure,
        period=period, limit=limit, hard_stop=hard_stop,
    )  # fmt: skip
    return next(each for each in _views(work, tenant_id) if each.id == budget_id)


def end_budget(work: Work, *, budget_id: UUID, park_id: UUID | None = None) -> None:
    """End a limit. NotFound for one that is not there; NotAllowed for a park that would end the platform's."""
    work.actor.require(Permission.MANAGE_BUDGET)
    person = work.actor.require_person()
    tenant_id = _concerned(work, park_id)
    row = store.budget_of(work.session, tenant_id, budget_id)
    if row is None:
        raise NotFound("budget.not_found", msg("没有找到该限额。请刷新列表。"))
    if row.imposed and work.actor.reach is Reach.TENANT:
        raise NotAllowed("budget.imposed", msg("该限额由平台设定，园区不能取消。请联系平台运营方。"))
    if store.end(work.session, tenant_id, budget_id, by=person, at=work.now):
        audit.record(work, "budget.end", "budget", budget_id, tenant_id=tenant_id)


def list_budgets(work: Work, *, park_id: UUID | None = None) -> tuple[BudgetView, ...]:
    """Return the limits that run for a park, with what of each is used in its running period."""
    work.actor.require(Permission.READ_USAGE)
    return _views(work, _concerned(work, park_id))


def preview(work: Work, *, lines: Sequence[Spending]) -> tuple[Exceeded, ...]:
    """Return the limits that the acting park's order would pass, before it is placed."""
    work.actor.require(Permission.READ_USAGE)
    tenant_id = work.actor.require_tenant()
    found = []
    for view in _views(work, tenant_id):
        after = view.used + sum(counted(_rules_of(view), lines))
        if after > view.limit and after > view.used:
            found.append(Exceeded(view, after))
    return tuple(found)


def preview_fee(work: Work, *, charged_fen: int) -> tuple[Exceeded, ...]:
    """Return the limits that a subscription's fee would pass, before the acting park agrees to it."""
    work.actor.require(Permission.READ_USAGE)
    return preview(work, lines=[_fee(work.actor.user_id, charged_fen)])


def count_order(work: Work, *, lines: Mapping[UUID, Spending]) -> None:
    """Count an order, by its lines, on every limit that concerns it, before it is accepted.

    Raises Conflict ``budget.exceeded`` where a hard limit would be passed; the caller's transaction is undone. Shares of
    a limit that are reached are told the park once a period.
    """
    work.actor.require(Permission.PLACE_ORDER)
    tenant_id = work.actor.require_tenant()
    for row in store.running(work.session, tenant_id):
        _count(work, tenant_id, _budget(row), lines, stop=row.hard_stop)


def count_fee(work: Work, *, period_id: UUID, charged_fen: int) -> None:
    """Count a fee that the acting park is about to agree to on every limit that concerns it.

    Raises Conflict ``budget.exceeded`` where a hard limit would be passed, as an order does.
    """
    work.actor.require(Permission.SUBSCRIBE)
    _count_fee(work, period_id, charged_fen, work.actor.user_id, stop=True)


def note_fee(work: Work, *, period_id: UUID, charged_fen: int) -> None:
    """Count a fee that was charged, unless it was counted before, for billing's own use cases.

    Nothing is stopped: the park agreed to it when it subscribed. It is told when a limit is reached.
    """
    _count_fee(work, period_id, charged_fen, None, stop=False)


def _count_fee(work: Work, period_id: UUID, charged_fen: int, person: UUID | None, *, stop: bool) -> None:
    tenant_id = work.actor.require_tenant()
    known = store.counted_on(work.session, tenant_id, period_id)
    fee = {period_id: _fee(person, charged_fen)}
    for row in store.running(work.session, tenant_id):
        if row.id not in known:
            budget = _budget(row)
            told = replace(budget, shares_bp=(*budget.shares_bp, WHOLE_BP))
            _count(work, tenant_id, told, fee, stop=stop and row.hard_stop)


def _fee(person: UUID | None, charged_fen: int) -> Spending:
    """Return what a fee counts: its money, and no units of any service."""
    return Spending(SUBSCRIPTION, person, charged_fen, charged_fen, 0)


def _count(work: Work, tenant_id: UUID, budget: Budget, lines: Mapping[UUID, Spending], *, stop: bool) -> None:
    """Count lines on a budget; past its limit they are refused if they are to ``stop`` there."""
    amounts = counted(budget, lines.values())
    total = sum(amounts)
    if not total:
        return
    label = budget.period.label(work.now)
    now_used = store.count(work.session, tenant_id, budget.id, label, total, budget.limit if stop else None)
    if now_used is None:
        raise _exceeded(work, tenant_id, budget, label, total)
    uses = [
        {"tenant_id": tenant_id, "order_line_id": line, "budget_id": budget.id, "period": label, "amount": amount}
        for line, amount in zip(lines, amounts, strict=True)
        if amount
    ]
    work.session.execute(insert(BudgetUse), uses)
    for share in crossed(budget, now_used - total, now_used):
        detail = _told(budget, label, now_used) | {"share": f"{share / 100:g}%"}
        raise_once(work.session, tenant_id, Told(ALERT, f"{budget.id}:{label}:{share}", detail), work.now)


def give_back(work: Work, order_line_ids: Sequence[UUID]) -> None:
    """Give back what lines count that end undelivered, for billing's own use cases, which asked for their permission."""
    store.give_back(work.session, work.actor.require_tenant(), order_line_ids, work.now)


def keep_part(work: Work, order_line_id: UUID, *, payable_fen: int, gross_fen: int, quantity: int) -> None:
    """Let a line that was used in part count only that, in its order's period, for billing's own use cases."""
    kept = {
        BudgetMeasure.PAYABLE_FEN.value: payable_fen,
        BudgetMeasure.GROSS_FEN.value: gross_fen,
        BudgetMeasure.QUANTITY.value: quantity,
    }
    store.keep_part(work.session, work.actor.require_tenant(), order_line_id, kept, work.now)


def _concerned(work: Work, park_id: UUID | None) -> UUID:
    if work.actor.reach is Reach.STAFF and park_id is not None:
        return onboarding.read_park(work, park_id=park_id).id
    tenant_id = work.actor.require_tenant()
    if park_id not in {None, tenant_id}:
        raise NotFound("park.not_found", msg("没有找到该园区。请核对园区编号。"))
    return tenant_id


def _used_so_far(work: Work, tenant_id: UUID, row: BudgetRow) -> dict[str, int]:
    label = BudgetPeriod(row.period).label(work.now)
    used = store.used(work.session, tenant_id, [(row.id, label)])[row.id, label]
    return {label: used} if used else {}


def _exceeded(work: Work, tenant_id: UUID, budget: Budget, label: str, needed: int) -> Conflict:
    used = store.used(work.session, tenant_id, [(budget.id, label)])[budget.id, label]
    return Conflict(
        "budget.exceeded",
        msg(
            "本单将超出限额（{period}，上限 {limit}，已用 {used}，本单 {needed}）。请调整订单，或由管理员提高限额。",
            period=label,
            limit=_amount(budget, budget.limit),
            used=_amount(budget, used),
            needed=_amount(budget, needed),
        ),
    )


def _told(budget: Budget, label: str, used: int) -> dict[str, object]:
    return {
        "budget_id": str(budget.id),
        "period": label,
        "used": _amount(budget, used),
        "limit": _amount(budget, budget.limit),
    }


def _amount(budget: Budget, amount: int) -> str:
    return str(amount) if budget.measure is BudgetMeasure.QUANTITY else f"¥{format_yuan(amount)}"


def _views(work: Work, tenant_id: UUID) -> tuple[BudgetView, ...]:
    rows = store.running(work.session, tenant_id)
    labels = {row.id: BudgetPeriod(row.period).label(work.now) for row in rows}
    used = store.used(work.session, tenant_id, [(row.id, labels[row.id]) for row in rows])
    return tuple(
        BudgetView(
            id=row.id,
            scope=BudgetScope(row.scope),
            key=row.key,
            measure=BudgetMeasure(row.measure),
            period=BudgetPeriod(row.period),
            label=labels[row.id],
            limit=row.limit,
            used=used[row.id, labels[row.id]],
            hard_stop=row.hard_stop,
            shares_bp=tuple(row.shares_bp),
            imposed=row.imposed,
            set_at=row.set_at,
        )
        for row in rows
    )


def _budget(row: BudgetRow) -> Budget:
    return Budget(
        id=row.id,
        scope=BudgetScope(row.scope),
        key=row.key,
        measure=BudgetMeasure(row.measure),
        period=BudgetPeriod(row.period),
        limit=row.limit,
        hard_stop=row.hard_stop,
        shares_bp=tuple(row.shares_bp),
    )


def _rules_of(view: BudgetView) -> Budget:
    return Budget(view.id, view.scope, view.key, view.measure, view.period, view.limit, view.hard_stop, view.shares_bp)


def _limit(limit: int) -> int:
    if not 0 <= limit <= MAX_FEN:
        raise Invalid("budget.bad_limit", msg("限额不能为负，且不能过大。请改正。"))
    return limit


def _scope(text: str) -> BudgetScope:
    return BudgetScope(_one_of(text, tuple(BudgetScope)))


def _measure(text: str) -> BudgetMeasure:
    return BudgetMeasure(_one_of(text, tuple(BudgetMeasure)))


def _period(text: str) -> BudgetPeriod:
    return BudgetPeriod(_one_of(text, tuple(BudgetPeriod)))


def _one_of(text: str, known: Sequence[str]) -> str:
    if text not in known:
        raise Invalid("field.unknown_choice", msg("须为以下之一：{known}。", known="、".join(known)))
    return text


def _key(text: str, scope: str) -> str:
    fits = {
        BudgetScope.PARK: text == "",
        BudgetScope.OFFERING: 0 < len(text) <= 64,
        BudgetScope.PERSON: parse_id(text) is not None,
    }
    if not fits.get(BudgetScope(scope) if scope in tuple(BudgetScope) else BudgetScope.PARK, False):
        raise Invalid("budget.bad_key", msg("按服务设限须选择服务，按人员设限须选择人员，整个园区则留空。请改正。"))
    return text


def _shares(shares_bp: Sequence[int]) -> tuple[int, ...]:
    if len(shares_bp) > 10 or any(not 0 < share <= 2 * WHOLE_BP for share in shares_bp):
        raise Invalid("budget.bad_shares", msg("提醒比例须在 1 至 20000 基点之间，最多 10 个。请改正。"))
    return tuple(sorted(set(shares_bp)))
