"""Who is on the dishonesty list."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from tenants.store.standing import CreditBlock


def counts_on(day: date) -> ColumnElement[bool]:
    """Return the condition that an entry counts on a day."""
    return (
        CreditBlock.lifted_at.is_(None)
        & (CreditBlock.valid_from <= day)
        & or_(CreditBlock.valid_until.is_(None), CreditBlock.valid_until > day)
    )


def is_blocked(uscc: ColumnElement[str] | InstrumentedAttribute[str], day: date) -> ColumnElement[bool]:
    """Return the condition that an entry with this credit code counts on a day."""
    return select(CreditBlock.id).where(CreditBlock.uscc == uscc, counts_on(day)).exists()
