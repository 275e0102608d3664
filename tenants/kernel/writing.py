"""Writes whose outcome a unique constraint decides."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import CursorResult, Executable
from sqlalchemy.orm import Session


def rows_written(session: Session, statement: Executable) -> int:
    """Run an INSERT, UPDATE or DELETE and return how many rows it wrote.

    With ``ON CONFLICT DO NOTHING`` the second of two racing callers waits for the first and then gets 0, and its
    transaction stays usable; a violated constraint would have broken it. SQLAlchemy reports -1 for an INSERT, which
    reads as success, unless it is asked to keep the count as here.
    """
    counted = session.execute(statement, execution_options={"preserve_rowcount": True})
    return cast("CursorResult[Any]", counted).rowcount
