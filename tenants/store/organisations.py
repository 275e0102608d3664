"""Organisations: every park, provider, authority and operator, in one shared register."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, Name, TenantOwned, one_of
from tenants.kernel.vocabulary import OrganisationKind, ParkSize


class Organisation(Base):
    """An organisation on the platform. Parks see the providers and authorities, and of the parks only themselves."""

    __tablename__ = "organisations"
    __table_args__ = (
        one_of("kind", OrganisationKind),
        {"info": {"shared": "providers and authorities are visible to all; a row policy hides the other parks"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[Code]
    name: Mapped[Name]
    uscc: Mapped[str] = mapped_column(String(18), unique=True)
    """Unified social credit code (GB 32100)."""
    region_code: Mapped[str] = mapped_column(String(6))
    """Administrative division (GB/T 2260), six digits, down to the county."""
    control_group: Mapped[UUID | None] = mapped_column(ForeignKey("control_groups.id"), index=True)
    """The actual controller's group: members of one group may not subsidise each other's orders."""
    payment_reference: Mapped[str] = mapped_column(String(16), unique=True)
    """What a bank transfer quotes so that it finds its payer."""
    created_at: Mapped[datetime]


class Park(TenantOwned, Base):
    """A park: the tenant itself."""

    __tablename__ = "parks"
    __table_args__ = (one_of("size", ParkSize), one_of("verification", ("pending", "verified", "rejected")))

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"), primary_key=True)
    size: Mapped[Code]
    verification: Mapped[Code]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    decision_note: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime]
