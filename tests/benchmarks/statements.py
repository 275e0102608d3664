"""Every statement that an engine's connections send: for counting them, and for sending them again bare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import Engine, event


@dataclass(frozen=True)
class Statement:
    """One statement as psycopg was given it."""

    query: Any
    parameters: Any


@contextmanager
def recorded(engine: Engine) -> Iterator[list[Statement]]:
    """Record the statements of all connections that the engine opens in the block, procrastinate's own among them."""
    found: list[Statement] = []

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            found.append(Statement(query, params))
            return super().execute(query, params, **options)

        def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
            rows = list(params_seq)
            found.extend(Statement(query, row) for row in rows)
            super().executemany(query, rows, **options)

    def use(connection: psycopg.Connection[Any], _record: object) -> None:
        connection.cursor_factory = Cursor

    engine.dispose()
    event.listen(engine, "connect", use)
    try:
        yield found
    finally:
        event.remove(engine, "connect", use)
        engine.dispose()


def transactions(statements: list[Statement]) -> list[list[Statement]]:
    """Return the statements by the units of work that sent them: each begins by taking on its role."""
    found: list[list[Statement]] = []
    for statement in statements:
        if str(statement.query).startswith("SET LOCAL ROLE"):
            found.append([])
        if found:
            found[-1].append(statement)
    return found


def ids_since(first: UUID, value: Any) -> set[UUID]:
    """Return the ids in a parameter that were made after ``first``: ids are ordered by time."""
    if isinstance(value, UUID):
        return {value} if value > first else set()
    if isinstance(value, Mapping):
        return set().union(*(ids_since(first, each) for each in value.values()))
    if isinstance(value, list | tuple):
        return set().union(*(ids_since(first, each) for each in value))
    return set()


def replaced(value: Any, changes: Mapping[str, str]) -> Any:
    """Return a parameter with texts and ids (by their texts) changed, wherever they stand in it."""
    if isinstance(value, UUID):
        return UUID(changes.get(str(value), str(value)))
    if type(value) is str:
        for old, new in changes.items():
            value = value.replace(old, new)
        return value
    if isinstance(value, Jsonb):
        return Jsonb(replaced(value.obj, changes))
    if isinstance(value, Mapping):
        return {name: replaced(each, changes) for name, each in value.items()}
    if isinstance(value, list):
        return [replaced(each, changes) for each in value]
    if isinstance(value, tuple):
        made = [replaced(each, changes) for each in value]
        return type(value)(*made) if hasattr(value, "_fields") else tuple(made)
    return value
