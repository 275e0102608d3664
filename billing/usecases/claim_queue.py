"""What waits for whom: which step of a batch the acting person can take now."""

from __future__ import annotations

from billing.rules.claims import BatchStatus
from billing.rules.periods import month_name
from billing.usecases.claim_views import BatchView
from billing.usecases.claims import list_batches
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

SUBMIT, FIRST, SECOND, DISBURSE = "submit", "first", "second", "disburse"
MOST = 200


def step_for(work: Work, batch: BatchView) -> str | None:
    """Return the step of a batch that waits for the acting person: ``submit``, ``first``, ``second``, ``disburse``."""
    work.actor.require(Permission.READ_FUND)
    actor, person = work.actor, work.actor.user_id
    may_review = actor.may(Permission.REVIEW_CLAIM) and person not in {batch.submitted_by, batch.first_reviewed_by}
    match batch.status:
        case BatchStatus.OPEN:
            return (
                SUBMIT if actor.may(Permission.CLAIM) and batch.lines and batch.period < month_name(work.now) else None
            )
        case BatchStatus.FIRST_REVIEW:
            return FIRST if may_review else None
        case BatchStatus.SECOND_REVIEW:
            return SECOND if may_review else None
        case BatchStatus.NOTICE | BatchStatus.DISBURSED:
            over = batch.notice_until is not None and batch.notice_until <= work.now
            reviewed = person in {batch.first_reviewed_by, batch.second_reviewed_by}
            return DISBURSE if over and not reviewed and actor.may(Permission.DISBURSE) else None
    return None


def list_waiting(work: Work) -> tuple[tuple[BatchView, str], ...]:
    """Return the batches that wait for the acting person, oldest first, each with its step."""
    work.actor.require(Permission.READ_FUND)
    found: list[tuple[BatchView, str]] = []
    for status in BatchStatus:
        if status is BatchStatus.DONE:
            continue
        for batch in list_batches(work, status=status, limit=MOST).items:
            step = step_for(work, batch)
            if step is not None:
                found.append((batch, step))
    return tuple(sorted(found, key=lambda each: (each[0].created_at, each[0].id)))
