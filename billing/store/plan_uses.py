"""What of a plan's units a park has used, month by month, and which order line used how much."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Integer, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.kernel.database import Base, Code, TenantOwned


class PlanCounter(TenantOwned, Base):
    """How many units of an offering are used of a month of a subscription, and how many of these cost nothing."""

    __tablename__ = "plan_counters"
    __table_args__ = (CheckConstraint("included BETWEEN 0 AND units", name="included"),)

    month_from: Mapped[date] = mapped_column(primary_key=True)
    offering: Mapped[Code] = mapped_column(primary_key=True)
    units: Mapped[int] = mapped_column(Integer)
    included: Mapped[int] = mapped_column(Integer)


class PlanUse(TenantOwned, Base):
    """What an order line counts, until the line ends undelivered and gives it back."""

    __tablename__ = "plan_uses"
    __table_args__ = (CheckConstraint("units > 0 AND included BETWEEN 0 AND units", name="included"),)

    order_line_id: Mapped[UUID] = mapped_column(primary_key=True)
    month_from: Mapped[date]
    offering: Mapped[Code]
    units: Mapped[int] = mapped_column(Integer)
    included: Mapped[int] = mapped_column(Integer)
    given_back_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Used:
    """What is used of an offering in a month."""

    units: int = 0
    included: int = 0


_COUNT = text(
    """
    INSERT INTO plan_counters AS c (tenant_id, month_from, offering, units, included)
    VALUES (:tenant_id, :month_from, :offering, :units, :included)
    ON CONFLICT (tenant_id, month_from, offering)
    DO UPDATE SET units = c.units + excluded.units, included = c.included + excluded.included
    WHERE c.units + excluded.units <= :most AND c.included + excluded.included <= :most_included
    RETURNING units
    """
)


def used_of(session: Session, tenant_id: UUID, month_from: date, offerings: Collection[str]) -> dict[str, Used]:
    """Return what is used of some offerings in a month; nothing where nothing was counted."""
    query = select(PlanCounter).where(
        PlanCounter.tenant_id == tenant_id,
        PlanCounter.month_from == month_from,
        PlanCounter.offering.in_(offerings),
    )
    rows = session.execute(query.execution_options(populate_existing=True)).scalars()
    return dict.fromkeys(offerings, Used()) | {row.offering: Used(row.units, row.included) for row in rows}


def count(
    session: Session,
    tenant_id: UUID,
    month_from: date,
    offering: str,
    wanted: Used,
    most: int | None,
    most_included: int,
) -> bool:
    """Count units; False when they would pass ``most``, or those that cost nothing ``most_included``.

    One statement: of two orders at once the second one waits and then counts on what the first has left.
    """
    limit = 2**31 - 1 if most is None else most
    if wanted.units > limit or wanted.included > most_included:
        return False
    values = {
        "tenant_id": tenant_id,
        "month_from": month_from,
        "offering": offering,
        "units": wanted.units,
        "included": wanted.included,
        "most": limit,
        "most_included": most_included,
    }
    return session.execute(_COUNT, values).scalar_one_or_none() is not None


def insert_uses(session: Session, uses: list[Mapping[str, object]]) -> None:
    """Write what order lines count."""
    session.execute(insert(PlanUse), uses)


def keep_part(session: Session, tenant_id: UUID, order_line_id: UUID, kept: Used) -> None:
    """Let an order line count only what is kept of its units."""
    counting = (
        select(PlanUse)
        .where(PlanUse.tenant_id == tenant_id, PlanUse.order_line_id == order_line_id, PlanUse.given_back_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    use = session.execute(counting).scalar_one_or_none()
    if use is None:
        return
    back = Used(use.units - kept.units, use.included - kept.included)
    session.execute(
        update(PlanUse)
        .where(PlanUse.tenant_id == tenant_id, PlanUse.order_line_id == order_line_id)
        .values(units=kept.units, included=kept.included)
    )
    _take_off(session, tenant_id, use.offering, use.month_from, back)


def give_back(session: Session, tenant_id: UUID, order_line_ids: Collection[UUID], at: datetime) -> None:
    """Take off the counters what order lines count, once, in the order in which they are counted."""
    taken = (
        update(PlanUse)
        .where(
            PlanUse.tenant_id == tenant_id, PlanUse.order_line_id.in_(order_line_ids), PlanUse.given_back_at.is_(None)
        )
        .values(given_back_at=at)
        .returning(PlanUse.offering, PlanUse.month_from, PlanUse.units, PlanUse.included)
    )
    back: dict[tuple[str, date], Used] = {}
    for row in session.execute(taken):
        before = back.get((row.offering, row.month_from), Used())
        back[row.offering, row.month_from] = Used(before.units + row.units, before.included + row.included)
    for (offering, month_from), used in sorted(back.items(), key=lambda each: each[0]):
        _take_off(session, tenant_id, offering, month_from, used)


def _take_off(session: Session, tenant_id: UUID, offering: str, month_from: date, used: Used) -> None:
    session.execute(
        update(PlanCounter)
        .where(
            PlanCounter.tenant_id == tenant_id,
            PlanCounter.month_from == month_from,
            PlanCounter.offering == offering,
        )
        .values(units=PlanCounter.units - used.units, included=PlanCounter.included - used.included)
    )
