"""What follows from an event, one function each; a worker calls it with the event's park and person.

A handler may be told the same event twice (its worker was killed after the work, before the queue knew): each calls
use cases that do their step once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

from billing.usecases import invoice_runs, joint_notices
from marketplace.composition import Marketplace
from marketplace.usecases import (
    attendance,
    attendance_disputes,
    fulfilment,
    invoice_batches,
    monitoring,
    qualifications,
    simulations,
    subscription_fees,
)
from services.usecases import company_imports, company_withdrawals, execution, lead_editions
from tenants.kernel.context import Actor

Payload = Mapping[str, str | int | None]
Handler = Callable[[Marketplace, Actor, Payload], None]


def execute_run(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Run the engine of a queued run."""
    execution.execute_run(
        market.workshop,
        actor,
        run_id=_id(payload, "run_id"),
        limits=market.run_limits,
        stopping=market.stopping.is_set,
        writing=market.pitch_writing,
    )


def charge_subscription(market: Marketplace, actor: Actor, payload: Payload) -> None:  # noqa: ARG001 - a handler
    """Charge the periods of a park's subscription that have begun: the one told of, and any before it."""
    with market.workshop.work(actor) as work:
        subscription_fees.charge_park(work)


def complete_run(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Settle the line that a run has delivered."""
    with market.workshop.work(actor) as work:
        fulfilment.complete_run(work, run_id=_id(payload, "run_id"))


def fail_run(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Undo the line whose run has failed."""
    with market.workshop.work(actor) as work:
        fulfilment.fail_delivery(work, run_id=_id(payload, "run_id"), code=str(payload.get("code") or "run.failed"))


def complete_inspection(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Settle the line of a reported inspection."""
    with market.workshop.work(actor) as work:
        fulfilment.complete_inspection(work, booking_id=_id(payload, "booking_id"))


def fail_inspection(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Undo the line whose inspection could not be done."""
    with market.workshop.work(actor) as work:
        fulfilment.fail_delivery(work, booking_id=_id(payload, "booking_id"), code="inspection.failed")


def tell_lifted(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Tell a park that it may book at a provider again."""
    with market.workshop.work(actor) as work:
        attendance.tell_lifted(work, suspension_id=_id(payload, "suspension_id"))


def tell_dispute(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Tell a park what was decided on its dispute."""
    with market.workshop.work(actor) as work:
        attendance_disputes.tell_decided(work, dispute_id=_id(payload, "dispute_id"))


def tell_qualification(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Tell a person what became of the qualification that was asked for."""
    with market.workshop.work(actor) as work:
        qualifications.tell_decided(work, request_id=_id(payload, "request_id"))


def tell_joint_party(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Tell a park that a joint agreement waits for its signature, or is registered."""
    with market.workshop.work(actor) as work:
        joint_notices.tell_party(work, agreement_id=_id(payload, "agreement_id"))


def complete_samples(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Settle the line of reported samples."""
    with market.workshop.work(actor) as work:
        fulfilment.complete_samples(work, batch_id=_id(payload, "batch_id"))


def fail_samples(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Undo the line whose samples could not be tested."""
    with market.workshop.work(actor) as work:
        fulfilment.fail_delivery(work, sample_batch_id=_id(payload, "batch_id"), code="samples.failed")


def settle_site_month(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Settle or undo the line of a site's month that has ended."""
    with market.workshop.work(actor) as work:
        fulfilment.follow_up_month(work, site_month_id=_id(payload, "site_month_id"))


def evaluate_site(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Hold a site's meters against their baselines."""
    with market.workshop.work(actor) as work:
        monitoring.evaluate_site(work, site_id=_id(payload, "site_id"))


def run_simulation(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Try a policy version on the orders of a long period."""
    simulations.run_simulation(market.workshop, actor, simulation_id=_id(payload, "simulation_id"))


def run_invoice_batch(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Make the invoices of a batch."""
    invoice_batches.run_batch(
        market.workshop, actor, batch_id=_id(payload, "batch_id"), stopping=market.stopping.is_set
    )


def run_invoices(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Issue a month's invoices to all parks."""
    invoice_runs.carry_out_run(market.workshop, actor, run_id=_id(payload, "run_id"))


def import_companies(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Import what is left of a file of companies or expansions."""
    company_imports.carry_out_import(
        market.workshop, actor, source_id=_id(payload, "source_id"), stopping=market.stopping.is_set
    )


def withdraw_companies(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Take what is left of a withdrawn source out of the registry."""
    company_withdrawals.carry_out_withdrawal(
        market.workshop, actor, source_id=_id(payload, "source_id"), stopping=market.stopping.is_set
    )


def fit_lead_edition(market: Marketplace, actor: Actor, payload: Payload) -> None:
    """Fit the ranking model anew."""
    lead_editions.carry_out_refit(
        market.workshop,
        actor,
        edition_id=_id(payload, "edition_id"),
        cache=execution.INDEX_CACHE,
        limits=market.run_limits,
        stopping=market.stopping.is_set,
    )


def measure_lead_edition(market: Marketplace, actor: Actor, payload: Payload) -> None:  # noqa: ARG001 - a handler
    """Hold the ranking model in force against what came since."""
    lead_editions.measure(market.workshop, actor, cache=execution.INDEX_CACHE, limits=market.run_limits)


HANDLERS: Mapping[str, Handler] = {
    "run.queued": execute_run,
    "subscription.period_started": charge_subscription,
    "run.succeeded": complete_run,
    "run.failed": fail_run,
    "inspection.reported": complete_inspection,
    "inspection.failed": fail_inspection,
    "suspension.lifted": tell_lifted,
    "attendance_dispute.decided": tell_dispute,
    "qualification.decided": tell_qualification,
    "joint_agreement.written": tell_joint_party,
    "joint_agreement.registered": tell_joint_party,
    "samples.reported": complete_samples,
    "samples.failed": fail_samples,
    "site_month.delivered": settle_site_month,
    "site_month.failed": settle_site_month,
    "site.due": evaluate_site,
    "simulation.queued": run_simulation,
    "invoice_batch.queued": run_invoice_batch,
    "invoices.run": run_invoices,
    "company_import.queued": import_companies,
    "company_withdrawal.queued": withdraw_companies,
    "lead_edition.queued": fit_lead_edition,
    "lead_edition.due": measure_lead_edition,
}


def _id(payload: Payload, name: str) -> UUID:
    return UUID(str(payload[name]))
