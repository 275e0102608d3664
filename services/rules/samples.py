"""Submitted samples (送样): how a test request moves on, when its report is due, who pays a retest. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from tenants.kernel.clock import CHINA
from tenants.rules.days import first_moment, local_day

MOST_SAMPLES = 50
MOST_TESTS = 20
ARRIVES_WITHIN = timedelta(days=14)
"""How long a park has to bring its samples; the order's money waits for 30 days beyond it."""
WORKING_DAYS = 7
"""Within how many working days after the day of reception the report is due."""


class BatchStatus(StrEnum):
    """Where a test request stands. The last three are its ends."""

    REGISTERED = "registered"
    RECEIVED = "received"
    TESTING = "testing"
    REPORTED = "reported"
    CANCELLED = "cancelled"
    FAILED = "failed"


OPEN = (BatchStatus.REGISTERED, BatchStatus.RECEIVED, BatchStatus.TESTING)
CANCELLABLE = (BatchStatus.REGISTERED, BatchStatus.RECEIVED)
"""Until the test begins, a park may have its samples and its money back."""


class CustodyStep(StrEnum):
    """What happened to a sample. Those of ``STEPS`` come with a status, once; the others as often as they happen."""

    REGISTERED = "registered"
    SENT = "sent"
    RECEIVED = "received"
    TESTING = "testing"
    REPORTED = "reported"
    MOVED = "moved"
    STORED = "stored"
    RETURNED = "returned"
    DISPOSED = "disposed"


PARK_NOTES = (CustodyStep.SENT,)
"""What the park may note by itself, until the samples are received."""
PROVIDER_NOTES = (CustodyStep.MOVED, CustodyStep.STORED, CustodyStep.RETURNED, CustodyStep.DISPOSED)
"""What the provider may note by itself, once it has the samples."""


class RetestCause(StrEnum):
    """Why samples are tested again."""

    LAB_ERROR = "lab_error"
    PARK_WISH = "park_wish"

    @property
    def is_free(self) -> bool:
        """Tell whether the provider bears it: its own fault is never charged, a park's wish always is."""
        return self is RetestCause.LAB_ERROR


def batch_number(now: datetime, batch_id: UUID) -> str:
    """Return a test request's number: the day in China and the random end of its id, such as S20260302-4F0C91A2."""
    return f"S{now.astimezone(CHINA):%Y%m%d}-{batch_id.hex[-8:].upper()}"


def sample_number(batch: str, position: int) -> str:
    """Return the number on a sample's label, such as S20260302-4F0C91A2-01."""
    return f"{batch}-{position:02}"


def due_at(received_at: datetime, is_workday: Callable[[date], bool], days: int = WORKING_DAYS) -> datetime:
    """Return the moment a report is late from: the end, in China, of the ``days``-th working day after reception.

    ``is_workday`` may refuse a day of a year without a calendar.
    """
    day = local_day(received_at)
    for _ in range(days):
        day += timedelta(days=1)
        while not is_workday(day):
            day += timedelta(days=1)
    return end_of(day)


def end_of(day: date) -> datetime:
    """Return the moment a day of China ends, which is the next one's first."""
    return first_moment(day + timedelta(days=1))


def is_late(status: BatchStatus, due: datetime | None, ended: datetime | None, now: datetime) -> bool:
    """Tell whether a report is, or was, later than due; what was given up is not late."""
    if due is None or status in {BatchStatus.CANCELLED, BatchStatus.FAILED}:
        return False
    return (ended or now) >= due
