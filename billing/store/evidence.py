"""Evidence: files that prove a claim or a decision, kept as they came; their hash proves them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Name, TenantOwned


class EvidenceFile(TenantOwned, Base):
    """A file about one park: a contract, an invoice, a proof of payment, a decision. One content is kept once."""

    __tablename__ = "evidence_files"
    __table_args__ = (
        UniqueConstraint("tenant_id", "sha256"),
        CheckConstraint("size_bytes = octet_length(content) AND size_bytes > 0", name="size"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[Name]
    media_type: Mapped[str] = mapped_column(String(100))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    uploaded_by: Mapped[UUID | None]
    uploaded_at: Mapped[datetime]
