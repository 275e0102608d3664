"""Fees of subscriptions: each billing period is charged once, by the plan in force when it began.

A fee is usage like any other: an event, rated usage and a journal, so invoices, VAT and reconciliation know it without
rules of their own. No programme subsidises it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.rules import ledger
from billing.rules.periods import month_name
from billing.rules.plans import Billed, Rest, bill
from billing.store import plans as store
from billing.store import settlements
from billing.store.books import post_journal
from billing.store.plans import SUBSCRIPTION, Plan, SubscriptionCharge
from billing.usecases import budgets
from billing.usecases.fee_returns import fee_of_charge
from billing.usecases.metering import record_event
from billing.usecases.plans import PlanView, plan_for
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Permission, Tier
from tenants.kernel.work import Work
from tenants.rules.days import BilledEvery, Span
from tenants.usecases import audit

SOURCE = "marketplace/subscription"
EVENT_TYPE = "subscription.period"


@dataclass(frozen=True)
class BilledPeriod:
    """A billing period as subscriptions know it: from ``starts_at`` on, the days ``span`` of the ``whole`` period.

    ``replaces_id`` is the period that it cut.
    """

    id: UUID
    tier: Tier
    every: BilledEvery
    whole: Span
    span: Span
    starts_at: datetime
    replaces_id: UUID | None


@dataclass(frozen=True)
class FeePreview:
    """What a change costs: ``billed`` now for the rest of the period, ``next_fee_fen`` for each whole one after it."""

    plan: PlanView
    billed: Billed
    days: int
    whole_days: int
    next_fee_fen: int


def uncharged(work: Work, *, periods: tuple[BilledPeriod, ...]) -> tuple[BilledPeriod, ...]:
    """Return those of the acting park's periods that were not charged yet, in their order."""
    work.actor.require(Permission.METER_USAGE)
    known = store.charged_periods(work.session, work.actor.require_tenant())
    return tuple(period for period in periods if period.id not in known)


def charge_period(work: Work, *, period: BilledPeriod) -> int:
    """Charge a billing period of the acting park and return the fen; a repeat changes nothing and returns 0.

    The period that it replaces has to be charged before. Raises Conflict ``plan.none`` without a plan.
    """
    work.actor.require(Permission.METER_USAGE)
    tenant = work.actor.require_tenant()
    plan = plan_for(work, tier=period.tier, at=period.starts_at)
    if period.replaces_id is not None:
        store.lock_charge(work.session, period.replaces_id)
    billed = _bill(work, tenant, plan, period.every, period.whole, period.span, period.replaces_id)
    charge = {
        "tenant_id": tenant,
        "period_id": period.id,
        "plan_id": plan.id,
        "billed_every": period.every,
        "whole_from": period.whole.start,
        "whole_until": period.whole.end,
        "from_day": period.span.start,
        "replaces_id": period.replaces_id,
        "due_fen": billed.due_fen,
        "credit_fen": billed.credit_fen,
        "replaced_back_fen": billed.replaced_back_fen,
        "carried_in_fen": billed.carried_in_fen,
        "carried_out_fen": billed.carried_out_fen,
        "charged_fen": billed.charged_fen,
        "charged_at": work.now,
    }
    if not store.insert_charge(work.session, charge):
        return 0
    if billed.charged_fen:
        _rate(work, tenant, plan, period, billed.charged_fen)
        budgets.note_fee(work, period_id=period.id, charged_fen=billed.charged_fen)
    audit.record(work, "subscription.charge", "subscription_period", period.id, charged_fen=billed.charged_fen)
    return billed.charged_fen


def preview_fee(
    work: Work,
    *,
    tier: Tier,
    every: BilledEvery,
    whole: Span,
    span: Span,
    at: datetime,
    next_at: datetime,
    replaces_id: UUID | None,
) -> FeePreview:
    """Return what a change at ``at`` would be charged, by the plan that will be in force then, and what the whole
    period from ``next_at`` on; nothing is kept.
    """
    work.actor.require(Permission.SUBSCRIBE)
    plan = plan_for(work, tier=tier, at=at)
    billed = _bill(work, work.actor.require_tenant(), plan, every, whole, span, replaces_id)
    following = plan_for(work, tier=tier, at=next_at)
    return FeePreview(plan, billed, span.days, whole.days, following.fee_fen(every))


def worked_out(
    charge: SubscriptionCharge, plan: Plan, before: SubscriptionCharge | None, its_plan: Plan | None
) -> int:  # fmt: skip
    """Return what a period comes to, worked out anew from plans and days."""
    new = Rest(plan.fee_fen(charge.billed_every), Span(charge.whole_from, charge.whole_until), charge.from_day)
    rest = None
    if before is not None and its_plan is not None:
        rest = _rest_of(before, its_plan, charge)
    return bill(new, rest, charge.carried_in_fen, charge.replaced_back_fen).charged_fen


def _bill(
    work: Work, tenant: UUID, plan: PlanView, every: BilledEvery, whole: Span, span: Span, replaces_id: UUID | None
) -> Billed:
    new = Rest(plan.fee_fen(every), whole, span.start)
    known = None if replaces_id is None else store.charge_of(work.session, tenant, replaces_id)
    rest, back = None, 0
    if known is not None:
        before, its_plan = known
        days = Span(before.whole_from, before.whole_until)
        rest = Rest(its_plan.fee_fen(before.billed_every), days, span.start)
        back = fee_of_charge(work, before).back_from(span.start, rest.fen)
    return bill(new, rest, store.left_over(work.session, tenant), back)


def _rest_of(before: SubscriptionCharge, its_plan: Plan, charge: SubscriptionCharge) -> Rest:
    days = Span(before.whole_from, before.whole_until)
    return Rest(its_plan.fee_fen(before.billed_every), days, charge.from_day)


def _rate(work: Work, tenant: UUID, plan: PlanView, period: BilledPeriod, charged_fen: int) -> None:
    """Let a fee be usage: its event, what it cost, and its journal."""
    last = period.span.end.fromordinal(period.span.end.toordinal() - 1)
    data = {
        "quantity": 1,
        "tier": period.tier.value,
        "plan_version": plan.version,
        "from": period.span.start.isoformat(),
        "to": last.isoformat(),
    }
    subject = str(tenant)
    record_event(
        work,
        source=SOURCE,
        event_id=str(period.id),
        event_type=EVENT_TYPE,
        subject=subject,
        time=period.starts_at,
        data=data,
    )
    values: dict[str, Any] = {
        "tenant_id": tenant,
        "id": new_id(),
        "event_source": SOURCE,
        "event_id": str(period.id),
        "order_line_id": period.id,
        "offering": SUBSCRIPTION,
        "title": f"{plan.name} {period.span.start.isoformat()} – {last.isoformat()}"[:200],
        "price_id": plan.id,
        "quantity": 1,
        "vat_bp": plan.vat_bp,
        "gross_fen": charged_fen,
        "subsidy_fen": 0,
        "payable_fen": charged_fen,
        "awards": [],
        "payment_method": "invoice",
        "period": month_name(period.starts_at),
        "rated_at": work.now,
    }
    settlements.insert_rated(work.session, values)
    journal = ledger.delivery(
        park_id=tenant,
        source_id=str(period.id),
        occurred_at=work.now,
        payable_fen=charged_fen,
        by_fund={},
        vat_bp=plan.vat_bp,
    )
    if journal is not None:
        post_journal(work.session, journal, user_id=work.actor.user_id)
