"""A PostgreSQL server of our own: found, set up, started, attached to and stopped without a system service."""

from infra.postgres.errors import PostgresError
from infra.postgres.server import Server

__all__ = ["PostgresError", "Server"]
