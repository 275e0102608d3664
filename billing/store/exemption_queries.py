"""Reads of case-by-case decisions with what was given under them, their locks, and the register's new rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, String, and_, cast, distinct, func, insert, literal, or_, select
from sqlalchemy.orm import Session

from billing.store.evidence import EvidenceFile
from billing.store.exemptions import IN_FORCE, Exemption, ExemptionUse
from billing.store.funds import CapCounter, Hold
from billing.store.programmes import Programme

SCOPE = "exemption"
"""Scope of the counter that keeps a decision's limit; its key is the decision's id."""
_COUNTING = ("held", "captured")


@dataclass(frozen=True)
class FoundExemption:
    """A decision with its programme and what of its limits is used."""

    row: Exemption
    programme: str
    programme_name: str
    programme_name_en: str
    used_fen: int
    orders: int


def find(session: Session, *conditions: ColumnElement[bool], limit: int | None = None) -> Sequence[FoundExemption]:
    """Return the decisions for which all conditions hold, newest first, as they are now."""
    counter = and_(
        CapCounter.owner_id == Exemption.tenant_id,
        CapCounter.programme == Programme.slug,
        CapCounter.scope == SCOPE,
        CapCounter.key == cast(Exemption.id, String),
        CapCounter.period == "",
    )
    query = (
        select(
            Exemption, Programme.slug, Programme.name, Programme.name_en,
            func.coalesce(CapCounter.used_fen, 0), _orders(),
        )
        .join(Programme, Programme.id == Exemption.programme_id)
        .outerjoin(CapCounter, counter)
        .where(*conditions)
        .order_by(Exemption.written_at.desc(), Exemption.id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )  # fmt: skip
    return [FoundExemption(*row) for row in session.execute(query)]


def _orders() -> ColumnElement[int]:
    """Return how many orders count: those of which some line still holds or has captured public money."""
    alive = (
        select(literal(1))
        .where(
            Hold.tenant_id == ExemptionUse.tenant_id,
            Hold.order_line_id == ExemptionUse.order_line_id,
            Hold.programme == ExemptionUse.programme,
            Hold.status.in_(_COUNTING),
        )
        .exists()
    )
    return (
        select(func.count(distinct(ExemptionUse.quote_id)))
        .where(ExemptionUse.tenant_id == Exemption.tenant_id, ExemptionUse.exemption_id == Exemption.id, alive)
        .correlate(Exemption)
        .scalar_subquery()
    )


def in_force(session: Session, tenant_id: UUID, at: datetime) -> Sequence[FoundExemption]:
    """Return a park's decisions that count at ``at`` and have orders left."""
    own = find(session, Exemption.tenant_id == tenant_id, Exemption.status == IN_FORCE, Exemption.expires_at > at)
    return [each for each in own if each.row.order_limit is None or each.orders < each.row.order_limit]


def page(
    session: Session, tenant_id: UUID | None, before: tuple[object, UUID] | None, limit: int
) -> Sequence[FoundExemption]:
    """Return up to ``limit`` decisions, newest first, of one park or of all that the transaction sees."""
    conditions: list[ColumnElement[bool]] = []
    if tenant_id is not None:
        conditions.append(Exemption.tenant_id == tenant_id)
    if before is not None:
        at, exemption_id = before
        older = and_(Exemption.written_at == at, Exemption.id < exemption_id)
        conditions.append(or_(Exemption.written_at < at, older))
    return find(session, *conditions, limit=limit)


def lock(session: Session, exemption_id: UUID) -> Exemption | None:
    """Return a decision under lock: it is decided by one person at a time."""
    query = select(Exemption).where(Exemption.id == exemption_id).with_for_update(key_share=True)
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def has_evidence(session: Session, tenant_id: UUID, evidence_id: UUID) -> bool:
    """Tell whether a park has a file of evidence."""
    query = select(EvidenceFile.id).where(EvidenceFile.tenant_id == tenant_id, EvidenceFile.id == evidence_id)
    return session.execute(query).scalar() is not None


def insert_uses(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Add to the register what order lines were promised."""
    session.execute(insert(ExemptionUse), list(rows))


def uses_of(session: Session, tenant_id: UUID, exemption_id: UUID) -> Sequence[tuple[ExemptionUse, int, int, str]]:
    """Return the uses of a decision, oldest first, each with what its holds still hold, have captured, and say."""
    held = func.coalesce(func.sum(Hold.amount_fen).filter(Hold.status == "held"), 0)
    captured = func.coalesce(func.sum(Hold.captured_fen), 0)
    query = (
        select(ExemptionUse, held, captured, func.coalesce(func.min(Hold.status), ""))
        .outerjoin(
            Hold,
            and_(
                Hold.tenant_id == ExemptionUse.tenant_id,
                Hold.order_line_id == ExemptionUse.order_line_id,
                Hold.programme == ExemptionUse.programme,
            ),
        )
        .where(ExemptionUse.tenant_id == tenant_id, ExemptionUse.exemption_id == exemption_id)
        .group_by(ExemptionUse.tenant_id, ExemptionUse.exemption_id, ExemptionUse.order_line_id)
        .order_by(ExemptionUse.created_at, ExemptionUse.order_line_id)
    )
    return [(use, int(held), int(captured), status) for use, held, captured, status in session.execute(query)]
