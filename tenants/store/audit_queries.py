"""Reads of the trail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from tenants.kernel.database import AnyRow
from tenants.store.audit import AuditEntry

_TRAIL = AuditEntry.__table__.c


def entries(session: Session, before: tuple[datetime, UUID] | None, most: int) -> Sequence[AnyRow]:
    """Return up to ``most`` entries that the transaction may see, newest first, from behind ``before``."""
    query = select(*_TRAIL).order_by(_TRAIL.at.desc(), _TRAIL.id.desc()).limit(most)
    if before is not None:
        query = query.where(tuple_(_TRAIL.at, _TRAIL.id) < before)
    return session.execute(query).all()
