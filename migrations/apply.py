"""Brings a database to the newest schema, and gives the application its own login."""

from __future__ import annotations

from functools import cache
from typing import cast

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import Connection as PsycopgConnection
from psycopg import sql
from sqlalchemy import Engine, make_url

from marketplace.settings import home

WHOLE = "READ COMMITTED"
"""A step is done as a whole or not at all, also on an engine that leaves BEGIN to others (``kernel.database.connect``)."""
ROLES = ("marketplace_tenant", "marketplace_staff", "marketplace_jobs")


def upgrade(engine: Engine) -> None:
    """Run every step that ``engine``'s database has not seen yet, one caller at a time.

    The advisory lock makes several processes that start together wait for the first instead of racing it.
    """
    config = Config(toml_file=str(home() / "pyproject.toml"))
    with engine.execution_options(isolation_level=WHOLE).connect() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_lock(hashtext('marketplace migrations'))")
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.rollback()
        connection.exec_driver_sql("SELECT pg_advisory_unlock(hashtext('marketplace migrations'))")
        connection.commit()


def provide_login(engine: Engine, application_url: str) -> None:
    """Create the login named in ``application_url``, if the owner may and it is missing, and grant it the roles.

    The login inherits nothing: it can only take a role on, transaction by transaction.
    """
    url = make_url(application_url)
    if url.username is None or url.username == engine.url.username:
        return
    with engine.execution_options(isolation_level=WHOLE).begin() as connection:
        driver = cast("PsycopgConnection[object]", connection.connection.driver_connection)
        login = sql.Identifier(url.username)
        exists = connection.exec_driver_sql("SELECT 1 FROM pg_roles WHERE rolname = %s", (url.username,)).first()
        if exists is None:
            driver.execute(sql.SQL("CREATE ROLE {} LOGIN NOINHERIT NOBYPASSRLS").format(login))
        if url.password is not None:
            driver.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(login, sql.Literal(str(url.password))))
        for role in ROLES:
            driver.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), login))


@cache
def newest_revision() -> str | None:
    """Return the number of the last step there is, which a database in use has seen."""
    return ScriptDirectory.from_config(Config(toml_file=str(home() / "pyproject.toml"))).get_current_head()
