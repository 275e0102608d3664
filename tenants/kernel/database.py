"""SQLAlchemy's base, the naming convention, column types, and the roles under which every transaction runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import psycopg
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    DateTime,
    Engine,
    ForeignKeyConstraint,
    MetaData,
    Row,
    String,
    TypeDecorator,
    Uuid,
    create_engine,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

TENANT_ROLE = "marketplace_tenant"
"""Database role of a transaction confined to one tenant: row security shows it that tenant's rows only."""
STAFF_ROLE = "marketplace_staff"
"""Database role of a transaction of staff: a policy of its own shows it all rows; it cannot bypass row security."""

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

AnyRow = Row[*tuple[Any, ...]]
"""A row of a Core query, before it becomes a frozen dataclass: its columns are known to the query beside it alone."""


class Instant(TypeDecorator[datetime]):
    """An aware instant, stored as ``timestamptz`` and read back in UTC; a naive value is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base class names it
        """Refuse a naive instant before it reaches the database."""
        if value is not None and value.tzinfo is None:
            raise ValueError("an instant must carry its offset")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base class names it
        """Return the instant in UTC."""
        return None if value is None else value.astimezone(UTC)


Fen = Annotated[int, mapped_column(BigInteger)]
"""Whole fen."""
Name = Annotated[str, mapped_column(String(200))]
"""A name or title, up to 200 characters."""
Code = Annotated[str, mapped_column(String(64))]
"""A slug, status or code, up to 64 characters."""


class Base(DeclarativeBase):
    """Base of every table."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: Instant,
        UUID: Uuid,
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


class TenantOwned:
    """Mixin of a table whose rows belong to one tenant: the tenant leads the key, and row security is forced.

    A unique, exclusion or foreign key of such a table contains ``tenant_id`` too, so that it can be distributed.
    """

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-1)


def connect(url: str, *, pool_size: int = 10, echo: bool = False) -> Engine:
    """Return an engine for ``url``.

    Server-side prepared statements are off, so that a transaction pooler may stand between (psycopg's
    ``prepare_threshold=None``). The driver leaves BEGIN to whoever opens a transaction (``begin_as``).
    """
    return create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        echo=echo,
        hide_parameters=True,  # names and hashes in an error message would end up in the log
        connect_args={"prepare_threshold": None, "connect_timeout": 10},
    )


def begin_as(connection: Connection, context: str) -> None:
    """Open the transaction of a connection with the SQL that confines it: one message for both, instead of two."""
    driver: Any = connection.connection.driver_connection
    connection.exec_driver_sql(f"BEGIN; {context}" if driver.autocommit else context)


def in_drivers_words(connection: Connection, statement: str, values: Sequence[object] | None = None) -> Any:
    """Run one statement within the connection's transaction and return the driver's cursor, for the hottest paths.

    Nothing of SQLAlchemy stands between: its half of a statement costs a transaction of three more than the server's work
    does. What the database refuses is raised as a connection raises it.
    """
    driver: Any = connection.connection.driver_connection
    try:
        return driver.execute(statement, values)
    except psycopg.Error as error:  # for those who tell a lost connection from a fault
        raise DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True) from error


def one_of(column: str, values: type[StrEnum] | Iterable[str]) -> CheckConstraint:
    """Return a check that ``column`` holds one of ``values``: text with a check is changed by a migration in one step."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def owned_reference(column: str, target: str) -> ForeignKeyConstraint:
    """Return a foreign key within one tenant: ``(tenant_id, column)`` to ``(tenant_id, id)`` of ``target``."""
    return ForeignKeyConstraint(["tenant_id", column], [f"{target}.tenant_id", f"{target}.id"])
