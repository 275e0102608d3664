"""Runs of engines, and artefacts: the files that go in and come out."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Name, TenantOwned, one_of, owned_reference


class Run(TenantOwned, Base):
    """One run of an engine for a park."""

    __tablename__ = "runs"
    __table_args__ = (
        owned_reference("repeats", "runs"),
        one_of("status", ("queued", "running", "succeeded", "failed", "cancelled")),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
        Index(None, "tenant_id", "status"),
        Index(None, "tenant_id", "fingerprint"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    offering: Mapped[Code]
    delivery: Mapped[Code]
    order_line_id: Mapped[UUID]
    """The line of the order it was rented by; the marketplace owns that table, so this is no foreign key."""
    request: Mapped[dict[str, Any]]
    """The engine's input document; files in it are named by artefact id."""
    status: Mapped[Code]
    stage: Mapped[Code]
    progress: Mapped[int] = mapped_column(SmallInteger)
    attempts: Mapped[int] = mapped_column(SmallInteger)
    failure_code: Mapped[Code | None]
    failure_detail: Mapped[str | None] = mapped_column(String(2000))
    kpis: Mapped[dict[str, Any] | None]
    manifest_sha256: Mapped[str | None] = mapped_column(String(64))
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    """Hash of all that the answer depends on: of a twin told before it runs, of a lead list by the data that it used."""
    repeats: Mapped[UUID | None]
    """The run whose question this one asks again, on the same data and for nothing."""
    returned_at: Mapped[datetime | None]
    """When all that was paid for it came back to who paid."""
    requested_by: Mapped[UUID | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Artefact(TenantOwned, Base):
    """A file of a park: uploaded as input, or delivered. Its bytes never change; the hash proves it."""

    __tablename__ = "artefacts"
    __table_args__ = (
        one_of("kind", ("input", "output")),
        CheckConstraint("size_bytes = octet_length(content)", name="size"),
        Index(None, "tenant_id", "source_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[Code]
    source_id: Mapped[UUID | None]
    """The run, booking, site's month or test request that delivered it; None for an upload."""
    name: Mapped[Name]
    media_type: Mapped[str] = mapped_column(String(100))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]
