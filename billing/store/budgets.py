"""Budgets of parks, what of each period is used, and which order line used how much."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, String, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.kernel.database import Base, Code, TenantOwned, one_of, owned_reference
from tenants.kernel.writing import rows_written


class BudgetRow(TenantOwned, Base):
    """A limit on a park's orders. It is ended, never edited; of one sort only one runs at a time."""

    __tablename__ = "budgets"
    __table_args__ = (
        one_of("scope", ("park", "offering", "person")),
        one_of("measure", ("payable_fen", "gross_fen", "quantity")),
        one_of("period", ("month", "year")),
        CheckConstraint('"limit" >= 0', name="limit"),
        CheckConstraint("(scope = 'park') = (key = '')", name="key"),
        CheckConstraint("(ended_by IS NULL) = (ended_at IS NULL)", name="ended"),
        Index(
            "uq_budgets_running", "tenant_id", "scope", "key", "measure", "period", "imposed",
            unique=True, postgresql_where="ended_at IS NULL",
        ),
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(primary_key=True)
    scope: Mapped[Code]
    key: Mapped[str] = mapped_column(String(64))
    measure: Mapped[Code]
    period: Mapped[Code]
    limit: Mapped[int] = mapped_column(BigInteger)
    hard_stop: Mapped[bool]
    shares_bp: Mapped[list[Any]]
    imposed: Mapped[bool]
    """Set by the platform: the park sees it and cannot end it."""
    set_by: Mapped[UUID]
    set_at: Mapped[datetime]
    ended_by: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]


class BudgetCounter(TenantOwned, Base):
    """What of a budget is used in one period."""

    __tablename__ = "budget_counters"
    __table_args__ = (
        owned_reference("budget_id", "budgets"),
        CheckConstraint("used >= 0", name="not_negative"),
    )

    budget_id: Mapped[UUID] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(String(7), primary_key=True)
    used: Mapped[int] = mapped_column(BigInteger)


class BudgetUse(TenantOwned, Base):
    """What an order line or a subscription's fee counts on a budget, until a line ends undelivered and gives it back."""

    __tablename__ = "budget_uses"
    __table_args__ = (
        owned_reference("budget_id", "budgets"),
        CheckConstraint("amount > 0", name="positive"),
    )

    order_line_id: Mapped[UUID] = mapped_column(primary_key=True)
    budget_id: Mapped[UUID] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(String(7))
    amount: Mapped[int] = mapped_column(BigInteger)
    given_back_at: Mapped[datetime | None]


_COUNT = text(
    """
    INSERT INTO budget_counters AS c (tenant_id, budget_id, period, used)
    VALUES (:tenant_id, :budget_id, :period, :amount)
    ON CONFLICT (tenant_id, budget_id, period) DO UPDATE SET used = c.used + excluded.used
    WHERE c.used + excluded.used <= :limit
    RETURNING used
    """
)


def running(session: Session, tenant_id: UUID) -> Sequence[BudgetRow]:
    """Return a park's budgets that run, in the order in which they are counted."""
    query = select(BudgetRow).where(BudgetRow.tenant_id == tenant_id, BudgetRow.ended_at.is_(None))
    return session.execute(query.order_by(BudgetRow.id).execution_options(populate_existing=True)).scalars().all()


def budget_of(session: Session, tenant_id: UUID, budget_id: UUID) -> BudgetRow | None:
    """Return a budget, run or ended."""
    query = select(BudgetRow).where(BudgetRow.tenant_id == tenant_id, BudgetRow.id == budget_id)
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def end(session: Session, tenant_id: UUID, budget_id: UUID, *, by: UUID, at: datetime) -> bool:
    """End a budget; False when it has ended."""
    ending = (
        update(BudgetRow)
        .where(BudgetRow.tenant_id == tenant_id, BudgetRow.id == budget_id, BudgetRow.ended_at.is_(None))
        .values(ended_by=by, ended_at=at)
    )
    return rows_written(session, ending) == 1


def used(session: Session, tenant_id: UUID, wanted: Collection[tuple[UUID, str]]) -> dict[tuple[UUID, str], int]:
    """Return what of some budgets is used in some periods; 0 where nothing was counted."""
    rows = session.execute(
        select(BudgetCounter.budget_id, BudgetCounter.period, BudgetCounter.used).where(
            BudgetCounter.tenant_id == tenant_id, BudgetCounter.budget_id.in_({budget for budget, _ in wanted})
        )
    )
    found = {(row.budget_id, row.period): row.used for row in rows}
    return {each: found.get(each, 0) for each in wanted}


def count(
    session: Session, tenant_id: UUID, budget_id: UUID, period: str, amount: int, limit: int | None
) -> int | None:
    """Count an amount on a budget and return what is used now; None when it would pass ``limit``.

    One statement: of two orders at once the second one waits and then counts on what the first has left.
    """
    most = 2**62 if limit is None else limit
    if amount > most:
        return None
    values = {"tenant_id": tenant_id, "budget_id": budget_id, "period": period, "amount": amount, "limit": most}
    return session.execute(_COUNT, values).scalar_one_or_none()


def counted_on(session: Session, tenant_id: UUID, line_id: UUID) -> set[UUID]:
    """Return the budgets on which an order line or a fee was counted."""
    query = select(BudgetUse.budget_id).where(BudgetUse.tenant_id == tenant_id, BudgetUse.order_line_id == line_id)
    return set(session.execute(query).scalars())


def keep_part(session: Session, tenant_id: UUID, order_line_id: UUID, kept: Mapping[str, int], at: datetime) -> None:
    """Let an order line count only what is kept of it, by measure; what counts nothing any more is given back.

    In the order in which budgets are counted.
    """
    counting = (
        select(BudgetUse, BudgetRow.measure)
        .join(BudgetRow, (BudgetRow.tenant_id == BudgetUse.tenant_id) & (BudgetRow.id == BudgetUse.budget_id))
        .where(
            BudgetUse.tenant_id == tenant_id,
            BudgetUse.order_line_id == order_line_id,
            BudgetUse.given_back_at.is_(None),
        )
        .order_by(BudgetUse.budget_id, BudgetUse.period)
        .with_for_update(of=BudgetUse)
        .execution_options(populate_existing=True)
    )
    for use, measure in session.execute(counting).all():
        left = min(use.amount, kept[measure])
        _take_off(session, tenant_id, use.budget_id, use.period, use.amount - left)
        values = {"amount": left} if left else {"given_back_at": at}
        session.execute(
            update(BudgetUse)
            .where(
                BudgetUse.tenant_id == tenant_id,
                BudgetUse.order_line_id == order_line_id,
                BudgetUse.budget_id == use.budget_id,
            )
            .values(values)
        )


def give_back(session: Session, tenant_id: UUID, order_line_ids: Collection[UUID], at: datetime) -> None:
    """Take off the budgets what order lines count on them, once, in the order in which budgets are counted."""
    taken = (
        update(BudgetUse)
        .where(
            BudgetUse.tenant_id == tenant_id,
            BudgetUse.order_line_id.in_(order_line_ids),
            BudgetUse.given_back_at.is_(None),
        )
        .values(given_back_at=at)
        .returning(BudgetUse.budget_id, BudgetUse.period, BudgetUse.amount)
    )
    back: dict[tuple[UUID, str], int] = {}
    for row in session.execute(taken):
        back[row.budget_id, row.period] = back.get((row.budget_id, row.period), 0) + row.amount
    for (budget_id, period), amount in sorted(back.items()):
        _take_off(session, tenant_id, budget_id, period, amount)


def _take_off(session: Session, tenant_id: UUID, budget_id: UUID, period: str, amount: int) -> None:
    session.execute(
        update(BudgetCounter)
        .where(
            BudgetCounter.tenant_id == tenant_id,
            BudgetCounter.budget_id == budget_id,
            BudgetCounter.period == period,
        )
        .values(used=BudgetCounter.used - amount)
    )
