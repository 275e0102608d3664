"""Reads and writes of clawbacks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.store.clawbacks import Clawback, ClawbackPart, ClawbackRepayment
from billing.store.funds import Fund, Hold
from tenants.kernel.writing import rows_written


@dataclass(frozen=True)
class Part:
    """What a case asks of one hold, and where that money is from."""

    hold_id: UUID
    fund_id: UUID
    fund: str
    fund_name: str
    programme: str
    amount_fen: int
    withdrawn_fen: int
    recalled_fen: int
    repaid_fen: int

    @property
    def outstanding_fen(self) -> int:
        """Return what was paid out, is asked back, and has not come."""
        return self.recalled_fen - self.repaid_fen


def insert_case(session: Session, case: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> None:
    """Write a new case with its parts."""
    session.execute(insert(Clawback).values(case))
    session.execute(insert(ClawbackPart), list(parts))


def case_of(session: Session, clawback_id: UUID, *, lock: bool = False) -> Clawback | None:
    """Return a case that the transaction may see, under lock where asked."""
    query = select(Clawback).where(Clawback.id == clawback_id).execution_options(populate_existing=True)
    return session.execute(query.with_for_update(key_share=True) if lock else query).scalar_one_or_none()


def parts_of(session: Session, clawback_ids: Collection[UUID]) -> dict[UUID, list[Part]]:
    """Return the parts of some cases, in the order of the holds."""
    query = (
        select(
            ClawbackPart.clawback_id,
            ClawbackPart.hold_id,
            Hold.fund_id,
            Fund.slug,
            Fund.name,
            Hold.programme,
            ClawbackPart.amount_fen,
            ClawbackPart.withdrawn_fen,
            ClawbackPart.recalled_fen,
            ClawbackPart.repaid_fen,
        )
        .join(Hold, (Hold.tenant_id == ClawbackPart.tenant_id) & (Hold.id == ClawbackPart.hold_id))
        .join(Fund, Fund.id == Hold.fund_id)
        .where(ClawbackPart.clawback_id.in_(clawback_ids))
        .order_by(ClawbackPart.hold_id)
    )
    found: dict[UUID, list[Part]] = {clawback_id: [] for clawback_id in clawback_ids}
    for clawback_id, *columns in session.execute(query):
        found[clawback_id].append(Part(*columns))
    return found


def change_part(session: Session, clawback_id: UUID, hold_id: UUID, **amounts: int) -> None:
    """Add to amounts of a part whose case is under lock."""
    session.execute(
        update(ClawbackPart)
        .where(ClawbackPart.clawback_id == clawback_id, ClawbackPart.hold_id == hold_id)
        .values({name: getattr(ClawbackPart, name) + fen for name, fen in amounts.items()})
        .execution_options(synchronize_session=False)
    )


def insert_repayment(session: Session, values: Mapping[str, Any]) -> bool:
    """Write a repayment; False when its reference has counted before."""
    once = ["tenant_id", "method", "reference"]
    written = insert(ClawbackRepayment).values(values).on_conflict_do_nothing(index_elements=once)
    return rows_written(session, written) == 1


def repayment_by_reference(
    session: Session, tenant_id: UUID, method: str, reference: str
) -> ClawbackRepayment | None:  # fmt: skip
    """Return the repayment that a reference has counted for."""
    return session.execute(
        select(ClawbackRepayment).where(
            ClawbackRepayment.tenant_id == tenant_id,
            ClawbackRepayment.method == method,
            ClawbackRepayment.reference == reference,
        )
    ).scalar_one_or_none()


def repayments_of(session: Session, clawback_id: UUID) -> Sequence[ClawbackRepayment]:
    """Return what came for a case, in order."""
    query = select(ClawbackRepayment).where(ClawbackRepayment.clawback_id == clawback_id)
    return session.execute(query.order_by(ClawbackRepayment.recorded_at, ClawbackRepayment.id)).scalars().all()


def cases_of_lines(session: Session, order_line_ids: Collection[UUID]) -> Sequence[Clawback]:
    """Return the cases about some order lines, oldest first."""
    query = select(Clawback).where(Clawback.order_line_id.in_(order_line_ids)).order_by(Clawback.opened_at, Clawback.id)
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()


def case_page(
    session: Session, *, status: str | None, park_id: UUID | None, before: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Clawback]:
    """Return up to ``limit`` cases, newest first, of one park or of all that the transaction sees."""
    query = select(Clawback).order_by(Clawback.opened_at.desc(), Clawback.id.desc()).limit(limit)
    for column, wanted in ((Clawback.status, status), (Clawback.tenant_id, park_id)):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        at, clawback_id = before
        query = query.where((Clawback.opened_at < at) | ((Clawback.opened_at == at) & (Clawback.id < clawback_id)))
    return session.execute(query.execution_options(populate_existing=True)).scalars().all()
