"""A worker process of its own that carries out one run, so that a test can kill it: ``URL TENANT RUN``."""

from __future__ import annotations

import sys
from uuid import UUID

from services.gateways.sandbox import Limits
from services.usecases.execution import execute_run
from tenants.kernel.clock import SystemClock
from tenants.kernel.context import system_actor
from tenants.kernel.database import connect
from tenants.kernel.outbox import Silent
from tenants.kernel.work import WorkShop

if __name__ == "__main__":
    url, tenant_id, run_id = sys.argv[1:]
    shop = WorkShop(connect(url), SystemClock(), Silent())
    execute_run(shop, system_actor("worker", tenant_id=UUID(tenant_id)), run_id=UUID(run_id), limits=Limits())
