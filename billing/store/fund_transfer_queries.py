"""Reads of transfers and alerts, what keeps a fund from being closed, and what was used on which day."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.store.fund_transfers import FundAlert, FundTransfer
from billing.store.funds import Hold
from tenants.kernel.writing import rows_written

# What leaves "available" to be spent, less what comes back of it. Money that the treasury, another envelope or another
# year gives or takes is no use of the fund; nor is what was clawed back after it had been paid out.
_BURNED = """
    SELECT fund_id, envelope, CAST(at AT TIME ZONE 'Asia/Shanghai' AS date) AS day,
           CAST(sum(CASE source WHEN 'available' THEN amount_fen ELSE -amount_fen END) AS bigint) AS burned_fen
    FROM fund_entries
    WHERE fund_id = ANY(:funds) AND at >= :since
      AND ((source = 'available' AND destination IN ('held', 'captured', 'disbursed'))
        OR (destination = 'available' AND source IN ('held', 'captured', 'disbursed')))
    GROUP BY fund_id, envelope, day
    """
_CHANGES = """
    SELECT CAST(at AT TIME ZONE 'Asia/Shanghai' AS date) AS day,
           CAST(sum(CASE destination WHEN 'available' THEN amount_fen ELSE -amount_fen END) AS bigint) AS change_fen
    FROM fund_entries
    WHERE fund_id = :fund AND at >= :since AND (source = 'available' OR destination = 'available')
    GROUP BY day
    """
_FILLED = """
    SELECT fund_id, CAST(min(at) AT TIME ZONE 'Asia/Shanghai' AS date) AS day FROM fund_entries
    WHERE fund_id = ANY(:funds) AND destination = 'available' AND source IN ('appropriated', 'carried')
    GROUP BY fund_id
    """
_BATCHES = """
    SELECT b.id, b.period, b.status, count(l.id) AS lines, CAST(coalesce(sum(l.amount_fen), 0) AS bigint) AS amount_fen
    FROM claim_batches b JOIN claim_lines l ON l.batch_id = b.id
    WHERE b.fund_id = :fund AND b.status <> :finished AND l.status IN ('claimed', 'returned')
    GROUP BY b.id, b.period, b.status ORDER BY b.period, b.id
    """
FINISHED_BATCH = "done"


def lock_transfer(session: Session, transfer_id: UUID) -> FundTransfer | None:
    """Return a transfer under lock: it is decided once."""
    query = select(FundTransfer).where(FundTransfer.id == transfer_id).with_for_update()
    return session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()


def transfers_of(session: Session, fund_id: UUID) -> Sequence[FundTransfer]:
    """Return the transfers out of a fund, within it and into it, newest first."""
    query = select(FundTransfer).where((FundTransfer.fund_id == fund_id) | (FundTransfer.to_fund_id == fund_id))
    return session.execute(query.order_by(FundTransfer.requested_at.desc(), FundTransfer.id.desc())).scalars().all()


def undecided_transfers(session: Session) -> Sequence[FundTransfer]:
    """Return the transfers that wait for a second person, the oldest first."""
    query = select(FundTransfer).where(FundTransfer.status == "requested").order_by(FundTransfer.requested_at)
    return session.execute(query).scalars().all()


def burned(session: Session, fund_ids: Collection[UUID], since: datetime) -> dict[tuple[UUID, str], dict[date, int]]:
    """Return what each day used of each envelope, in fen, from ``since`` on."""
    found: dict[tuple[UUID, str], dict[date, int]] = {}
    for row in session.execute(text(_BURNED), {"funds": list(fund_ids), "since": since}):
        found.setdefault((row.fund_id, row.envelope), {})[row.day] = row.burned_fen
    return found


def changes(session: Session, fund_id: UUID, since: datetime) -> dict[date, int]:
    """Return by how much each day changed what a fund has available, in fen."""
    found = session.execute(text(_CHANGES), {"fund": fund_id, "since": since})
    return {row.day: row.change_fen for row in found}


def filled_on(session: Session, fund_ids: Collection[UUID]) -> dict[UUID, date]:
    """Return the day on which each fund first got money."""
    found = session.execute(text(_FILLED), {"funds": list(fund_ids)})
    return {row.fund_id: row.day for row in found}


def open_holds(session: Session, fund_id: UUID, limit: int) -> Sequence[Hold]:
    """Return up to ``limit`` open holds of a fund, the oldest first."""
    query = select(Hold).where(Hold.fund_id == fund_id, Hold.status == "held")
    return session.execute(query.order_by(Hold.created_at, Hold.id).limit(limit)).scalars().all()


def unfinished_batches(session: Session, fund_id: UUID) -> Sequence[tuple[UUID, str, str, int, int]]:
    """Return id, month, status, lines and fen of each claim batch of a fund that is not disbursed."""
    rows = session.execute(text(_BATCHES), {"fund": fund_id, "finished": FINISHED_BATCH})
    return [(row.id, row.period, row.status, row.lines, row.amount_fen) for row in rows]


def alerts_of(session: Session, fund_ids: Collection[UUID], *, standing: bool) -> Sequence[FundAlert]:
    """Return the alerts of some funds, newest first; only those that still stand where asked."""
    query = select(FundAlert).where(FundAlert.fund_id.in_(fund_ids)).execution_options(populate_existing=True)
    if standing:
        query = query.where(FundAlert.cleared_at.is_(None))
    return session.execute(query.order_by(FundAlert.raised_at.desc(), FundAlert.id)).scalars().all()


def raise_alert(session: Session, row: Mapping[str, object]) -> bool:
    """Write an alert; False when one of its kind stands already."""
    return bool(rows_written(session, insert(FundAlert).values(**row).on_conflict_do_nothing()))


def clear_alert(session: Session, alert_id: UUID, at: datetime) -> bool:
    """End an alert that stands; False for one that was ended."""
    ended = update(FundAlert).where(FundAlert.id == alert_id, FundAlert.cleared_at.is_(None)).values(cleared_at=at)
    return bool(rows_written(session, ended))


def alert_of(session: Session, alert_id: UUID, *, lock: bool = False) -> FundAlert | None:
    """Return an alert as it is now, under lock where asked."""
    query = select(FundAlert).where(FundAlert.id == alert_id).execution_options(populate_existing=True)
    return session.execute(query.with_for_update() if lock else query).scalar_one_or_none()
