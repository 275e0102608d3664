"""The yard as a queue of trucks before docks, simulated event by event with simpy."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy

from services.rules.twin.logistics import Yard, YardResult, open_minutes

MOST_DAYS = 120
"""Days that are simulated; a longer horizon is scaled up from them."""
MOST_TRUCKS = 60_000
"""Trucks that are simulated at most: about two seconds of work."""


@dataclass
class _Log:
    waits: list[float] = field(default_factory=list)
    busy: float = 0.0


def simulate_yard(yard: Yard, active_days: int, seed: int) -> YardResult:
    """Simulate the yard's days one by one (each begins empty, and ends when its last truck has left).

    A gate that never closes is one long day. The same ``seed`` gives the same trucks.
    """
    day = open_minutes(yard)
    expected = max(yard.trucks_per_hour * day / 60, 1e-9)
    days = max(min(active_days, MOST_DAYS, int(MOST_TRUCKS / expected) or 1), 0)
    random = np.random.default_rng([seed, 7])
    log = _Log()
    spans = [day] * days if day < 1440 else [day * days]
    for span in spans:
        if span > 0:
            _one_day(yard, float(span), random, log)
    waits = np.array(log.waits) if log.waits else np.zeros(1)
    opened = float(sum(spans))
    scale = active_days / days if days else 0.0
    idle = float(waits.sum()) / 60 * scale
    return YardResult(
        days=days,
        trucks=len(log.waits),
        mean_wait=round(float(waits.mean()), 3),
        p95_wait=round(float(np.quantile(waits, 0.95)), 3),
        longest_wait=round(float(waits.max()), 3),
        utilisation=round(log.busy / (opened * yard.docks), 4) if opened else 0.0,
        mean_queue=round(float(waits.sum()) / opened, 4) if opened else 0.0,
        idle_hours=round(idle, 2),
        idle_litres=round(idle * yard.idle_litres, 2),
    )


def _one_day(yard: Yard, minutes: float, random: np.random.Generator, log: _Log) -> None:
    """Let trucks arrive until the gate closes, and work until the yard is empty."""
    world = simpy.Environment()
    docks = simpy.Resource(world, capacity=yard.docks)
    gap = 60 / yard.trucks_per_hour

    def truck(service: float) -> Generator[Any, Any, None]:
        came = world.now
        with docks.request() as place:
            yield place
            log.waits.append(world.now - came)
            log.busy += service
            yield world.timeout(service)

    def gate() -> Generator[Any, Any, None]:
        while True:
            yield world.timeout(float(random.exponential(gap)))
            if world.now >= minutes:
                return
            world.process(truck(_service(yard, random)))

    world.process(gate())
    world.run()


def _service(yard: Yard, random: np.random.Generator) -> float:
    """Draw a service time: gamma with the given mean and variation, which is exponential at a variation of 1."""
    if yard.variation <= 0:
        return yard.service_minutes
    shape = 1 / yard.variation**2
    return float(random.gamma(shape, yard.service_minutes / shape))
