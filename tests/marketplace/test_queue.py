"""The queue as an outbox: a job commits with its work, parks take turns, and a tenant's transaction reads none of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor

import pytest
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from marketplace.gateways.queue import QueueOutbox, queue_app, queue_broken
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.outbox import Event
from tenants.kernel.work import Work, WorkShop
from tests.support.databases import Database


@pytest.fixture
def queue(engine: Engine, clock: ManualClock) -> WorkShop:
    return WorkShop(engine, clock, QueueOutbox())


def emit(work: Work, actor: Actor, name: str = "run.queued") -> None:
    work.emit(Event(name, actor.tenant_id, {"run_id": str(new_id())}))


def on_its_own_loop(program: Coroutine[None, None, bool]) -> bool:
    """Run a program in a thread: a browser test of the same process may have left its loop running in this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, program).result()


def priorities(database: Database) -> dict[str, list[int]]:
    """The waiting jobs' priorities by park, in the order in which they came."""
    found: dict[str, list[int]] = {}
    with database.owner().connect() as connection:
        rows = connection.execute(text("SELECT args ->> 'tenant_id', priority FROM procrastinate_jobs ORDER BY id"))
        for tenant, priority in rows:
            found.setdefault(tenant, []).append(priority)
    return found


def test_a_park_with_many_waiting_jobs_stands_behind_one_with_none(queue: WorkShop, database: Database) -> None:
    busy, fresh = (system_actor("test", tenant_id=new_id()) for _ in range(2))
    for actor in (busy, busy, busy, fresh):
        with queue.work(actor) as work:
            emit(work, actor)
    assert priorities(database) == {str(busy.tenant_id): [0, -1, -2], str(fresh.tenant_id): [0]}


def test_a_job_is_rolled_back_with_its_work(queue: WorkShop, database: Database) -> None:
    actor = system_actor("test", tenant_id=new_id())

    def fail_after_emitting() -> None:
        with queue.work(actor) as work:
            emit(work, actor)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_emitting()
    assert priorities(database) == {}


def test_an_event_that_starts_no_job_puts_none_on_the_queue(queue: WorkShop, database: Database) -> None:
    actor = system_actor("test", tenant_id=new_id())
    with queue.work(actor) as work:
        emit(work, actor, "nobody.listens")
    assert priorities(database) == {}


def test_a_tenants_transaction_may_not_read_the_queue(queue: WorkShop) -> None:
    actor = system_actor("test", tenant_id=new_id())
    with pytest.raises(ProgrammingError, match="permission denied"), queue.work(actor) as work:
        work.session.execute(text("SELECT args FROM procrastinate_jobs"))


def test_a_worker_learns_that_its_queue_failed_once_even_when_the_next_statement_succeeds(database: Database) -> None:
    queue = queue_app(database.url)

    def lose_all() -> None:
        with database.owner().connect() as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'")
            )

    async def lose_and_find_again() -> bool:
        async with queue.open_async():
            await queue.connector.execute_query_async("SELECT 1")
            assert not queue_broken(queue).is_set()
            asyncio.get_running_loop().call_later(0.5, lose_all)
            with pytest.raises(ConnectorException):
                await queue.connector.execute_query_async("SELECT pg_sleep(60)")
            await queue.connector.execute_query_async("SELECT 1")
            return queue_broken(queue).is_set()

    assert on_its_own_loop(lose_and_find_again())


def test_a_job_that_waits_already_is_no_failure_of_the_queue(database: Database) -> None:
    queue = queue_app(database.url)

    @queue.task(name="chore", queueing_lock="chore")
    def chore() -> None: ...

    async def defer_twice() -> bool:
        async with queue.open_async():
            await chore.defer_async()
            with pytest.raises(AlreadyEnqueued):
                await chore.defer_async()
            return queue_broken(queue).is_set()

    assert not on_its_own_loop(defer_twice())
