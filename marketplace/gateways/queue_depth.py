"""How many jobs wait and run, for the figures that operators watch."""

from __future__ import annotations

from sqlalchemy import Engine, text

from marketplace.gateways.queue import JOBS_ROLE
from tenants.kernel.database import begin_as


def queue_depth(engine: Engine) -> dict[tuple[str, str], int]:
    """Return the number of jobs by ``(queue, status)``, of those that wait (``todo``) or run (``doing``)."""
    counted = text(
        "SELECT queue_name, status::text, count(*) FROM procrastinate_jobs "
        "WHERE status IN ('todo', 'doing') GROUP BY queue_name, status"
    )
    with engine.begin() as connection:
        begin_as(connection, f"SET LOCAL ROLE {JOBS_ROLE}")
        return {(queue, status): jobs for queue, status, jobs in connection.execute(counted)}
