"""Runs the steps with time-outs, so that a migration never queues in front of the traffic it must not stop."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.base import ischema_names

from billing.store import usage
from marketplace.settings import Settings
from marketplace.tables import metadata
from tenants.kernel.database import connect

# Reflection meets this type when it compares the database with the models.
ischema_names["xid8"] = usage.TransactionId

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "10min"


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Tell whether a thing of the database is this schema's: the job queue's tables keep their own history."""
    return not (kind == "table" and (name or "").startswith("procrastinate_"))


def run(connection: Connection) -> None:
    """Run the steps on ``connection``, each in a transaction of its own."""
    connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
    connection.exec_driver_sql(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'")
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_name=ours,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    engine = connect(Settings.from_environment().database_owner_url, pool_size=1)
    with engine.execution_options(isolation_level="READ COMMITTED").connect() as opened:
        run(opened)
    engine.dispose()
