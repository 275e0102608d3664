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
    LEADS = "leads"
    INSPECTION = "inspection"
    MONITORING = "monitoring"

    @property
    def usage_unit(self) -> UsageUnit:
        """What one unit of such an offering is: what is metered is what is delivered, never anything else."""
        return _UNITS[self]

    @property
    def by_engine(self) -> bool:
        """Tell whether one of the platform's engines delivers it, as a run."""
        return self in {Delivery.TWIN, Delivery.LEADS}

    @property
    def orderable(self) -> bool:
        """Tell whether a checkout can start it; monitoring is listed and not yet rented out."""
        return self is not Delivery.MONITORING


_UNITS = {
    Delivery.TWIN: UsageUnit.RUN,
    Delivery.LEADS: UsageUnit.REPORT,
    Delivery.INSPECTION: UsageUnit.HOUR,
    Delivery.MONITORING: UsageUnit.SITE_MONTH,
}
