"""The worker process: takes jobs from the queue until it is told to stop.

Engines and money work in separate lanes, so that a year of simulation never keeps an invoice waiting. A job whose
worker was killed is found by its missing heartbeat and given to another one.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from dataclasses import dataclass
from uuid import UUID

import procrastinate
import structlog

from marketplace.composition import Marketplace
from marketplace.gateways.queue import ENGINES, MONEY, QUEUES, BackOff, queue_broken
from marketplace.jobs.clockwork import CHORES, Chore
from marketplace.jobs.handlers import HANDLERS, Handler
from tenants.kernel.context import system_actor
from tenants.kernel.errors import Problem

log = logging.getLogger(__name__)

CLOCKWORK = "clockwork"
MONEY_LANES = 2


@dataclass(frozen=True)
class Pace:
    """How often a worker looks around, in seconds; tests make it quick."""

    heartbeat: float = 5.0
    stalled_after: float = 20.0
    polling: float = 2.0
    graceful: float = 20.0


def register(market: Marketplace, pace: Pace) -> None:
    """Teach the queue of ``market`` every task there is."""
    for name, handler in HANDLERS.items():
        _register_handler(market, name, handler)
    for chore in CHORES:
        _register_chore(market, chore)

    @market.queue.periodic(cron="* * * * *")
    @market.queue.task(name="rescue_stalled_jobs", queue=CLOCKWORK, queueing_lock="rescue_stalled_jobs")
    async def rescue(timestamp: int) -> None:  # noqa: ARG001 - the queue passes the time it was due
        await rescue_stalled_jobs(market.queue, pace)

    @market.queue.periodic(cron="43 3 * * *")
    @market.queue.task(name="forget_finished_jobs", queue=CLOCKWORK, queueing_lock="forget_finished_jobs")
    async def forget(timestamp: int) -> None:  # noqa: ARG001 - the queue passes the time it was due
        await market.queue.job_manager.delete_old_jobs(nb_hours=24 * 7)


def _register_handler(market: Marketplace, name: str, handler: Handler) -> None:
    @market.queue.task(name=name, queue=QUEUES[name], retry=BackOff(), pass_context=True)
    def run(
        context: procrastinate.JobContext, *, tenant_id: str | None, actor_id: str | None, payload: dict[str, str]
    ) -> None:
        structlog.contextvars.bind_contextvars(job_id=context.job.id, task=name, tenant_id=tenant_id)
        actor = system_actor(
            name,
            tenant_id=None if tenant_id is None else UUID(tenant_id),
            on_behalf_of=None if actor_id is None else UUID(actor_id),
        )
        try:
            handler(market, actor, payload)
        except Problem as problem:
            log.warning("%s refused: %s: %s", name, problem.code, problem.message)
            raise
        except Exception:
            log.exception("%s failed at attempt %s", name, context.job.attempts)
            raise


def _register_chore(market: Marketplace, chore: Chore) -> None:
    @market.queue.periodic(cron=chore.cron)
    @market.queue.task(name=chore.name, queue=CLOCKWORK, queueing_lock=chore.name)
    def run(timestamp: int) -> None:  # noqa: ARG001 - the queue passes the time it was due
        chore.do(market)


async def rescue_stalled_jobs(queue: procrastinate.App, pace: Pace) -> int:
    """Give every job whose worker has died to the next worker, and return how many there were."""
    manager = queue.job_manager
    stalled = list(await manager.get_stalled_jobs(seconds_since_heartbeat=pace.stalled_after))
    for job in stalled:
        log.warning("job %s (%s) was left by a dead worker and starts again", job.id, job.task_name)
        await manager.retry_job(job)
    return len(stalled)


def settle() -> None:
    """Keep what is loaded by now out of the collector's rounds: it stays as long as the process.

    A job that holds some ten thousand rows, as an invoice run does, sets off a full round; with all modules in it that
    takes a fifth of a second.
    """
    gc.collect()
    gc.freeze()


class LaneLostError(Exception):
    """A lane of this worker has ended, or lost its queue, although nobody told it to go."""


async def work(market: Marketplace, *, pace: Pace | None = None, until_idle: bool = False) -> None:
    """Work the queue until a signal says stop, or, with ``until_idle``, until nothing is waiting.

    Raises when a lane ends by itself (the queue stops one quietly when the database breaks its connection), and when a
    statement to the queue has failed: a worker that went on would look alive, leave half of the jobs undone, and keep
    those whose end it could not record from being rescued. Whoever keeps it starts it again.
    """
    pace = pace or Pace()
    register(market, pace)
    async with market.queue.open_async():
        await rescue_stalled_jobs(market.queue, pace)
        if until_idle:
            for names in ([ENGINES], [MONEY, CLOCKWORK]):
                await _lane(market.queue, names, MONEY_LANES, pace, until_idle)
            return
        lanes = [
            asyncio.create_task(_lane(market.queue, [ENGINES], _engine_lanes(), pace, until_idle)),
            asyncio.create_task(_lane(market.queue, [MONEY, CLOCKWORK], MONEY_LANES, pace, until_idle)),
        ]
        _stop_on_signal(market, lanes)
        broken = asyncio.create_task(queue_broken(market.queue).wait())
        await asyncio.wait([*lanes, broken], return_when=asyncio.FIRST_COMPLETED)
        broken.cancel()
        was_told = market.stopping.is_set()
        if not was_told:  # a lane that is stopping is left to it: a second cancellation would cut it short
            _stop(market, lanes)
        for ended in await asyncio.gather(*lanes, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
        if not was_told:
            raise LaneLostError("a lane ended by itself or lost its queue, see above: start this worker again")


async def _lane(
    queue: procrastinate.App,
    names: list[str],
    concurrency: int,
    pace: Pace,
    until_idle: bool,
) -> None:
    await queue.run_worker_async(
        queues=names,
        name=f"{os.uname().nodename}:{os.getpid()}:{'+'.join(names)}",
        concurrency=concurrency,
        wait=not until_idle,
        install_signal_handlers=False,
        fetch_job_polling_interval=pace.polling,
        update_heartbeat_interval=pace.heartbeat,
        stalled_worker_timeout=pace.stalled_after,
        shutdown_graceful_timeout=pace.graceful,
    )


def _engine_lanes() -> int:
    """Engines are bound by the processor: one core is left to the others."""
    return max(1, (os.cpu_count() or 2) - 1)


def _stop_on_signal(market: Marketplace, lanes: list[asyncio.Task[None]]) -> None:
    loop = asyncio.get_running_loop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, market, lanes)


def _stop(market: Marketplace, lanes: list[asyncio.Task[None]]) -> None:
    log.info("stopping: no new job is taken, running engines are left to the next worker")
    market.stopping.set()
    for lane in lanes:
        lane.cancel()
