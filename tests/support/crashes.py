"""Processes that end at a chosen moment: by an exception or a kill before a statement, or amid a worker's work."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from multiprocessing.context import ForkServerProcess
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, event

from marketplace.composition import Marketplace, build
from marketplace.demo.theatre import Play
from marketplace.jobs.handlers import HANDLERS
from marketplace.jobs.worker import Pace, work
from marketplace.rules.orders import PaymentMethod
from marketplace.settings import Settings
from marketplace.usecases import checkout, fulfilment
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor
from tenants.kernel.idempotency import once

QUICK = Pace(heartbeat=0.1, stalled_after=0.6, polling=0.1, graceful=5.0)
Step = Callable[[Marketplace, Actor, Mapping[str, str]], None]

# Children are forked from a process without threads that has imported everything: they start in a tenth of a second.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["pytest", "tests.support.crashes"])


class CrashError(Exception):
    """The process ends between two statements."""


@contextmanager
def before_statement(engine: Engine, number: int, strike: Callable[[], None]) -> Iterator[Iterator[int]]:
    """Call ``strike`` before the statement with this number, counted from 0; COMMIT counts as one."""
    passed = count()

    def look(*_: object) -> None:
        if next(passed) == number:
            strike()

    for name in ("before_cursor_execute", "commit"):
        event.listen(engine, name, look)
    try:
        yield passed
    finally:
        for name in ("before_cursor_execute", "commit"):
            event.remove(engine, name, look)


def count_statements(engine: Engine, step: Callable[[], object]) -> int:
    """Carry out ``step`` and return how many statements it took, COMMIT included."""
    with before_statement(engine, -1, lambda: None) as passed:
        step()
    return next(passed)


def crash_everywhere(engine: Engine, step: Callable[[], object], state: Callable[[], Any]) -> int:
    """Run ``step`` again and again, crashing before its first statement, its second and so on, until it gets through.

    After each crash ``state`` is as before. Returns how many statements the step has.
    """
    before = state()

    def strike() -> None:
        raise CrashError

    for survived in count():
        try:
            with before_statement(engine, survived, strike):
                step()
        except CrashError:
            assert state() == before, f"a crash before statement {survived} left something behind"
        else:
            return survived
    raise AssertionError


def place(market: Marketplace, actor: Actor, payload: Mapping[str, str]) -> None:
    """Confirm a quote, once per key, as a door does."""
    quote_id, method = UUID(payload["quote_id"]), PaymentMethod(payload["method"])

    with market.workshop.work(actor) as unit:

        def carry_out() -> dict[str, Any]:
            return {"id": str(checkout.place_order(unit, quote_id=quote_id, payment_method=method).id)}

        once(unit, payload["key"], "order.place", dict(payload), carry_out)


def cancel(market: Marketplace, actor: Actor, payload: Mapping[str, str]) -> None:
    """Cancel an order."""
    with market.workshop.work(actor) as unit:
        fulfilment.cancel_order(unit, order_id=UUID(payload["order_id"]))


def complete(market: Marketplace, actor: Actor, payload: Mapping[str, str]) -> None:
    """Settle a finished run, as the queue's worker does."""
    HANDLERS["run.succeeded"](market, actor, payload)


def fail(market: Marketplace, actor: Actor, payload: Mapping[str, str]) -> None:
    """Undo the line of a failed run, as the queue's worker does."""
    HANDLERS["run.failed"](market, actor, payload)


def killed_before(play: Play, step: Step, actor: Actor, payload: Mapping[str, str], statement: int) -> bool:
    """Carry out ``step`` in a process that is killed before a statement; False when it got through before that."""
    instant = play.clock.now()
    child = _processes.Process(target=_do, args=(play.market.settings, instant, step, actor, payload, statement))
    child.start()
    child.join(60)
    assert child.exitcode in {0, -signal.SIGKILL}
    return child.exitcode != 0


def _do(
    settings: Settings, instant: datetime, step: Step, actor: Actor, payload: Mapping[str, str], statement: int
) -> None:
    with build(settings, clock=ManualClock(instant)) as market, before_statement(market.engine, statement, _die):
        step(market, actor, payload)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def worker_process(play: Play, *, dies_before: int = -1) -> Iterator[ForkServerProcess]:
    """Give a worker process that works the queue; it kills itself before the statement ``dies_before``, if given.

    It is killed at the end if it still lives. Its clock stands where the play's does.
    """
    child = _processes.Process(target=_work, args=(play.market.settings, play.clock.now(), dies_before))
    child.start()
    try:
        yield child
    finally:
        child.kill()
        child.join()


def _work(settings: Settings, instant: datetime, dies_before: int) -> None:
    with build(settings, clock=ManualClock(instant)) as market, before_statement(market.engine, dies_before, _die):
        asyncio.run(work(market, pace=QUICK))
