"""The trail of who did what for whom: rows are added and never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Name


class AuditEntry(Base):
    """One thing done. ``tenant_id`` is the park concerned, None for acts of the province on itself."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index(None, "tenant_id", "at"),
        {"info": {"shared": "acts on funds and programmes have no tenant; a row policy shows a park its own"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    tenant_id: Mapped[UUID | None]
    user_id: Mapped[UUID | None]
    api_client_id: Mapped[UUID | None]
    actor_name: Mapped[Name]
    action: Mapped[Code]
    object_kind: Mapped[Code]
    object_id: Mapped[str] = mapped_column(String(200))
    detail: Mapped[dict[str, Any]]
    request_id: Mapped[str] = mapped_column(String(64))
