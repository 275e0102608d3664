"""The trail: who did what, on which object, for whom."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from tenants.kernel.database import AnyRow
from tenants.kernel.identifiers import new_id
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.store.audit import AuditEntry
from tenants.store.audit_queries import entries


@dataclass(frozen=True)
class AuditView:
    """One thing done. ``user_id`` is the person, also where a program with ``api_client_id`` acted in their name."""

    id: UUID
    at: datetime
    tenant_id: UUID | None
    user_id: UUID | None
    api_client_id: UUID | None
    actor_name: str
    action: str
    object_kind: str
    object_id: str
    detail: dict[str, Any]
    request_id: str


def record(
    work: Work,
    action: str,
    object_kind: str,
    object_id: object,
    /,
    *,
    tenant_id: UUID | None = None,
    **detail: object,
) -> None:
    """Add to the trail, in the transaction of what it tells about.

    ``tenant_id`` names the park concerned when staff act on one; otherwise it is the park acted for. ``detail`` takes
    any JSON values, ids, instants and codes; never put a password or secret into it.
    """
    actor = work.actor
    work.session.execute(
        insert(AuditEntry).values(
            id=new_id(),
            at=work.now,
            tenant_id=tenant_id or actor.tenant_id,
            user_id=actor.user_id,
            api_client_id=actor.api_client_id,
            actor_name=actor.name[:200],
            action=action,
            object_kind=object_kind,
            object_id=str(object_id),
            detail=json.loads(json.dumps(detail, default=str)),
            request_id=actor.request_id[:64],
        )
    )


def list_audit(work: Work, *, limit: int = 50, cursor: str | None = None) -> Page[AuditView]:
    """Return the trail, newest first: a park's own, for staff all. Invalid for a bad limit or cursor."""
    work.actor.require(Permission.READ_AUDIT)
    rows = entries(work.session, decode_cursor(cursor), check_limit(limit) + 1)
    return page_of(rows, limit, _view, lambda row: (row.at, row.id))


def _view(row: AnyRow) -> AuditView:
    return AuditView(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
