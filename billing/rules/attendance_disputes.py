"""A park's dispute of a fee of its booking or of the times it was charged by: the provider answers, and where the park
insists, the operator decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

TIMES = "times"
"""What is disputed where it is no fee, in the place of the fee's kind."""
ANSWER_WITHIN = timedelta(days=15)
"""How long a provider has to answer; after it the park may go to the operator without one."""


class DisputeStep(StrEnum):
    """What was done about a dispute."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    INSISTED = "insisted"


class DisputeStatus(StrEnum):
    """Where a dispute stands."""

    OPEN = "open"
    REFUSED = "refused"
    """By the provider; the park may insist."""
    INSISTED = "insisted"
    """The operator is to decide."""
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """By the operator; it stays so."""


BY_PROVIDER, BY_PARK, BY_OPERATOR = 1, 2, 3
"""The places of the steps: each is taken once."""


def status_of(steps: Mapping[int, str]) -> DisputeStatus:
    """Return where a dispute stands after its steps, by their places."""
    if BY_OPERATOR in steps:
        return DisputeStatus.ACCEPTED if steps[BY_OPERATOR] == DisputeStep.ACCEPTED else DisputeStatus.REJECTED
    if BY_PARK in steps:
        return DisputeStatus.INSISTED
    if BY_PROVIDER in steps:
        return DisputeStatus.ACCEPTED if steps[BY_PROVIDER] == DisputeStep.ACCEPTED else DisputeStatus.REFUSED
    return DisputeStatus.OPEN
