"""How many companies' numbers a park may be shown a day."""

from __future__ import annotations

from services.rules.lead_allocation import LeadStatus

PER_DAY = 20
"""Where the operator has set nothing."""
MOST_PER_DAY = 1000
SHOWABLE = frozenset({LeadStatus.CLAIMED, LeadStatus.CONTACTED, LeadStatus.VISITED, LeadStatus.SIGNED})
"""Where a lead must stand for its number to be shown, while the lease runs."""


def is_exhausted(shown: int, per_day: int) -> bool:
    """Tell whether a park that was shown so many numbers today may be shown no further one."""
    return shown >= per_day
