"""Test requests for submitted samples, the samples, and each sample's chain of custody, which is only added to."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from tenants.kernel.database import Base, Code, TenantOwned, one_of, owned_reference


class SampleBatch(TenantOwned, Base):
    """A park's request to have some samples tested by a provider: one line of an order, or a retest that is free."""

    __tablename__ = "sample_batches"
    __table_args__ = (
        owned_reference("retest_of", "sample_batches"),
        UniqueConstraint("tenant_id", "number"),
        one_of("status", ("registered", "received", "testing", "reported", "cancelled", "failed")),
        one_of("retest_cause", ("lab_error", "park_wish")),
        CheckConstraint(
            "round >= 1 AND (round = 1) = (retest_of IS NULL) AND (retest_of IS NULL) = (retest_cause IS NULL)",
            name="round",
        ),
        CheckConstraint("(order_line_id IS NULL) = coalesce(retest_cause = 'lab_error', false)", name="who_pays"),
        CheckConstraint("(received_at IS NULL) = (due_at IS NULL)", name="due"),
        CheckConstraint("begun_at IS NULL OR received_at <= begun_at", name="order"),
        CheckConstraint(
            "CASE status WHEN 'registered' THEN received_at IS NULL WHEN 'received' THEN received_at IS NOT NULL AND"
            " begun_at IS NULL WHEN 'testing' THEN begun_at IS NOT NULL WHEN 'reported' THEN begun_at IS NOT NULL"
            " ELSE true END",
            name="steps",
        ),
        CheckConstraint("(status IN ('reported', 'cancelled', 'failed')) = (closed_at IS NOT NULL)", name="closed"),
        CheckConstraint("(status = 'reported') = (report_sha256 IS NOT NULL)", name="report"),
        CheckConstraint("(status = 'failed') = (failure_reason IS NOT NULL)", name="failure"),
        Index(None, "provider_id", "created_at"),
        # A request is repeated once at a time; who wants it again repeats the retest.
        Index(
            "uq_sample_batches_retest",
            "tenant_id",
            "retest_of",
            unique=True,
            postgresql_where=text("status NOT IN ('cancelled', 'failed')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[UUID]
    offering: Mapped[Code]
    number: Mapped[Code]
    tests: Mapped[list[Any]]
    status: Mapped[Code]
    round: Mapped[int] = mapped_column(SmallInteger)
    retest_of: Mapped[UUID | None]
    retest_cause: Mapped[Code | None]
    retest_reason: Mapped[str | None] = mapped_column(String(500))
    order_line_id: Mapped[UUID | None]
    """The line of the order it was asked by, none for a free retest; the marketplace owns that table: no foreign key."""
    arrive_by: Mapped[datetime]
    due_at: Mapped[datetime | None]
    ordered_by: Mapped[UUID | None]
    created_at: Mapped[datetime]
    received_at: Mapped[datetime | None]
    begun_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None]
    closed_at: Mapped[datetime | None]
    passed: Mapped[bool | None]
    report_sha256: Mapped[str | None] = mapped_column(String(64))
    failure_reason: Mapped[str | None] = mapped_column(String(500))


class Sample(TenantOwned, Base):
    """One sample, known by the number on its label. Never changed."""

    __tablename__ = "samples"
    __table_args__ = (
        owned_reference("batch_id", "sample_batches"),
        UniqueConstraint("tenant_id", "batch_id", "position"),
        UniqueConstraint("tenant_id", "number"),
        CheckConstraint("position >= 1", name="position"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    batch_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(SmallInteger)
    number: Mapped[Code]
    name: Mapped[str] = mapped_column(String(100))
    material: Mapped[str] = mapped_column(String(100))


class SampleCustody(TenantOwned, Base):
    """What happened to a sample: who had it, when, where, in which condition. Added to, never changed."""

    __tablename__ = "sample_custody"
    __table_args__ = (
        owned_reference("sample_id", "samples"),
        one_of(
            "step",
            ("registered", "sent", "received", "testing", "reported", "moved", "stored", "returned", "disposed"),
        ),
        CheckConstraint("person <> '' AND at <= noted_at", name="named"),
        Index(None, "tenant_id", "sample_id"),
        Index(
            "uq_sample_custody_step",
            "tenant_id",
            "sample_id",
            "step",
            unique=True,
            postgresql_where=text("step IN ('registered', 'received', 'testing', 'reported')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    sample_id: Mapped[UUID]
    step: Mapped[Code]
    at: Mapped[datetime]
    place: Mapped[str] = mapped_column(String(200))
    condition: Mapped[str] = mapped_column(String(200))
    person: Mapped[str] = mapped_column(String(100))
    """Who had the sample then, as the noting person wrote it."""
    noted_by: Mapped[UUID | None]
    noted_at: Mapped[datetime]
