"""Writes whose outcome a unique constraint decides, and writes of many rows at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import JSON, CursorResult, Executable
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from tenants.kernel.database import Base

_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]


def rows_written(session: Session, statement: Executable) -> int:
    """Run an INSERT, UPDATE or DELETE and return how many rows it wrote.

    With ``ON CONFLICT DO NOTHING`` the second of two racing callers waits for the first and then gets 0, and its
    transaction stays usable; a violated constraint would have broken it. SQLAlchemy reports -1 for an INSERT, which
    reads as success, unless it is asked to keep the count as here.
    """
    counted = session.execute(statement, execution_options={"preserve_rowcount": True})
    return cast("CursorResult[Any]", counted).rowcount


def insert_columns(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write many rows of one table in one statement; each names the same columns, none of which is an array.

    The values travel as one array a column, so the driver sends and the server parses a statement once, whatever the
    number of rows. Documents are given as they are; what a row does not name gets the column's own default.
    """
    if not rows:
        return
    columns = [table.__table__.c[name] for name in rows[0]]
    values: dict[str, list[Any]] = {column.name: [row[column.name] for row in rows] for column in columns}
    for column in columns:
        if isinstance(column.type, JSON):
            values[column.name] = [None if each is None else json.dumps(each) for each in values[column.name]]
    names = ", ".join(column.name for column in columns)
    arrays = ", ".join(f"%({column.name})s::{column.type.compile(_POSTGRESQL)}[]" for column in columns)
    written = f"INSERT INTO {table.__tablename__} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608 - names of ours
    session.connection().exec_driver_sql(written, values)
