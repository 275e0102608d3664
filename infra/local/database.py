"""The embedded database of one machine: who owns its schema, who the program signs in as."""

import os
import secrets
from pathlib import Path

from psycopg import sql

from infra.postgres import Server

_DATABASE = "marketplace"
_OWNER = "marketplace_owner"
_APPLICATION = "marketplace_app"


def prepare(server: Server, var: Path) -> dict[str, str]:
    """The two addresses of the database, as environment variables.

    The owner may make roles but is no superuser. The application's login is made by the migrations and has the rights
    they give it, so that row security holds here as it does in production.
    """
    owner_password = kept_secret(var / "owner_password")
    owner, password = sql.Identifier(_OWNER), sql.Literal(owner_password)
    server.execute(
        sql.SQL(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {}) THEN CREATE ROLE {}; END IF; END $$"
        ).format(sql.Literal(_OWNER), owner)
    )
    server.execute(sql.SQL("ALTER ROLE {} LOGIN CREATEROLE NOSUPERUSER PASSWORD {}").format(owner, password))
    server.ensure_database(_DATABASE)
    server.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(_DATABASE), owner))
    application_password = kept_secret(var / "application_password")
    return {
        "DATABASE_OWNER_URL": server.url_of(_DATABASE, user=_OWNER, password=owner_password),
        "DATABASE_URL": server.url_of(_DATABASE, user=_APPLICATION, password=application_password),
    }


def kept_secret(path: Path) -> str:
    """The secret in a file of mode 0600, made at random the first time."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip()
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8").strip()
