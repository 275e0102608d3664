"""A worker process of its own that carries out one refit, so that a test can kill it: ``URL EDITION CACHE``."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import UUID

from services.gateways.sandbox import Limits
from services.usecases.lead_editions import carry_out_refit
from tenants.kernel.clock import SystemClock
from tenants.kernel.context import system_actor
from tenants.kernel.database import connect
from tenants.kernel.outbox import Silent
from tenants.kernel.work import WorkShop

if __name__ == "__main__":
    url, edition_id, cache = sys.argv[1:]
    shop = WorkShop(connect(url), SystemClock(), Silent())
    carry_out_refit(shop, system_actor("worker"), edition_id=UUID(edition_id), cache=Path(cache), limits=Limits())
