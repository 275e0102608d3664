"""A month's claims in the demo: submitted by finance, reviewed by two others, shown in public, paid."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from billing.usecases import claim_payouts, claim_review, claims
from billing.usecases.claim_views import BatchView
from marketplace.demo import world
from marketplace.demo.seeder import Seeder
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict
from tenants.kernel.work import Work

SUBMISSION_DAY = 16
"""After the day on which parks pay: what is not paid is claimed a month later."""
PAYMENT_DAY = 27
"""After two days of review and seven of public notice."""


def claim_month(seeder: Seeder, period: str, following: datetime, until: datetime) -> None:
    """Lead the batches of ``period`` as far as the days before ``until`` allow; ``following`` begins the month after."""
    finance, reviewer, approver = (
        seeder.person(login, world.PASSWORD) for login in ("finance", "reviewer", "approver")
    )
    steps = (
        (SUBMISSION_DAY, "submitted", finance, submit),
        (SUBMISSION_DAY + 1, "reviewed", reviewer, review_first),
        (SUBMISSION_DAY + 2, "noticed", approver, review_second),
        (PAYMENT_DAY, "paid", finance, pay),
    )
    for day, name, actor, do in steps:
        moment = following + timedelta(days=day - 1)
        if moment >= until:
            return
        seeder.clock.instant = moment
        seeder.step(f"claims {period} {name}", actor, partial(_told, do=do, period=period))


def submit(work: Work, period: str) -> int:
    """Submit a month's open batches with the lines that have all their evidence."""
    done = 0
    for batch in _batches(work, period, "open"):
        try:
            claim_review.submit_batch(work, batch_id=batch.id, defer_incomplete=True)
        except Conflict:  # nothing of it is complete yet
            continue
        done += 1
    return done


def review_first(work: Work, period: str) -> int:
    """Pass the first review of a month's batches."""
    return _review(work, period, "first")


def review_second(work: Work, period: str) -> int:
    """Pass the second review of a month's batches, which opens their notice."""
    return _review(work, period, "second")


def pay(work: Work, period: str) -> int:
    """Pay a month's batches whose notice has ended; return how many payments that took."""
    day = work.now.astimezone(CHINA).date()
    done = 0
    for batch in _batches(work, period, "notice"):
        for payout in claim_payouts.prepare_payouts(work, batch_id=batch.id):
            done += 1
            reference = f"{day:%Y%m%d}-{batch.fund}-{done:03d}"
            claim_payouts.record_payment(work, payout_id=payout.id, payment_reference=reference, paid_on=day)
    return done


def _told(work: Work, *, do: Callable[[Work, str], int], period: str) -> dict[str, int]:
    return {"done": do(work, period)}


def _review(work: Work, period: str, stage: str) -> int:
    found = _batches(work, period, f"{stage}_review")
    for batch in found:
        claim_review.review_batch(work, batch_id=batch.id, stage=stage)
    return len(found)


def _batches(work: Work, period: str, status: str) -> tuple[BatchView, ...]:
    return tuple(each for each in claims.list_batches(work, status=status, limit=200).items if each.period == period)
