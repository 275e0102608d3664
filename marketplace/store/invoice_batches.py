"""Many invoices as one file: asked for, made one by one, kept with its hash."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Name, one_of

_WHOSE = {"info": {"shared": "a batch over all parks is finance's; a row policy shows a park its own batches"}}


class InvoiceBatch(Base):
    """The invoices of some months as PDF or XLSX in one zip. ``park_id`` is the park whose batch it is, if any's."""

    __tablename__ = "invoice_batches"
    __table_args__ = (
        one_of("kind", ("pdf", "xlsx")),
        one_of("status", ("queued", "done", "cancelled")),
        CheckConstraint("first_period <= last_period", name="periods"),
        CheckConstraint("total > 0", name="total"),
        CheckConstraint("(status = 'done') = (content IS NOT NULL)", name="content"),
        CheckConstraint("num_nonnulls(content, sha256, size_bytes) IN (0, 3)", name="hashed"),
        CheckConstraint("(status = 'queued') = (finished_at IS NULL)", name="finished"),
        Index(None, "park_id", "requested_at"),
        _WHOSE,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    park_id: Mapped[UUID | None]
    kind: Mapped[Code]
    first_period: Mapped[str] = mapped_column(String(7))
    last_period: Mapped[str] = mapped_column(String(7))
    status: Mapped[Code]
    total: Mapped[int] = mapped_column(Integer)
    requested_by: Mapped[UUID | None]
    requested_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


class InvoiceBatchPart(Base):
    """One invoice of a batch; its bytes are here until the whole is made, its hash for good."""

    __tablename__ = "invoice_batch_parts"
    __table_args__ = (
        ForeignKeyConstraint(["batch_id"], ["invoice_batches.id"]),
        ForeignKeyConstraint(["tenant_id", "invoice_id"], ["invoices.tenant_id", "invoices.id"]),
        CheckConstraint("content IS NULL OR sha256 IS NOT NULL", name="hashed"),
        _WHOSE,
    )

    batch_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    tenant_id: Mapped[UUID]
    invoice_id: Mapped[UUID]
    name: Mapped[Name]
    sha256: Mapped[str | None] = mapped_column(String(64))
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
