"""Qualifications of persons that instruments ask for: how a person's requests stand on a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

LONGEST_NAME = 100
LONGEST_TRAINING = 500
LONGEST_EVIDENCE = 2000
LONGEST_REASON = 500
LONGEST_VALIDITY = timedelta(days=3660)
"""How far ahead of the day of the decision a qualification may be valid."""


class QualificationStep(StrEnum):
    """What a provider does with a request. The first two answer it, once; the last takes a grant back."""

    GRANTED = "granted"
    DECLINED = "declined"
    REVOKED = "revoked"


class QualificationState(StrEnum):
    """How a person stands with a qualification on a day; only a valid one lets the person use the instrument."""

    NONE = "none"
    REQUESTED = "requested"
    VALID = "valid"
    EXPIRED = "expired"
    DECLINED = "declined"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, the latest step taken on it (None while it waits), and until which day it was granted."""

    number: int
    step: QualificationStep | None
    granted_until: date | None

    @property
    def holds_until(self) -> date | None:
        """The last day on which it qualifies; None where it does not at all."""
        return self.granted_until if self.step is QualificationStep.GRANTED else None


def valid_until(requests: Sequence[Asked]) -> date | None:
    """Return the last day on which a person is qualified by any of the requests, which may be past; None for never."""
    return max((each.holds_until for each in requests if each.holds_until is not None), default=None)


def state_on(requests: Sequence[Asked], day: date) -> QualificationState:
    """Return how a person with these requests, in any order, stands on a day.

    A grant that holds counts before all else; then the latest request tells why there is none.
    """
    until = valid_until(requests)
    if until is not None and day <= until:
        return QualificationState.VALID
    if not requests:
        return QualificationState.NONE
    match max(requests, key=lambda each: each.number).step:
        case None:
            return QualificationState.REQUESTED
        case QualificationStep.DECLINED:
            return QualificationState.DECLINED
        case QualificationStep.REVOKED:
            return QualificationState.REVOKED
        case QualificationStep.GRANTED:
            return QualificationState.EXPIRED
