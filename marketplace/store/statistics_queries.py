"""Reads for statistics: each one statement over a period, summed per park, service and month by the database.

A report joins what three packages hold. The tables are taken by name from the schema they share, and only read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Date, Table, case, cast, func, literal, select
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


def aid(session: Session, start: datetime, end: datetime) -> Sequence[AidFact]:
    """Return the public money reserved from ``start`` until just before ``end``, as it stands now."""
    hold = _table("holds").c
    month = _month(hold.created_at)
    kept = hold.captured_fen - hold.withdrawn_fen - hold.returned_fen
    query = (
        select(
            hold.tenant_id,
            LINE.offering,
            hold.programme,
            month,
            func.count(hold.order_line_id.distinct()),
            func.sum(hold.amount_fen),
            func.sum(kept + case((hold.status == "held", hold.amount_fen), else_=0)),
            func.sum(kept),
        )
        .join(OrderLine, (LINE.tenant_id == hold.tenant_id) & (LINE.id == hold.order_line_id))
        .where(hold.created_at >= start, hold.created_at < end)
        .group_by(hold.tenant_id, LINE.offering, hold.programme, month)
    )
    return [
        AidFact(park, service, programme, name, lines, int(applied), int(granted), int(redeemed))
        for park, service, programme, name, lines, applied, granted, redeemed in session.execute(query)
    ]


def deliveries(session: Session, start: datetime, end: datetime) -> Sequence[DeliveryFact]:
    """Return what was delivered from ``start`` until just before ``end``."""
    rated = _table("rated_usage").c
    month = _month(rated.rated_at)
    amounts = (rated.gross_fen, rated.subsidy_fen, rated.payable_fen)
    query = (
        select(rated.tenant_id, rated.offering, month, func.count(), *(func.sum(amount) for amount in amounts))
        .where(rated.rated_at >= start, rated.rated_at < end)
        .group_by(rated.tenant_id, rated.offering, month)
    )
    return [
        DeliveryFact(park, service, name, count, int(gross), int(subsidy), int(payable))
        for park, service, name, count, gross, subsidy, payable in session.execute(query)
    ]


def payouts(session: Session, start: datetime, end: datetime) -> Sequence[PayoutFact]:
    """Return the claim lines whose payout was recorded from ``start`` until just before ``end``.

    Days are counted from the submission of the batch that was paid to the day of the bank's payment.
    """
    payout, claim, batch, hold = (_table(name).c for name in ("payouts", "claim_lines", "claim_batches", "holds"))
    month = _month(payout.paid_at)
    submitted = cast(func.timezone(literal(_ZONE, literal_execute=True), batch.submitted_at), Date)
    days = cast(payout.paid_on - submitted, hold.version.type)
    query = (
        select(
            claim.tenant_id,
            LINE.offering,
            hold.programme,
            month,
            func.count(),
            func.sum(claim.amount_fen),
            func.sum(days),
        )
        .select_from(_table("payouts"))
        .join(_table("claim_lines"), claim.payout_id == payout.id)
        .join(_table("claim_batches"), batch.id == payout.batch_id)
        .join(_table("holds"), (hold.tenant_id == claim.tenant_id) & (hold.id == claim.hold_id))
        .join(OrderLine, (LINE.tenant_id == hold.tenant_id) & (LINE.id == hold.order_line_id))
        .where(payout.paid_at >= start, payout.paid_at < end)
        .group_by(claim.tenant_id, LINE.offering, hold.programme, month)
    )
    return [
        PayoutFact(park, service, programme, name, lines, int(paid), float(waited))
        for park, service, programme, name, lines, paid, waited in session.execute(query)
    ]
