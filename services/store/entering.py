"""Writing that several use cases share. They have asked who acts; here nobody is asked."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from services.store.bookings import Reservation
from services.store.runs import Artefact
from tenants.kernel.identifiers import new_id
from tenants.rules.files import safe_media_type, safe_name


def enter_file(
    session: Session,
    tenant_id: UUID,
    *,
    kind: Literal["input", "output"],
    source_id: UUID | None,
    name: str,
    media_type: str,
    content: bytes,
    created_by: UUID | None,
    created_at: datetime,
) -> dict[str, Any]:
    """Write one file of a park, with a safe name and its hash; return the row without the bytes."""
    row = {
        "tenant_id": tenant_id,
        "id": new_id(),
        "kind": kind,
        "source_id": source_id,
        "name": safe_name(name),
        "media_type": safe_media_type(media_type),
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "created_by": created_by,
        "created_at": created_at,
    }
    session.execute(insert(Artefact).values({**row, "content": content}))
    return row


def free_reservation(session: Session, provider_id: UUID, reservation_id: UUID) -> None:
    """Give a reserved time back."""
    session.execute(
        update(Reservation)
        .where(Reservation.provider_id == provider_id, Reservation.id == reservation_id, Reservation.active)
        .values(active=False)
    )
