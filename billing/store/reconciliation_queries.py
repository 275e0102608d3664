"""What reconciliation compares: the same money as each step of its way knows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.rules.meters import UsageEvent as RulesEvent
from billing.store.claims import ClaimBatch, ClaimLine
from billing.store.funds import Envelope, Fund, Hold
from billing.store.invoices import InvoiceLine
from billing.store.ledger import Posting
from billing.store.programmes import Price
from billing.store.usage import RatedUsage, UsageEvent

READ_AT_ONCE = 1000


@dataclass(frozen=True)
class FundBalance:
    """What a fund owes by its own register and by the books; both over all time."""

    id: UUID
    slug: str
    name: str
    register_fen: int
    books_fen: int


@dataclass(frozen=True)
class HoldAmounts:
    """What a delivery captured of a hold, and what its claim says (None: there is none)."""

    hold_id: UUID
    fund_id: UUID
    captured_fen: int
    claimed_fen: int | None


def rated_of_month(session: Session, period: str) -> Iterator[tuple[RatedUsage, RulesEvent, UUID, int | None]]:
    """Yield a month's rated usage with its event, its price's id, and the amount on its invoice line, if any."""
    query = (
        select(
            RatedUsage,
            UsageEvent.type,
            UsageEvent.subject,
            UsageEvent.time,
            UsageEvent.data,
            InvoiceLine.gross_fen,
        )
        .join(
            UsageEvent,
            (UsageEvent.tenant_id == RatedUsage.tenant_id)
            & (UsageEvent.source == RatedUsage.event_source)
            & (UsageEvent.event_id == RatedUsage.event_id),
        )
        .outerjoin(
            InvoiceLine,
            (InvoiceLine.tenant_id == RatedUsage.tenant_id)
            & (InvoiceLine.rated_usage_id == RatedUsage.id)
            & ~InvoiceLine.voided,
        )
        .where(RatedUsage.period == period)
        .order_by(RatedUsage.tenant_id, RatedUsage.id)
        .execution_options(yield_per=READ_AT_ONCE)
    )
    for usage, event_type, subject, time, data, invoiced_fen in session.execute(query):
        event = RulesEvent(usage.event_id, usage.event_source, event_type, subject, time, data)
        yield usage, event, usage.price_id, invoiced_fen


def prices_of_month(session: Session, period: str) -> dict[UUID, Price]:
    """Return the prices that a month's usage was rated by."""
    used = select(RatedUsage.price_id).where(RatedUsage.period == period)
    return {price.id: price for price in session.execute(select(Price).where(Price.id.in_(used))).scalars()}


def holds_of_month(session: Session, period: str) -> Sequence[HoldAmounts]:
    """Return the captured holds of a month's deliveries beside their claim lines."""
    query = (
        select(Hold.id, Hold.fund_id, Hold.captured_fen, ClaimLine.amount_fen)
        .join(
            RatedUsage,
            (RatedUsage.tenant_id == Hold.tenant_id) & (RatedUsage.order_line_id == Hold.order_line_id),
        )
        .outerjoin(ClaimLine, (ClaimLine.tenant_id == Hold.tenant_id) & (ClaimLine.hold_id == Hold.id))
        .where(RatedUsage.period == period)
    )
    return [HoldAmounts(*row) for row in session.execute(query)]


def fund_balances(session: Session) -> Sequence[FundBalance]:
    """Return what each fund owes: captured and not yet disbursed."""
    register = (
        select(Envelope.fund_id, func.sum(Envelope.captured_fen).label("fen")).group_by(Envelope.fund_id).subquery()
    )
    funds = session.execute(
        select(Fund.id, Fund.slug, Fund.name, func.coalesce(register.c.fen, 0))
        .outerjoin(register, register.c.fund_id == Fund.id)
        .order_by(Fund.slug)
    ).all()
    signed = func.sum(Posting.amount_fen).filter(Posting.side == "debit")
    credit = func.coalesce(func.sum(Posting.amount_fen).filter(Posting.side == "credit"), 0)
    owed = select(Posting.account, func.coalesce(signed, 0) - credit).where(
        Posting.account.in_([f"receivable:fund:{row.id}" for row in funds])
    )
    books = {account: int(fen) for account, fen in session.execute(owed.group_by(Posting.account))}
    return [
        FundBalance(row[0], row[1], row[2], int(row[3]), books.get(f"receivable:fund:{row[0]}", 0)) for row in funds
    ]


def claims_of_month(session: Session, period: str) -> Sequence[tuple[ClaimLine, ClaimBatch, Fund, Hold]]:
    """Return the claim lines of a month's batches."""
    query = (
        select(ClaimLine, ClaimBatch, Fund, Hold)
        .join(ClaimBatch, ClaimBatch.id == ClaimLine.batch_id)
        .join(Fund, Fund.id == ClaimBatch.fund_id)
        .join(Hold, (Hold.tenant_id == ClaimLine.tenant_id) & (Hold.id == ClaimLine.hold_id))
        .where(ClaimBatch.period == period)
        .order_by(Fund.slug, ClaimLine.created_at, ClaimLine.id)
    )
    return [(line, batch, fund, hold) for line, batch, fund, hold in session.execute(query)]
