"""What the clock starts. Each is safe to start twice and to miss once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from billing.usecases import fund_outlook, holds, minimums, month_charging, rollups, wallets
from marketplace.composition import Marketplace
from marketplace.usecases import attendance as booking_money
from marketplace.usecases import (
    expiry,
    fulfilment,
    invariants,
    later_awards,
    monitoring,
    renewals,
    standing_orders,
    subscription_fees,
)
from marketplace.usecases import waiting as waiting_lists
from services.usecases import (
    attendance,
    lead_editions,
    site_alarms,
    site_months,
    slot_holds,
    suspensions,
    waiting_offers,
    watching,
    work_orders,
)
from services.usecases.site_months import EndedMonth
from tenants.kernel import idempotency
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Problem, Unavailable
from tenants.kernel.work import Work
from tenants.usecases import sign_in_limits, subscription_periods

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chore:
    """A job with a timetable (five-field cron, UTC)."""

    name: str
    cron: str
    do: Callable[[Marketplace], None]


def _each(
    market: Marketplace, due: Iterable[tuple[UUID, UUID]], do: Callable[[Work, UUID], object], failed: str
) -> None:
    """Do something for each (park, id) in a transaction of its own, until this process is told to go.

    One that fails is told loudly, by its id in ``failed``, and keeps none behind it waiting.
    """
    for tenant_id, each in due:
        if market.stopping.is_set():
            return
        try:
            with market.workshop.work(system_actor("clockwork", tenant_id=tenant_id)) as work:
                do(work, each)
        except Exception:
            log.exception(failed, each)


def cancel_overdue_orders(market: Marketplace) -> None:
    """Cancel the orders whose public money has waited too long, and give it back."""
    with market.workshop.work(system_actor("clockwork")) as work:
        overdue = [(line.tenant_id, line.order_line_id) for line in holds.overdue_lines(work)]
    _each(
        market,
        overdue,
        lambda work, line_id: expiry.expire_line(work, order_line_id=line_id),
        "the order of overdue line %s could not be cancelled",
    )


def follow_up_deliveries(market: Marketplace) -> None:
    """Settle or undo the lines whose delivery has ended but whose job gave up: money held must not wait for ever."""
    with market.workshop.work(system_actor("clockwork")) as work:
        waiting = {line.id: line for line in expiry.lines_to_follow_up(work)}

    def follow_up(work: Work, line_id: UUID) -> None:
        if fulfilment.follow_up(work, line=waiting[line_id]):
            log.warning("line %s was settled or undone after its job had not been", line_id)

    due = [(line.tenant_id, line.id) for line in waiting.values()]
    _each(market, due, follow_up, "the delivery of line %s has ended and cannot be settled")


def settle_no_shows(market: Marketplace) -> None:
    """End the bookings that nobody has come to, charge what their rules say, and suspend who missed too many."""
    with market.workshop.work(system_actor("clockwork")) as work:
        missed = [(each.tenant_id, each.booking_id) for each in attendance.missed_bookings(work)]
    _each(
        market,
        missed,
        lambda work, booking_id: fulfilment.settle_no_show(work, booking_id=booking_id),
        "the missed booking %s could not be settled",
    )
    suspend_parks(market)


def suspend_parks(market: Marketplace) -> None:
    """Keep the parks out that missed too many bookings, each in a transaction of its own that holds nothing else."""
    with market.workshop.work(system_actor("clockwork")) as work:
        suspensions.end_unfounded(work)
        suspects = [(park.tenant_id, park.provider_id) for park in suspensions.parks_to_suspend(work)]
    _each(
        market,
        suspects,
        lambda work, provider_id: booking_money.suspend_park(work, provider_id=provider_id),
        "a park could not be suspended at provider %s",
    )


def close_expired_holds(market: Marketplace) -> None:
    """Give the slots back that were held for an order that never came."""
    more = True
    while more and not market.stopping.is_set():
        with market.workshop.work(system_actor("clockwork")) as work:
            more = slot_holds.close_expired(work) > 0


def offer_freed_slots(market: Marketplace) -> None:
    """Offer what has become free to those who wait, in the order of each list and one place at a time."""
    with market.workshop.work(system_actor("clockwork")) as work:
        due = [(place.tenant_id, place.place_id) for place in waiting_offers.places_to_offer(work)]
    _each(
        market,
        due,
        lambda work, place_id: waiting_lists.offer_place(work, place_id=place_id),
        "waiting place %s could not be looked at",
    )


def watch_funds(market: Marketplace) -> None:
    """Raise an alert, once, for each fund that runs low, and clear those that do no longer."""
    with market.workshop.work(system_actor("clockwork")) as work:
        for alert in fund_outlook.watch_funds(work):
            log.warning("fund %s runs low (%s): %s fen available", alert.fund_id, alert.kind, alert.available_fen)


def offer_later_awards(market: Marketplace) -> None:
    """Offer parks the awards of delivered orders that come later, where their delivery has not done so itself."""
    with market.workshop.work(system_actor("clockwork")) as work:
        unoffered = [(line.tenant_id, line.order_line_id) for line in later_awards.lines_to_offer(work)]
    _each(
        market,
        unoffered,
        lambda work, line_id: later_awards.offer_line(work, order_line_id=line_id),
        "the later awards of line %s could not be offered",
    )


def renew_subscriptions(market: Marketplace) -> None:
    """Note the billing periods that have begun, and charge those whose job gave up."""
    with market.workshop.work(system_actor("clockwork")) as work:
        due = subscription_periods.parks_to_renew(work)
    _each_park(market, due, subscription_periods.renew, "the subscription of park %s could not be renewed")
    with market.workshop.work(system_actor("clockwork")) as work:
        waiting = subscription_fees.parks_to_charge(work)
    _each_park(market, waiting, subscription_fees.charge_park, "the subscription of park %s could not be charged")


def charge_metered_use(market: Marketplace) -> None:
    """Charge what meters counted last month, once the month's grace is over."""
    month_charging.charge_ended_month(market.workshop, system_actor("clockwork"))


def charge_minimums(market: Marketplace) -> None:
    """Charge what last month's charges fall short of the plans' minimum, once the month's grace is over."""
    with market.workshop.work(system_actor("clockwork")) as work:
        minimums.charge_minimums(work)


def _each_park(market: Marketplace, parks: Iterable[UUID], do: Callable[[Work], object], failed: str) -> None:
    _each(market, [(park_id, park_id) for park_id in parks], lambda work, _: do(work), failed)


def expire_wallet_credits(market: Marketplace) -> None:
    """Take credit that has expired out of the wallets."""
    with market.workshop.work(system_actor("clockwork")) as work:
        due = [wallet.tenant_id for wallet in wallets.expired_wallets(work)]
    _each_park(market, due, wallets.expire_credits, "the credit of park %s that has expired could not be taken out")


def roll_up_meters(market: Marketplace) -> None:
    """Bring the roll-ups of all meters up to date, piece by piece. A piece that fails keeps no other meter waiting."""
    with market.workshop.work(system_actor("clockwork")) as work:
        slugs = rollups.meters_to_roll(work)
    for slug in slugs:
        try:
            more = True
            while more and not market.stopping.is_set():
                with market.workshop.work(system_actor("clockwork")) as work:
                    more = rollups.roll_up(work, slug=slug)
        except Exception:
            log.exception("the meter %s could not be rolled up", slug)


def renew_standing_orders(market: Marketplace) -> None:
    """Order the month that has begun for every standing order; one that is refused ends, and its park is told."""
    with market.workshop.work(system_actor("clockwork")) as work:
        due = standing_orders.orders_due(work)
    for each in due:
        if market.stopping.is_set():
            return
        actor = system_actor("clockwork", tenant_id=each.tenant_id, on_behalf_of=each.ordered_by)
        try:
            _renew_or_halt(market, actor, each.id)
        except Exception:
            log.exception("standing order %s could not be renewed", each.id)


def _renew_or_halt(market: Marketplace, actor: Actor, standing_order_id: UUID) -> None:
    try:
        with market.workshop.work(actor) as work:
            renewals.renew(work, standing_order_id=standing_order_id)
    except Unavailable:
        raise  # an outage is no answer: the next round asks again
    except Problem as problem:
        with market.workshop.work(actor) as work:
            standing_orders.halt_standing_order(work, standing_order_id=standing_order_id, problem=problem)


def close_site_months(market: Marketplace) -> None:
    """End the sites' months that are over, and settle those whose job gave up."""
    with market.workshop.work(system_actor("clockwork")) as work:
        over = site_months.months_to_close(work)
    _each_month(market, over, lambda work, month_id: site_months.close_month(work, site_month_id=month_id))
    with market.workshop.work(system_actor("clockwork")) as work:
        waiting = fulfilment.ended_months_to_settle(work)
    _each_month(market, waiting, lambda work, month_id: fulfilment.follow_up_month(work, site_month_id=month_id))


def _each_month(market: Marketplace, months: Iterable[EndedMonth], do: Callable[[Work, UUID], object]) -> None:
    _each(market, [(month.tenant_id, month.id) for month in months], do, "the month %s of a site could not be ended")


def watch_sites(market: Marketplace) -> None:
    """Let workers evaluate every site that was sent something since the last quarter of an hour."""
    with market.workshop.work(system_actor("clockwork")) as work:
        due = watching.sites_due(work)
    _each(market, due, lambda work, site_id: monitoring.queue_site(work, site_id=site_id), "monitoring failed: site %s")


def look_for_alarms(market: Marketplace) -> None:
    """Look at what came for the alarm rules of every site, and tell the alarms that are due."""
    with market.workshop.work(system_actor("clockwork")) as work:
        due = site_alarms.sites_to_look_at(work)
    _each(
        market, due, lambda work, site_id: site_alarms.look_at_site(work, site_id=site_id), "monitoring failed: site %s"
    )
    with market.workshop.work(system_actor("clockwork")) as work:
        waiting = site_alarms.alarms_due(work)
    _each(
        market,
        waiting,
        lambda work, alarm_id: monitoring.tell_alarm(work, alarm_id=alarm_id),
        "monitoring failed: alarm %s",
    )


def escalate_work_orders(market: Marketplace) -> None:
    """Take the work orders up that nobody has answered within the hour."""
    with market.workshop.work(system_actor("clockwork")) as work:
        due = work_orders.orders_overdue(work)
    _each(
        market,
        due,
        lambda work, order_id: monitoring.escalate(work, work_order_id=order_id),
        "monitoring failed: work order %s",
    )


def measure_lead_edition(market: Marketplace) -> None:
    """Let a worker hold the ranking model in force against what came since."""
    with market.workshop.work(system_actor("clockwork")) as work:
        lead_editions.ask_measurement(work)


def refit_lead_model(market: Marketplace) -> None:
    """Let a worker fit the ranking model anew, unless one is being fitted or nothing has come since the last."""
    with market.workshop.work(system_actor("clockwork")) as work:
        lead_editions.refit_when_due(work)


def check_invariants(market: Marketplace) -> None:
    """Check every money and isolation invariant, of metered events the recent ones, and say loudly what is broken."""
    _tell_broken(market, invariants.check_recent)


def check_everything(market: Marketplace) -> None:
    """Check every invariant over the whole database, once a night, and say loudly what is broken."""
    _tell_broken(market, invariants.check)


def _tell_broken(market: Marketplace, check: Callable[[Work], Iterable[invariants.Broken]]) -> None:
    with market.workshop.work(system_actor("clockwork")) as work:
        for broken in check(work):
            log.error("invariant broken: %s: %s", broken.name, broken.rows[:3])


def forget_what_is_over(market: Marketplace) -> None:
    """Delete keys of commands that nobody sends anew, and counts of sign-ins that hold nobody up, some at a time."""
    for forget in (idempotency.forget_keys, sign_in_limits.forget_attempts):
        more = 1
        while more and not market.stopping.is_set():
            with market.workshop.work(system_actor("clockwork")) as work:
                more = forget(work)


CHORES = (
    Chore("cancel_overdue_orders", "*/5 * * * *", cancel_overdue_orders),
    Chore("settle_no_shows", "* * * * *", settle_no_shows),
    Chore("close_expired_holds", "* * * * *", close_expired_holds),
    Chore("offer_freed_slots", "* * * * *", offer_freed_slots),
    Chore("follow_up_deliveries", "*/10 * * * *", follow_up_deliveries),
    Chore("renew_standing_orders", "*/5 * * * *", renew_standing_orders),
    Chore("close_site_months", "18 * * * *", close_site_months),
    Chore("watch_sites", "*/15 * * * *", watch_sites),
    Chore("look_for_alarms", "* * * * *", look_for_alarms),
    Chore("escalate_work_orders", "*/5 * * * *", escalate_work_orders),
    Chore("watch_funds", "7 * * * *", watch_funds),
    Chore("offer_later_awards", "40 18 * * *", offer_later_awards),
    Chore("renew_subscriptions", "2 * * * *", renew_subscriptions),
    Chore("charge_metered_use", "11 * * * *", charge_metered_use),
    Chore("charge_minimums", "12 * * * *", charge_minimums),
    Chore("expire_wallet_credits", "5 * * * *", expire_wallet_credits),
    Chore("roll_up_meters", "* * * * *", roll_up_meters),
    Chore("measure_lead_edition", "50 19 * * 1", measure_lead_edition),
    Chore("refit_lead_model", "20 20 1 * *", refit_lead_model),
    Chore("forget_what_is_over", "25 19 * * *", forget_what_is_over),
    Chore("check_invariants", "17 * * * *", check_invariants),
    Chore("check_everything", "40 19 * * *", check_everything),
)
