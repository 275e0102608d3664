"""What a park's subscription lets it rent now: one read of one row, whatever is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from billing.formats.entitlements import read_entitlements
from billing.rules.plans import Entitlements
from marketplace.store.subscription_queries import running_plan
from services.usecases.catalogue import OfferingView
from tenants.kernel.vocabulary import Permission, Tier
from tenants.kernel.work import Work
from tenants.rules.days import BilledEvery, local_day, period_around

NOTHING = Entitlements()


@dataclass(frozen=True)
class Rights:
    """The tier a park has and what its plan gives. ``month_from`` begins the month in which units are counted: that of
    the calendar or the anniversary, also where the fee is by the year.
    """

    tier: Tier | None
    entitlements: Entitlements
    month_from: date | None

    def cover(self, offering: OfferingView) -> bool:
        """Tell whether an offering may be rented."""
        return self.entitlements.covers(slug=offering.slug, tier=offering.tier, delivery=offering.delivery)


def read_rights(work: Work) -> Rights:
    """Return what the acting park may rent now, by the plan in force when its running period began."""
    work.actor.require(Permission.READ_CATALOGUE)
    found = running_plan(work.session, work.actor.require_tenant(), work.now)
    if found is None:
        return Rights(None, NOTHING, None)
    month = period_around(found.anchor_on, BilledEvery.MONTH, local_day(work.now))
    return Rights(Tier(found.tier), read_entitlements(found.entitlements), month.start)
