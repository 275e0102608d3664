"""Billing periods of subscriptions: each begins once, and says so to whoever bills it.

A subscription goes on by itself: its tier does not wait for a period to be noted. The clockwork notes the periods that
have begun since; what is billed follows from each one's event.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenants.kernel.identifiers import new_id
from tenants.kernel.outbox import Event
from tenants.kernel.vocabulary import Permission, Priority, Tier
from tenants.kernel.work import Work
from tenants.rules.days import BilledEvery, Span, first_moment, local_day, period_around
from tenants.store import subscription_queries as store
from tenants.store.subscriptions import Subscription, SubscriptionPeriod

PERIOD_STARTED = "subscription.period_started"


@dataclass(frozen=True)
class PeriodView:
    """A billing period: the part from ``starts_at`` until ``ends_at`` of the ``whole`` month or year.

    ``cut_at`` is where an immediate change ended it; ``replaces_id`` is the period that it cut.
    """

    id: UUID
    subscription_id: UUID
    tier: Tier
    every: BilledEvery
    whole: Span
    starts_at: datetime
    ends_at: datetime
    cut_at: datetime | None
    replaces_id: UUID | None

    @property
    def span(self) -> Span:
        """Return the days that are billed: the first one whole, whenever on it the period began."""
        return Span(local_day(self.starts_at), self.whole.end)


def renew(work: Work) -> int:
    """Note the acting park's periods that have begun by now, and return how many were new. A repeat changes nothing."""
    work.actor.require(Permission.READ_PARK)
    return begin_due_periods(work, work.actor.require_tenant(), work.now)


def parks_to_renew(work: Work) -> tuple[UUID, ...]:
    """Return the parks that have a period to be noted, for the clockwork."""
    work.actor.require(Permission.RUN_PLATFORM)
    return tuple(store.parks_to_renew(work.session, work.now))


def list_periods(work: Work, *, park_id: UUID) -> tuple[PeriodView, ...]:
    """Return a park's periods that have begun, in time order."""
    work.actor.require(Permission.READ_PARK)
    return tuple(period_view(row) for row in store.periods_of(work.session, park_id))


def begin_due_periods(work: Work, park_id: UUID, until: datetime, replaces: UUID | None = None) -> int:
    """Write the periods of a park that begin by ``until``; the first new one says which it ``replaces``."""
    begun = 0
    known = store.last_ends(work.session, park_id)
    for row in store.begun_subscriptions(work.session, park_id, until):
        for start, whole in _due(row, known.get(row.id), until):
            values = {
                "tenant_id": park_id,
                "id": new_id(),
                "subscription_id": row.id,
                "tier": row.tier,
                "billed_every": row.billed_every,
                "whole_from": whole.start,
                "whole_until": whole.end,
                "starts_at": start,
                "ends_at": first_moment(whole.end),
                "cut_at": _cut(row, first_moment(whole.end)),
                "replaces_id": replaces,
                "started_at": work.now,
            }
            if store.begin_period(work.session, values):
                begun, replaces = begun + 1, None
                payload = {"period_id": str(values["id"])}
                work.emit(Event(PERIOD_STARTED, park_id, payload, priority=Priority.NORMAL))
    return begun


def period_view(row: SubscriptionPeriod) -> PeriodView:
    """Return the view of a period's row."""
    return PeriodView(
        id=row.id,
        subscription_id=row.subscription_id,
        tier=Tier(row.tier),
        every=BilledEvery(row.billed_every),
        whole=Span(row.whole_from, row.whole_until),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        cut_at=row.cut_at,
        replaces_id=row.replaces_id,
    )


def _due(row: Subscription, noted_until: datetime | None, until: datetime) -> Iterator[tuple[datetime, Span]]:
    """Yield where each period begins that is not noted yet, and the whole one that it is a part of."""
    start = noted_until or row.starts_at
    while start <= until and (row.ends_at is None or start < row.ends_at):
        whole = period_around(row.anchor_on, BilledEvery(row.billed_every), local_day(start))
        yield start, whole
        start = first_moment(whole.end)


def _cut(row: Subscription, end: datetime) -> datetime | None:
    """Return where a period ends early because its subscription had ended before it was noted."""
    return row.ends_at if row.ends_at is not None and row.ends_at < end else None
