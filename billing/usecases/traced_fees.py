"""The part of a trace that a subscription's fee has instead of a delivery: its period, plan version, days and sums."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from billing.store import plans
from billing.store.plans import SUBSCRIPTION
from billing.store.usage import RatedUsage
from billing.usecases.fee_returns import fee_of_charge
from tenants.kernel.work import Work


@dataclass(frozen=True)
class TracedFee:
    """The billing period that was charged, and how its fee came about; amounts in fen, days with both ends included.

    ``fee_fen`` is of the whole period, ``due_fen`` of it for the ``days`` from ``first_day`` on; less ``credit_fen``, the
    rest of the period that this one replaces, and ``carried_in_fen``, left over from earlier fees, it is ``charged_fen``.
    ``moved_fen`` counts for the period that took its place, ``returned_fen`` was given back by credit notes.
    """

    period_id: UUID
    tier: str
    plan_id: UUID
    plan_version: int
    plan_name: str
    plan_name_en: str
    billed_every: str
    whole_first_day: date
    whole_last_day: date
    whole_days: int
    first_day: date
    last_day: date
    days: int
    fee_fen: int
    due_fen: int
    credit_fen: int
    replaces_id: UUID | None
    carried_in_fen: int
    charged_fen: int
    moved_fen: int
    returned_fen: int


def traced_fee(work: Work, usage: RatedUsage) -> TracedFee | None:
    """Return the fee that usage is, None for a delivery; for use cases that have asked for their own permission."""
    found = None
    if usage.offering == SUBSCRIPTION:
        found = plans.charge_of(work.session, usage.tenant_id, usage.order_line_id)
    if found is None:
        return None
    charge, plan = found
    fee = fee_of_charge(work, charge)
    return TracedFee(
        period_id=charge.period_id,
        tier=plan.tier,
        plan_id=plan.id,
        plan_version=plan.version,
        plan_name=plan.name,
        plan_name_en=plan.name_en,
        billed_every=charge.billed_every,
        whole_first_day=charge.whole_from,
        whole_last_day=charge.whole_until - timedelta(days=1),
        whole_days=(charge.whole_until - charge.whole_from).days,
        first_day=charge.from_day,
        last_day=fee.span.end - timedelta(days=1),
        days=fee.span.days,
        fee_fen=plan.fee_fen(charge.billed_every),
        due_fen=charge.due_fen,
        credit_fen=charge.credit_fen,
        replaces_id=charge.replaces_id,
        carried_in_fen=charge.carried_in_fen,
        charged_fen=charge.charged_fen,
        moved_fen=fee.moved_fen,
        returned_fen=sum(each.fen for each in fee.given_back),
    )
