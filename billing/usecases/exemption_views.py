"""A case-by-case decision as it is read: what was decided by whom, what it has given, and whether it still counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from billing.store.exemption_queries import FoundExemption
from billing.store.exemptions import IN_FORCE


class ExemptionState(StrEnum):
    """Where a decision is at a moment. The last three are final; only ``in_force`` gives anything."""

    SUBMITTED = "submitted"
    FIRST_APPROVED = "first_approved"
    IN_FORCE = "in_force"
    REVOKED = "revoked"
    EXPIRED = "expired"
    USED_UP = "used_up"


@dataclass(frozen=True)
class ExemptionView:
    """An exception from a programme's terms for one park.

    ``terms`` are as ``formats.exemptions`` writes them. ``used_fen`` and ``orders`` are what counts against
    ``limit_fen`` and ``order_limit`` now: what was given back no longer does.
    """

    id: UUID
    park_id: UUID
    park_name: str
    programme: str
    programme_name: str
    programme_name_en: str
    offering: str | None
    terms: Mapping[str, Any]
    limit_fen: int
    used_fen: int
    order_limit: int | None
    orders: int
    document_no: str
    evidence_id: UUID
    reason: str
    expires_at: datetime
    state: ExemptionState
    written_by: UUID
    written_at: datetime
    first_approved_by: UUID | None
    first_approved_at: datetime | None
    second_approved_by: UUID | None
    second_approved_at: datetime | None
    revoked_by: UUID | None
    revoked_at: datetime | None
    revoked_reason: str

    @property
    def left_fen(self) -> int:
        """What it may still give."""
        return self.limit_fen - self.used_fen

    @property
    def is_undecided(self) -> bool:
        """Tell whether it waits for an approver."""
        return self.state in {ExemptionState.SUBMITTED, ExemptionState.FIRST_APPROVED}

    @property
    def deciders(self) -> frozenset[UUID]:
        """Who has written or approved it, and so may not approve it any more."""
        return frozenset(
            person for person in (self.written_by, self.first_approved_by, self.second_approved_by) if person
        )


@dataclass(frozen=True)
class ExemptionUseView:
    """What one order line got under a decision: promised, still held, and captured. ``quote_id`` names its order."""

    order_line_id: UUID
    quote_id: UUID
    programme: str
    version: int
    offering: str
    amount_fen: int
    held_fen: int
    captured_fen: int
    status: str
    created_at: datetime


def view_of(found: FoundExemption, park_name: str, now: datetime) -> ExemptionView:
    """Return a decision as it is at ``now``."""
    row = found.row
    return ExemptionView(
        id=row.id,
        park_id=row.tenant_id,
        park_name=park_name,
        programme=found.programme,
        programme_name=found.programme_name,
        programme_name_en=found.programme_name_en,
        offering=row.offering or None,
        terms=row.terms,
        limit_fen=row.limit_fen,
        used_fen=found.used_fen,
        order_limit=row.order_limit,
        orders=found.orders,
        document_no=row.document_no,
        evidence_id=row.evidence_id,
        reason=row.reason,
        expires_at=row.expires_at,
        state=_state(found, now),
        written_by=row.written_by,
        written_at=row.written_at,
        first_approved_by=row.first_approved_by,
        first_approved_at=row.first_approved_at,
        second_approved_by=row.second_approved_by,
        second_approved_at=row.second_approved_at,
        revoked_by=row.revoked_by,
        revoked_at=row.revoked_at,
        revoked_reason=row.revoked_reason,
    )


def _state(found: FoundExemption, now: datetime) -> ExemptionState:
    row = found.row
    if row.status != "revoked" and row.expires_at <= now:
        return ExemptionState.EXPIRED
    orders_gone = row.order_limit is not None and found.orders >= row.order_limit
    if row.status == IN_FORCE and (orders_gone or found.used_fen >= row.limit_fen):
        return ExemptionState.USED_UP
    return ExemptionState(row.status)
