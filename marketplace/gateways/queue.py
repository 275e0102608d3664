"""The job queue: procrastinate on the same PostgreSQL, so an event and the job it starts commit together.

Only staff and tenant transactions put jobs there, through one function that runs as the schema's owner; a worker's
own connections take on ``marketplace_jobs``, which may work the queue and read nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import procrastinate
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from sqlalchemy import Connection, make_url, text

from tenants.kernel.errors import Problem, Unavailable
from tenants.kernel.outbox import Event

JOBS_ROLE = "marketplace_jobs"
MONEY = "money"
ENGINES = "engines"
QUEUES: Mapping[str, str] = {
    "run.queued": ENGINES,
    "run.succeeded": MONEY,
    "run.failed": MONEY,
    "inspection.reported": MONEY,
    "inspection.failed": MONEY,
}
"""Which queue the job of an event waits in; an event that is not named here starts no job."""


class BackOff(BaseRetryStrategy):
    """Try again after 2, 8, 32, … seconds, at most an hour and ten times; a refusal is final, an outage is not."""

    attempts = 10

    def get_retry_decision(self, *, exception: BaseException, job: procrastinate.jobs.Job) -> RetryDecision | None:
        """Decide about ``job``, which has failed with ``exception``."""
        if isinstance(exception, Problem) and not isinstance(exception, Unavailable):
            return None
        if job.attempts >= self.attempts:
            return None
        return RetryDecision(retry_in={"seconds": min(3600, 2 * 4**job.attempts)})


def queue_app(database_url: str) -> procrastinate.App:
    """Return the queue of a database, not yet opened."""
    url = make_url(database_url).set(drivername="postgresql")
    connector = procrastinate.PsycopgConnector(
        conninfo=url.render_as_string(hide_password=False),
        kwargs={"options": f"-c role={JOBS_ROLE}", "prepare_threshold": None},
        min_size=1,
        max_size=8,
    )
    return procrastinate.App(connector=connector)


class QueueOutbox:
    """Puts the job of an event on the queue, on the event's own connection.

    Fairness: the more jobs a park has waiting, the later its next one starts, so a park that orders a hundred runs
    does not stand in front of one that orders its first.
    """

    def __init__(self) -> None:
        # Never opened: each job goes in through the connection of the event's own transaction.
        self._app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())

    def put(self, connection: Connection, event: Event, *, actor_id: UUID | None) -> None:
        """Put ``event``'s job on the queue, if it starts one."""
        queue = QUEUES.get(event.name)
        if queue is None:
            return
        tenant = None if event.tenant_id is None else str(event.tenant_id)
        waiting = 0
        if tenant is not None:
            waiting = connection.execute(text("SELECT waiting_jobs(:tenant)"), {"tenant": tenant}).scalar_one()
        self._app.configure_task(
            name=event.name,
            queue=queue,
            priority=event.priority - waiting,
            connection=connection.connection.driver_connection,
        ).defer(tenant_id=tenant, actor_id=None if actor_id is None else str(actor_id), payload=dict(event.payload))
