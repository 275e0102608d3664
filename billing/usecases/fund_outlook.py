"""How long a fund will last, alerts when it runs low, and regional money that will lie idle."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from uuid import UUID

from billing.rules.burn import LONGEST, Forecast, Window, forecast
from billing.rules.fund_alerts import AlertKind, Level, Thresholds, check_days, check_share, crossed
from billing.rules.naming import MOST_REASON
from billing.rules.rebalancing import EnvelopeUse, Idle, idle_money
from billing.store import fund_queries, fund_transfer_queries
from billing.store.fund_queries import GENERAL
from billing.store.fund_transfers import FundAlert
from billing.usecases.fund_views import FundView, find_fund, fund_view, fund_views
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.usecases import audit


@dataclass(frozen=True)
class DayBalance:
    """What a fund had available at the end of a day."""

    day: date
    available_fen: int


@dataclass(frozen=True)
class OutlookView:
    """What a fund had available day by day, and how long it will last.

    ``basis`` is what the rate stands on; it is empty, and rate and day are None, when nothing was used in 90 days.
    ``runs_out_on`` is also None beyond ten years.
    """

    fund_id: UUID
    available_fen: int
    daily_fen: int | None
    days_left: int | None
    runs_out_on: date | None
    basis: tuple[Window, ...]
    history: tuple[DayBalance, ...]


@dataclass(frozen=True)
class AlertView:
    """A fund that crossed a threshold: how it stood then, when it was clear of it again, and who took note."""

    id: UUID
    fund_id: UUID
    kind: str
    threshold: int
    available_fen: int
    budget_fen: int
    runs_out_on: date | None
    raised_at: datetime
    cleared_at: datetime | None
    acknowledged_by: UUID | None
    acknowledged_at: datetime | None
    note: str | None


def read_outlook(work: Work, *, fund_id: UUID) -> OutlookView:
    """Return a fund's last 90 days and its forecast. Raises NotFound."""
    work.actor.require(Permission.READ_FUND)
    fund = fund_view(work, fund_id)
    today = _today(work)
    foreseen = _forecasts(work, [fund]).get(fund_id)
    return OutlookView(
        fund_id=fund_id,
        available_fen=fund.available_fen,
        daily_fen=foreseen.daily_fen if foreseen else None,
        days_left=foreseen.days_left if foreseen else None,
        runs_out_on=foreseen.runs_out_on if foreseen else None,
        basis=foreseen.basis if foreseen else (),
        history=_history(work, fund, today),
    )


def propose_rebalancing(work: Work, *, fund_id: UUID) -> tuple[Idle, ...]:
    """Return the regional money that will lie idle at the end of the fund's year; people decide what becomes of it."""
    work.actor.require(Permission.READ_FUND)
    fund = fund_view(work, fund_id)
    burned = fund_transfer_queries.burned(work.session, [fund_id], _since(work))
    today, first = _today(work), _first_days(work, [fund])[fund_id]
    regional = [each for each in fund.envelopes if each.envelope != GENERAL]
    uses = []
    for each in regional:
        used = forecast(each.available_fen, burned.get((fund_id, each.envelope), {}), today=today, since=first)
        uses.append(EnvelopeUse(each.envelope, each.given_fen, each.available_fen, used.rate if used else Fraction(0)))
    return idle_money(uses, year=fund.year, today=today) if fund.status == "open" else ()


def set_thresholds(work: Work, *, fund_id: UUID, low_share_bp: int | None, low_days: int | None) -> FundView:
    """Say when a fund counts as low: at a share of its budget, or so many days before it runs out; None for never."""
    work.actor.require(Permission.MANAGE_FUND)
    with Faults() as faults:
        faults.take("low_share_bp", check_share, low_share_bp)
        faults.take("low_days", check_days, low_days)
    fund = find_fund(work, fund_id, lock=True)
    fund.low_share_bp, fund.low_days = low_share_bp, low_days
    work.session.flush()
    audit.record(work, "fund.set_thresholds", "fund", fund_id, low_share_bp=low_share_bp, low_days=low_days)
    return fund_view(work, fund_id)


def watch_funds(work: Work) -> tuple[AlertView, ...]:
    """Raise an alert for each threshold that was crossed, and clear those that are no more; return the new ones.

    An alert stands once however often this runs, and however many run it: a unique index decides who was first.
    """
    work.actor.require(Permission.RUN_PLATFORM)
    alive = [fund for fund in fund_views(work, fund_queries.all_funds(work.session)) if fund.status != "closed"]
    foreseen = _forecasts(work, alive)
    standing = fund_transfer_queries.alerts_of(work.session, [fund.id for fund in alive], standing=True)
    raised = []
    for fund in alive:
        here = {AlertKind(alert.kind): alert for alert in standing if alert.fund_id == fund.id}
        found = foreseen.get(fund.id)
        level = Level(fund.budget_fen, fund.available_fen, found.days_left if found else None)
        now = crossed(Thresholds(fund.low_share_bp, fund.low_days), level, here.keys())
        raised += _raise(work, fund, found, sorted(now - here.keys()))
        _clear(work, [alert for kind, alert in here.items() if kind not in now])
    return tuple(raised)


def list_alerts(work: Work, *, fund_id: UUID | None = None, standing: bool = True) -> tuple[AlertView, ...]:
    """Return the alerts of a fund, or of all funds, newest first: those that stand, or all there ever were."""
    work.actor.require(Permission.READ_FUND)
    if fund_id is not None:
        find_fund(work, fund_id)
    wanted = [fund_id] if fund_id is not None else [fund.id for fund in fund_queries.all_funds(work.session)]
    return tuple(_alert_view(row) for row in fund_transfer_queries.alerts_of(work.session, wanted, standing=standing))


def acknowledge_alert(work: Work, *, alert_id: UUID, note: str = "") -> AlertView:
    """Take note of an alert, with what is going to be done. Raises Conflict when somebody has."""
    work.actor.require(Permission.MANAGE_FUND)
    kept = note.strip()
    if len(kept) > MOST_REASON or not kept.isprintable():
        message = msg("备注最多 {most} 个可见字符。请改正备注。", most=MOST_REASON)
        raise Invalid("fund_alert.note", message, errors=[FieldError("note", "fund_alert.note", message)])
    alert = fund_transfer_queries.alert_of(work.session, alert_id, lock=True)
    if alert is None:
        raise NotFound("fund_alert.not_found", msg("没有找到该预警。请核对编号。"))
    if alert.acknowledged_at is not None:
        raise Conflict("fund_alert.acknowledged", msg("该预警已有人确认。请刷新查看。"))
    alert.acknowledged_by, alert.acknowledged_at, alert.note = work.actor.require_person(), work.now, kept or None
    work.session.flush()
    audit.record(work, "fund_alert.acknowledge", "fund", alert.fund_id, alert=alert.id, kind=alert.kind, note=kept)
    return _alert_view(alert)


def _forecasts(work: Work, funds: Collection[FundView]) -> dict[UUID, Forecast]:
    """Return the forecast of each fund that was used."""
    burned = fund_transfer_queries.burned(work.session, [fund.id for fund in funds], _since(work))
    by_fund: dict[UUID, dict[date, int]] = {}
    for (fund_id, _envelope), days in burned.items():
        sums = by_fund.setdefault(fund_id, {})
        for day, amount in days.items():
            sums[day] = sums.get(day, 0) + amount
    first = _first_days(work, funds)
    found = {
        fund.id: forecast(fund.available_fen, by_fund.get(fund.id, {}), today=_today(work), since=first[fund.id])
        for fund in funds
    }
    return {fund_id: each for fund_id, each in found.items() if each is not None}


def _first_days(work: Work, funds: Iterable[FundView]) -> dict[UUID, date]:
    """Return the day on which each fund got its first money; today where it has none."""
    ids = [fund.id for fund in funds]
    filled: Mapping[UUID, date] = fund_transfer_queries.filled_on(work.session, ids)
    return {fund_id: filled.get(fund_id, _today(work)) for fund_id in ids}


def _history(work: Work, fund: FundView, today: date) -> tuple[DayBalance, ...]:
    """Return the balance at the end of each of the last days, reckoned back from what it is now."""
    changes = fund_transfer_queries.changes(work.session, fund.id, _since(work))
    balance, found = fund.available_fen, []
    for back in range(LONGEST):
        day = today - timedelta(days=back)
        found.append(DayBalance(day, balance))
        balance -= changes.get(day, 0)
    started = fund.created_at.astimezone(CHINA).date()
    return tuple(each for each in reversed(found) if each.day >= started)


def _raise(work: Work, fund: FundView, found: Forecast | None, kinds: Iterable[AlertKind]) -> list[AlertView]:
    raised = []
    for kind in kinds:
        alert_id = new_id()
        threshold = fund.low_share_bp if kind is AlertKind.LOW_BALANCE else fund.low_days
        row = {
            "id": alert_id,
            "fund_id": fund.id,
            "kind": kind,
            "threshold": threshold,
            "available_fen": fund.available_fen,
            "budget_fen": fund.budget_fen,
            "runs_out_on": found.runs_out_on if found else None,
            "raised_at": work.now,
        }
        if fund_transfer_queries.raise_alert(work.session, row):
            audit.record(work, "fund_alert.raise", "fund", fund.id, kind=kind, available_fen=fund.available_fen)
            alert = fund_transfer_queries.alert_of(work.session, alert_id)
            raised += [_alert_view(alert)] if alert else []
    return raised


def _clear(work: Work, alerts: Iterable[FundAlert]) -> None:
    for alert in alerts:
        if fund_transfer_queries.clear_alert(work.session, alert.id, work.now):
            audit.record(work, "fund_alert.clear", "fund", alert.fund_id, kind=alert.kind)


def _today(work: Work) -> date:
    return work.now.astimezone(CHINA).date()


def _since(work: Work) -> datetime:
    """Return the beginning of the longest window that ends today."""
    return datetime.combine(_today(work) - timedelta(days=LONGEST - 1), time(), CHINA)


def _alert_view(row: FundAlert) -> AlertView:
    return AlertView(
        id=row.id,
        fund_id=row.fund_id,
        kind=row.kind,
        threshold=row.threshold,
        available_fen=row.available_fen,
        budget_fen=row.budget_fen,
        runs_out_on=row.runs_out_on,
        raised_at=row.raised_at,
        cleared_at=row.cleared_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        note=row.note,
    )
