"""Charging all parks what their meters counted in a month, as soon as the month is settled and whoever issues invoices.

So what was used is in the books when it is known, drafts show what was charged, and a run of invoices only writes them.
"""

from __future__ import annotations

from billing.rules.invoices import LEGAL_ENTITY, grace_ends
from billing.rules.periods import month_before, month_name
from billing.store import legal_entities
from billing.store.metered_queries import meters_to_charge
from billing.usecases.arrears import metered_parks
from billing.usecases.arrears_charging import METERED_AT_ONCE, charge_metered_use, end_charging
from billing.usecases.invoice_issue import chunks
from tenants.kernel.context import Actor
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import WorkShop


def charge_ended_month(workshop: WorkShop, actor: Actor) -> int:
    """Charge all parks their metered use of the month before the running one, once its late use is waited for no more;
    for the clockwork. Returns how many lines that makes: none when it is done.

    Some parks at a time, each time a transaction: one that begins again does what is left.
    """
    with workshop.work(actor) as work:
        work.actor.require(Permission.RUN_PLATFORM)
        month = month_before(work.now)
        period = month_name(month.start)
        waits_until = grace_ends(month, legal_entities.entity_of(work.session, LEGAL_ENTITY).grace_days)
        if work.now < waits_until or not meters_to_charge(work.session, period):
            return 0
        parks = sorted(metered_parks(work, period))
    lines = 0
    for some in chunks(parks, METERED_AT_ONCE):
        with workshop.work(actor) as work:
            lines += charge_metered_use(work, period, some)
    with workshop.work(actor) as work:
        end_charging(work, period)
    return lines
