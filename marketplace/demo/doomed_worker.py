"""A worker of the story: it lives at the story's moment, which is its one argument, until it is killed."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime

from marketplace.composition import build
from marketplace.jobs.worker import work
from marketplace.settings import Settings
from tenants.kernel.clock import ManualClock

if __name__ == "__main__":
    clock = ManualClock(datetime.fromisoformat(sys.argv[1]))
    with build(Settings.from_environment(), clock=clock) as market:
        asyncio.run(work(market))
