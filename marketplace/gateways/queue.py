"""The job queue: procrastinate on the same PostgreSQL, so an event and the job it starts commit together.

Only staff and tenant transactions put jobs there, through one function that runs as the schema's owner; a worker's
own connections take on ``marketplace_jobs``, which may work the queue and read nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString, cast
from uuid import UUID

import procrastinate
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from sqlalchemy import Connection, make_url, text

from tenants.kernel.errors import Problem, Unavailable
from tenants.kernel.outbox import Event

JOBS_ROLE = "marketplace_jobs"
MONEY = "money"
ENGINES = "engines"
QUEUES: Mapping[str, str] = {
    "run.queued": ENGINES,
    "subscription.period_started": MONEY,
    "run.succeeded": MONEY,
    "run.failed": MONEY,
    "inspection.reported": MONEY,
    "inspection.failed": MONEY,
    "suspension.lifted": MONEY,
    "attendance_dispute.decided": MONEY,
    "qualification.decided": MONEY,
    "joint_agreement.written": MONEY,
    "joint_agreement.registered": MONEY,
    "samples.reported": MONEY,
    "samples.failed": MONEY,
    "site_month.delivered": MONEY,
    "site_month.failed": MONEY,
    "site.due": ENGINES,
    "simulation.queued": ENGINES,
    "invoice_batch.queued": ENGINES,
    "invoices.run": MONEY,
    "company_import.queued": ENGINES,
    "company_withdrawal.queued": ENGINES,
    "lead_edition.queued": ENGINES,
    "lead_edition.due": ENGINES,
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


class QueueConnector(procrastinate.PsycopgConnector):
    """Connections to the queue that remember whether a statement ever failed on them.

    A worker whose job has ended while the database was away cannot record that end: the job stays "being done" by a
    worker that lives, so nobody rescues it. Such a worker has to go; ``broken`` tells it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.broken = asyncio.Event()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except UniqueViolation:  # an answer, not an outage: the job waits in the queue already
            raise
        except ConnectorException:
            self.broken.set()
            raise

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        """Send a statement."""
        with self._watched():
            await super().execute_query_async(query, **arguments)

    async def execute_query_one_async(self, query: LiteralString, **arguments: Any) -> dict[str, Any]:
        """Send a statement and return its first row."""
        with self._watched():
            row: dict[str, Any] = await super().execute_query_one_async(query, **arguments)
        return row

    async def execute_query_all_async(self, query: LiteralString, **arguments: Any) -> list[dict[str, Any]]:
        """Send a statement and return its rows."""
        with self._watched():
            rows: list[dict[str, Any]] = await super().execute_query_all_async(query, **arguments)
        return rows


def queue_app(database_url: str) -> procrastinate.App:
    """Return the queue of a database, not yet opened."""
    url = make_url(database_url).set(drivername="postgresql")
    connector = QueueConnector(
        conninfo=url.render_as_string(hide_password=False),
        kwargs={"options": f"-c role={JOBS_ROLE}", "prepare_threshold": None},
        min_size=1,
        max_size=8,
    )
    return procrastinate.App(connector=connector)


def queue_broken(queue: procrastinate.App) -> asyncio.Event:
    """Return what is set as soon as a statement to this queue (see ``queue_app``) has failed."""
    return cast(QueueConnector, queue.connector).broken


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
