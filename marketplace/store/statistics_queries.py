"""Reads for statistics: each one statement over a period, summed per park, service and month by the database.

A report joins what three packages hold. The tables are taken by name from the schema they share, and only read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Date, Table, Text, case, cast, func, literal, select
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from marketplace.rules.statistics import AidFact, DeliveryFact, PayoutFact
from marketplace.store.orders import OrderLine
from tenants.kernel.database import Base

LINE = OrderLine.__table__.c
_ZONE = "Asia/Shanghai"


def _table(name: str) -> Table:
    return Base.metadata.tables[name]


def _month(at: ColumnElement[Any]) -> ColumnElement[str]:
    local = func.timezone(literal(_ZONE, literal_execute=True), at)
    return func.to_char(local, literal("YYYY-MM", literal_execute=True))


def _sum(amount: ColumnElement[Any]) -> ColumnElement[int]:
    """Return a sum as a plain integer: no fund holds more fen than that, and decimals are slow to read."""
    return cast(func.sum(amount), BigInteger)


def _month_if(at: ColumnElement[Any], *, wanted: bool) -> ColumnElement[str]:
    return _month(at) if wanted else cast(literal("", literal_execute=True), Text)


@dataclass(frozen=True)
class MonthSums:
    """What was reserved in a month: all of it, what of it stands, what of it is spent."""

    month: str
    applied_fen: int
    granted_fen: int
    redeemed_fen: int


def _aid_sums() -> tuple[ColumnElement[int], ColumnElement[int], ColumnElement[int]]:
    hold = _table("holds").c
    return _sum(hold.amount_fen), _sum(_standing()), _sum(_kept())


def _kept() -> ColumnElement[int]:
    hold = _table("holds").c
    return hold.captured_fen - hold.withdrawn_fen - hold.returned_fen


def _standing() -> ColumnElement[int]:
    hold = _table("holds").c
    return _kept() + case((hold.status == "held", hold.amount_fen), else_=0)


def aid_by_month(
    session: Session, start: datetime, end: datetime, *, programme: str, region: str, services: Collection[str] | None
) -> Sequence[MonthSums]:
    """Return each month's sums of what was reserved; empty filters (None for ``services``) let everything through."""
    hold, organisation = _table("holds").c, _table("organisations").c
    query = (
        select(_month(hold.created_at), *_aid_sums())
        .where(hold.created_at >= start, hold.created_at < end)
        .group_by(_month(hold.created_at))
        .order_by(_month(hold.created_at))
    )
    if programme:
        query = query.where(hold.programme == programme)
    if region:
        within = select(organisation.id).where(organisation.region_code.startswith(region, autoescape=True))
        query = query.where(hold.tenant_id.in_(within))
    if services is not None:
        line = (LINE.tenant_id == hold.tenant_id) & (LINE.id == hold.order_line_id)
        query = query.join(OrderLine, line).where(LINE.offering.in_(services))
    return [MonthSums(*row) for row in session.execute(query)]


def aid(session: Session, start: datetime, end: datetime, *, by_month: bool) -> Sequence[AidFact]:
    """Return the public money reserved from ``start`` until just before ``end``, as it stands now."""
    hold, use = _table("holds").c, _table("exemption_uses").c
    month = _month_if(hold.created_at, wanted=by_month)
    decided = select(use.tenant_id, use.order_line_id, use.programme).distinct().subquery()
    under = (
        (decided.c.tenant_id == hold.tenant_id)
        & (decided.c.order_line_id == hold.order_line_id)
        & (decided.c.programme == hold.programme)
    )
    query = (
        select(
            hold.tenant_id,
            LINE.offering,
            hold.programme,
            month,
            func.count(hold.order_line_id.distinct()),
            *_aid_sums(),
            _sum(case((decided.c.order_line_id.is_not(None), _standing()), else_=0)),
        )
        .join(OrderLine, (LINE.tenant_id == hold.tenant_id) & (LINE.id == hold.order_line_id))
        .outerjoin(decided, under)
        .where(hold.created_at >= start, hold.created_at < end)
        .group_by(hold.tenant_id, LINE.offering, hold.programme, month)
    )
    return [AidFact(*row) for row in session.execute(query)]


_FEE = "subscription"
"""What stands for an offering on the fees of subscriptions: nothing was delivered for them."""


def deliveries(session: Session, start: datetime, end: datetime, *, by_month: bool) -> Sequence[DeliveryFact]:
    """Return what was delivered from ``start`` until just before ``end``."""
    rated = _table("rated_usage").c
    month = _month_if(rated.rated_at, wanted=by_month)
    amounts = (rated.gross_fen, rated.subsidy_fen, rated.payable_fen)
    query = (
        select(rated.tenant_id, rated.offering, month, func.count(), *(_sum(amount) for amount in amounts))
        .where(rated.rated_at >= start, rated.rated_at < end, rated.offering != _FEE)
        .group_by(rated.tenant_id, rated.offering, month)
    )
    return [DeliveryFact(*row) for row in session.execute(query)]


def payouts(session: Session, start: datetime, end: datetime) -> Sequence[PayoutFact]:
    """Return the claim lines whose payout was recorded from ``start`` until just before ``end``.

    Days are counted from the submission of the batch that was paid to the day of the bank's payment.
    """
    payout, claim, batch = (_table(name).c for name in ("payouts", "claim_lines", "claim_batches"))
    hold, rated = _table("holds").c, _table("rated_usage").c
    month = _month(payout.paid_at)
    submitted = cast(func.timezone(literal(_ZONE, literal_execute=True), batch.submitted_at), Date)
    days = cast(payout.paid_on - submitted, hold.version.type)
    query = (
        select(
            claim.tenant_id,
            rated.offering,
            hold.programme,
            month,
            func.count(),
            _sum(claim.amount_fen),
            _sum(days),
        )
        .select_from(_table("payouts"))
        .join(_table("claim_lines"), claim.payout_id == payout.id)
        .join(_table("claim_batches"), batch.id == payout.batch_id)
        .join(_table("holds"), (hold.tenant_id == claim.tenant_id) & (hold.id == claim.hold_id))
        .join(_table("rated_usage"), (rated.tenant_id == hold.tenant_id) & (rated.order_line_id == hold.order_line_id))
        .where(payout.paid_at >= start, payout.paid_at < end)
        .group_by(claim.tenant_id, rated.offering, hold.programme, month)
    )
    return [PayoutFact(*row) for row in session.execute(query)]
