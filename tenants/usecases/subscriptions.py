"""Subscriptions: a park takes a tier, changes it now or at the period's end, ends it, and what it has now.

A change at the period's end is a subscription of its own that begins there, written at once: the tier changes at that
very moment, whether or not the clockwork is late.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission, Tier
from tenants.kernel.work import Work
from tenants.rules.days import Alignment, BilledEvery, Span, anchor_of, first_moment, local_day, period_around
from tenants.rules.subscriptions import Change, Held, When, decide_change
from tenants.store import subscription_queries as store
from tenants.store.park_queries import running_subscription
from tenants.store.subscriptions import Subscription
from tenants.usecases import audit
from tenants.usecases.onboarding import read_park
from tenants.usecases.subscription_periods import PeriodView, begin_due_periods, period_view
from tenants.usecases.views import SubscriptionView, subscription_view

DEFAULT_EVERY, DEFAULT_ALIGNMENT = BilledEvery.MONTH, Alignment.CALENDAR


@dataclass(frozen=True)
class Planned:
    """What a wish comes to: ``view`` begins at ``at``, billed from then for the rest of the ``whole`` period.

    ``replaced`` is the period that it cuts, None for a change at a period's end.
    """

    change: Change
    at: datetime
    view: SubscriptionView
    whole: Span
    replaced: PeriodView | None


@dataclass(frozen=True)
class Overview:
    """What a park subscribes to. ``next`` takes over when ``current`` ends; without it an end is a cancellation."""

    current: SubscriptionView | None
    period: Span | None
    next: SubscriptionView | None
    renews_on: datetime | None
    """When its running period ends and the next one begins; None without a subscription."""


def subscribe(
    work: Work,
    *,
    tier: Tier,
    when: When = When.NOW,
    every: BilledEvery | None = None,
    alignment: Alignment | None = None,
) -> SubscriptionView:
    """Give the acting park ``tier``, from now on or from its period's end; what it had ends at that moment.

    The tier it has goes on: a change or an end that was set for later is taken back. Raises Conflict
    ``park.not_verified``, and ``subscription.changed_meanwhile`` when somebody else of the park changed it in the same
    moment: the database lets no two subscriptions overlap.
    """
    work.actor.require(Permission.SUBSCRIBE)
    park_id = work.actor.require_tenant()
    now = _now(work, park_id)
    begin_due_periods(work, park_id, now)
    rows = store.subscriptions_from(work.session, park_id, now)
    planned = _plan(work, now, rows, tier, when, every, alignment)
    if planned.change is Change.NONE:
        return planned.view
    try:
        with work.savepoint():
            _carry_out(work, park_id, now, rows, planned)
    except IntegrityError:
        raise _changed_meanwhile() from None
    before = rows[0].tier if rows else None
    audit.record(work, "subscription.change", "subscription", planned.view.id, tier=tier, before=before)
    return planned.view


def plan_subscription(
    work: Work,
    *,
    tier: Tier,
    when: When = When.NOW,
    every: BilledEvery | None = None,
    alignment: Alignment | None = None,
) -> Planned:
    """Return what ``subscribe`` would do, without doing it. Raises as it does."""
    work.actor.require(Permission.SUBSCRIBE)
    now = _now(work, work.actor.require_tenant())
    rows = store.subscriptions_from(work.session, work.actor.require_tenant(), now)
    return _plan(work, now, rows, tier, when, every, alignment)


def period_end_of(planned: Planned) -> datetime:
    """Return when the period ends in which a planned change begins."""
    return first_moment(planned.whole.end)


def cancel(work: Work) -> SubscriptionView:
    """Let the acting park's subscription end with its period; what was to follow it does not.

    Raises Conflict ``subscription.none`` without one, and ``subscription.changed_meanwhile``.
    """
    work.actor.require(Permission.SUBSCRIBE)
    park_id = work.actor.require_tenant()
    now = _now(work, park_id)
    begin_due_periods(work, park_id, now)
    rows = store.subscriptions_from(work.session, park_id, now)
    if not rows:
        raise Conflict("subscription.none", msg("园区目前没有订阅。请先选择一个层级。"))
    end = _held(rows[0]).period_end(now)
    _take_back(work, park_id, rows[1:])
    if rows[0].ends_at != end:
        _end(work, park_id, rows[0], end)
    audit.record(work, "subscription.cancel", "subscription", rows[0].id, tier=rows[0].tier)
    return subscription_view(store.subscriptions_from(work.session, park_id, now)[0])


def current_subscription(work: Work, *, park_id: UUID) -> SubscriptionView | None:
    """Return what a park subscribes to now, None for nothing (or a park the acting person may not see)."""
    work.actor.require(Permission.READ_PARK)
    row = running_subscription(work.session, park_id, work.now)
    return subscription_view(row) if row is not None else None


def tiers_at(work: Work, *, park_ids: Collection[UUID], at: datetime) -> dict[UUID, Tier]:
    """Return the tiers that parks have at a moment, as far as the acting person may see them; none for no subscription."""
    work.actor.require(Permission.READ_PARK)
    return {park_id: Tier(tier) for park_id, tier in store.tiers_at(work.session, park_ids, at)}


def read_overview(work: Work, *, park_id: UUID) -> Overview:
    """Return what a park subscribes to, its running period, and what follows."""
    work.actor.require(Permission.READ_PARK)
    rows = store.subscriptions_from(work.session, park_id, work.now)
    current = [row for row in rows if row.starts_at <= work.now]
    later = [row for row in rows if row.starts_at > work.now]
    follows = subscription_view(later[0]) if later else None
    if not current:
        return Overview(None, None, follows, None)
    held = _held(current[0])
    return Overview(subscription_view(current[0]), held.period_at(work.now), follows, held.period_end(work.now))


def _now(work: Work, park_id: UUID) -> datetime:
    """Return the present, or the start of the last noted period when the clock was set back behind it."""
    return max(work.now, store.latest_start(work.session, park_id) or work.now)


def _plan(
    work: Work,
    now: datetime,
    rows: Sequence[Subscription],
    tier: Tier,
    when: When,
    every: BilledEvery | None,
    alignment: Alignment | None,
) -> Planned:
    park = read_park(work, park_id=work.actor.require_tenant())
    held = _held(rows[0]) if rows else None
    decision = decide_change(park.verification, held, tier, now, when=when, every=every, alignment=alignment)
    if held is not None and decision.change in {Change.NONE, Change.KEEP}:
        kept = subscription_view(rows[0])
        return Planned(decision.change, decision.at, kept, held.period_at(now), None)
    new_every = every or (held.every if held else DEFAULT_EVERY)
    new_alignment = alignment or (held.alignment if held else DEFAULT_ALIGNMENT)
    day = local_day(decision.at)
    anchor = anchor_of(day, new_every, new_alignment)
    if held is not None and (new_every, new_alignment) == (held.every, held.alignment):
        anchor = rows[0].anchor_on  # the periods go on as they were
    view = SubscriptionView(new_id(), tier, decision.at, None, new_every, new_alignment, anchor)
    cut = store.period_at(work.session, park.id, decision.at)
    whole = period_around(anchor, new_every, day)
    return Planned(decision.change, decision.at, view, whole, period_view(cut) if cut is not None else None)


def _carry_out(work: Work, park_id: UUID, now: datetime, rows: Sequence[Subscription], planned: Planned) -> None:
    _take_back(work, park_id, rows[1:])
    if planned.change is Change.KEEP:
        _end(work, park_id, rows[0], None)
        return
    if rows:
        _end(work, park_id, rows[0], planned.at)
    _insert(work, park_id, planned.view)
    replaced = store.cut_period(work.session, park_id, planned.at)
    begin_due_periods(work, park_id, now, replaces=replaced)


def _end(work: Work, park_id: UUID, row: Subscription, at: datetime | None) -> None:
    if not store.end_subscription(work.session, park_id, row.id, seen=row.ends_at, at=at):
        raise _changed_meanwhile()


def _take_back(work: Work, park_id: UUID, later: Sequence[Subscription]) -> None:
    """Let subscriptions that have not begun never begin."""
    for row in later:
        _end(work, park_id, row, row.starts_at)


def _insert(work: Work, park_id: UUID, view: SubscriptionView) -> None:
    work.session.execute(
        insert(Subscription).values(
            tenant_id=park_id,
            id=view.id,
            tier=view.tier,
            starts_at=view.starts_at,
            ends_at=None,
            created_by=work.actor.user_id,
            created_at=work.now,
            billed_every=view.every,
            alignment=view.alignment,
            anchor_on=view.anchor_on,
        )
    )


def _held(row: Subscription) -> Held:
    return Held(
        Tier(row.tier),
        row.starts_at,
        row.ends_at,
        BilledEvery(row.billed_every),
        Alignment(row.alignment),
        row.anchor_on,
    )


def _changed_meanwhile() -> Conflict:
    return Conflict("subscription.changed_meanwhile", msg("订阅刚刚已被本园区其他人员更改。请刷新页面，确认后重试。"))
