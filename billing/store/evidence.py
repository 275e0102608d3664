"""Evidence: files that prove a claim or a decision, kept as they came, and the registers that let each count once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.rules.evidence import EvidenceKind
from tenants.kernel.database import Base, Code, Name, TenantOwned, one_of


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


ONCE = {"info": {"shared": "one proof counts once in the whole province; a row policy shows a park its own uses"}}
_IN_USE = "released_at IS NULL"


class EvidenceUse(Base):
    """A file that proves one thing, until that is withdrawn. Nobody, in any park, uses it for another meanwhile."""

    __tablename__ = "evidence_uses"
    __table_args__ = (
        one_of("kind", EvidenceKind),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint("(released_at IS NULL) = (release_reason IS NULL)", name="release"),
        Index("uq_evidence_uses_in_use", "sha256", "kind", unique=True, postgresql_where=_IN_USE),
        Index(None, "used_for_id"),
        ONCE,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    kind: Mapped[Code]
    tenant_id: Mapped[UUID]
    evidence_id: Mapped[UUID | None]
    """The file, None for a document that the platform itself made and keeps elsewhere."""
    used_for: Mapped[Code]
    used_for_id: Mapped[UUID]
    label: Mapped[Name]
    """What it is used for, as people call it."""
    used_by: Mapped[UUID | None]
    used_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    release_reason: Mapped[Name | None]


class SubsidisedContract(Base):
    """A contract on which public money is given, until that is withdrawn: known by its number and the other party."""

    __tablename__ = "subsidised_contracts"
    __table_args__ = (
        CheckConstraint("(released_at IS NULL) = (release_reason IS NULL)", name="release"),
        Index(
            "uq_subsidised_contracts_in_use", "contract_key", "counterparty_uscc", unique=True,
            postgresql_where=_IN_USE,
        ),
        Index(None, "used_for_id"),
        ONCE,
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(primary_key=True)
    contract_key: Mapped[str] = mapped_column(String(100))
    """What is compared of its number."""
    counterparty_uscc: Mapped[str] = mapped_column(String(18))
    contract_no: Mapped[str] = mapped_column(String(100))
    """Its number as it was written."""
    tenant_id: Mapped[UUID]
    used_for: Mapped[Code]
    used_for_id: Mapped[UUID]
    label: Mapped[Name]
    used_by: Mapped[UUID | None]
    used_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    release_reason: Mapped[Name | None]
