"""What can be rented, in words that all offerings share."""

from __future__ import annotations

import re
from enum import StrEnum

from tenants.kernel.vocabulary import UsageUnit

SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
"""An offering's slug: it names the offering in addresses, prices and policies, and never changes."""


class Delivery(StrEnum):
    """How an offering is delivered."""

    TWIN = "twin"
    SCHEDULE = "schedule"
    LEADS = "leads"
    INSPECTION = "inspection"
    SAMPLES = "samples"
    MONITORING = "monitoring"
    ALARMS = "alarms"
    CARBON = "carbon"

    @property
    def usage_unit(self) -> UsageUnit:
        """What one unit of such an offering is: what is metered is what is delivered, never anything else."""
        return _UNITS[self]

    @property
    def by_engine(self) -> bool:
        """Tell whether one of the platform's engines delivers it, as a run."""
        return self in {Delivery.TWIN, Delivery.SCHEDULE, Delivery.LEADS}

    @property
    def by_month(self) -> bool:
        """Tell whether it is a standing service: rented by calendar month for one site of a park."""
        return self in {Delivery.MONITORING, Delivery.ALARMS, Delivery.CARBON}


_UNITS = {
    Delivery.TWIN: UsageUnit.RUN,
    Delivery.SCHEDULE: UsageUnit.RUN,
    Delivery.LEADS: UsageUnit.REPORT,
    Delivery.INSPECTION: UsageUnit.HOUR,
    Delivery.SAMPLES: UsageUnit.TEST,
    Delivery.MONITORING: UsageUnit.SITE_MONTH,
    Delivery.ALARMS: UsageUnit.SITE_MONTH,
    Delivery.CARBON: UsageUnit.SITE_MONTH,
}
