"""What persons of parks ask for to be qualified, and what providers did with it. Both are only added to.

What keeps the unqualified out are policies of ``bookings``: they wait for a revocation that is being made and then look.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from services.rules.qualifications import QualificationStep
from tenants.kernel.database import Base, Code, Name, TenantOwned, one_of, owned_reference

_LOCK = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('qualification:' || CAST(:park AS text) || ':'"
    " || CAST(:provider AS text), 0))"
)


class QualificationRequest(TenantOwned, Base):
    """A person asks a provider for a qualification by its name, with evidence. It is good for all its instruments that name it."""

    __tablename__ = "qualification_requests"
    __table_args__ = (
        # Who asks twice at once asks once.
        Index(
            "uq_qualification_requests_number",
            "tenant_id",
            "provider_id",
            "person_id",
            "qualification",
            "number",
            unique=True,
        ),
        owned_reference("artefact_id", "artefacts"),
        CheckConstraint("number >= 1 AND length(qualification) >= 1 AND length(evidence) >= 1", name="asked"),
        Index(None, "provider_id", "asked_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[UUID]
    provider_name: Mapped[Name]
    qualification: Mapped[str] = mapped_column(String(100))
    person_id: Mapped[UUID]
    person_name: Mapped[Name]
    number: Mapped[int] = mapped_column(SmallInteger)
    """Which request of the person for this qualification it is, from 1 on."""
    evidence: Mapped[str] = mapped_column(String(2000))
    artefact_id: Mapped[UUID | None]
    asked_at: Mapped[datetime]


class QualificationDecision(TenantOwned, Base):
    """A step of a named person of the provider: the first answers the request, the second takes a grant back."""

    __tablename__ = "qualification_steps"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "request_id"],
            ["qualification_requests.tenant_id", "qualification_requests.id"],
            name="fk_qualification_steps_request",
        ),
        UniqueConstraint("tenant_id", "request_id", "step"),
        # Only what was granted is taken back: the row names the grant.
        ForeignKeyConstraint(
            ["tenant_id", "request_id", "undoes"],
            ["qualification_steps.tenant_id", "qualification_steps.request_id", "qualification_steps.step"],
            name="fk_qualification_steps_undoes",
        ),
        one_of("step", QualificationStep),
        CheckConstraint("number = CASE step WHEN 'revoked' THEN 2 ELSE 1 END", name="place"),
        CheckConstraint("undoes IS NOT DISTINCT FROM CASE step WHEN 'revoked' THEN 'granted' END", name="undoes"),
        CheckConstraint("(step = 'granted') = (valid_until IS NOT NULL)", name="validity"),
        CheckConstraint("step = 'granted' OR length(reason) >= 1", name="reason"),
    )

    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    step: Mapped[Code]
    undoes: Mapped[Code | None]
    valid_until: Mapped[date | None]
    """The last day on which it holds, in China."""
    reason: Mapped[str] = mapped_column(String(500))
    taken_by: Mapped[UUID]
    taken_by_name: Mapped[Name]
    taken_at: Mapped[datetime]


def lock_out_bookings(session: Session, park_id: UUID, provider_id: UUID) -> None:
    """Let no booking that needs a qualification be made or changed by a park at a provider until the transaction ends;
    waits for those that are being made.

    Who calls this holds no other lock: a checkout that waits here may hold any.
    """
    session.execute(_LOCK, {"park": park_id, "provider": provider_id})
