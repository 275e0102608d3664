"""Watching sites: every quarter of an hour the meters that sent something are held against their baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import and_, func, select
from sqlalchemy.dialects.postgresql import insert

from services.rules.catalogue import Delivery
from services.rules.monitoring import anomalies, savings, surges
from services.rules.monitoring.baseline import Hours
from services.rules.monitoring.calendar import day_of
from services.rules.monitoring.series import STEP
from services.rules.site_months import TAKEN, working_months
from services.store.readings import SiteMeter
from services.store.sites import SiteMonth
from services.store.watching import MeterWatch
from services.usecases import baselines, sites, work_orders
from services.usecases.baselines import BaselineView
from services.usecases.site_meters import MeterView, list_meters
from services.usecases.work_orders import WorkOrderView
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.days import first_moment, local_day

LONGEST = timedelta(days=120)
"""How far back the sums are worked out."""
BEFORE = timedelta(days=35)
"""How far back the quarters go that a sudden deviation is measured by."""
SHOWN = 6 * 3600
"""Seconds before a sudden deviation that are kept for its picture."""
RELEARNED = timedelta(days=35)
"""How long after a change that the park accepted its new habits are learned before they are judged."""


@dataclass(frozen=True)
class WatchView:
    """What is known of a watched meter: when it was evaluated, and what was found, for a picture."""

    meter_id: UUID
    counted_from: datetime | None
    evaluated_at: datetime
    found: dict[str, Any]


def sites_due(work: Work, *, limit: int = 5000) -> Sequence[tuple[UUID, UUID]]:
    """Return (park, site) of sites that rent monitoring, watch a meter and were sent something since they were evaluated."""
    work.actor.require(Permission.RUN_PLATFORM)
    watched = (
        select(
            SiteMeter.tenant_id,
            SiteMeter.site_id,
            func.min(func.coalesce(MeterWatch.evaluated_at, datetime(1970, 1, 1, tzinfo=work.now.tzinfo))).label(
                "seen"
            ),
        )
        .outerjoin(MeterWatch, and_(MeterWatch.tenant_id == SiteMeter.tenant_id, MeterWatch.meter_id == SiteMeter.id))
        .where(SiteMeter.is_main)
        .group_by(SiteMeter.tenant_id, SiteMeter.site_id)
        .subquery()
    )
    query = (
        select(watched.c.tenant_id, watched.c.site_id)
        .join(SiteMeter, and_(SiteMeter.tenant_id == watched.c.tenant_id, SiteMeter.site_id == watched.c.site_id))
        .join(SiteMonth, and_(SiteMonth.tenant_id == watched.c.tenant_id, SiteMonth.site_id == watched.c.site_id))
        .where(
            SiteMeter.last_received_at > watched.c.seen,
            SiteMonth.delivery == Delivery.MONITORING,
            SiteMonth.month.in_(working_months(work.now)),
            SiteMonth.status.in_(TAKEN),
        )
        .distinct()
        .limit(limit)
    )
    return [(row[0], row[1]) for row in work.session.execute(query)]


def evaluate_site(work: Work, *, site_id: UUID) -> tuple[WorkOrderView, ...]:
    """Hold the watched meters of a site against their baselines; return the work orders that are new.

    Done again at once it finds nothing new. A site that nothing is rented for is passed over.
    """
    work.actor.require(Permission.READ_SITE)
    if Delivery.MONITORING not in sites.running_services(work, site_id=site_id):
        return ()
    meters = list_meters(work, site_id=site_id)
    received = max((each.last_received_at for each in meters if each.last_received_at), default=None)
    found = []
    for meter in meters:
        before = read_watch(work, meter_id=meter.id)
        if not meter.is_main or received is None or (before is not None and before.evaluated_at >= received):
            continue
        order_id = _evaluate(work, meter)
        if order_id is not None:
            found.append(work_orders.read(work, work_order_id=order_id))
    return tuple(found)


def read_watch(work: Work, *, meter_id: UUID) -> WatchView | None:
    """Return what was found of a meter last."""
    work.actor.require(Permission.READ_SITE)
    own = () if work.actor.tenant_id is None else (MeterWatch.tenant_id == work.actor.tenant_id,)
    query = select(MeterWatch).where(MeterWatch.meter_id == meter_id, *own)
    row = work.session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()
    return None if row is None else WatchView(row.meter_id, row.counted_from, row.evaluated_at, row.found)


def _evaluate(work: Work, meter: MeterView) -> UUID | None:
    last = work_orders.last_of_meter(work, meter_id=meter.id)
    baseline = _baseline(work, meter, last)
    if baseline is None:
        _keep(work, meter, None, {"state": "learning"})
        return None
    _verify(work, meter)
    baselines.forecast(work, meter=meter)
    start = _counted_from(work, baseline, last)
    hours, quarters = _read(work, meter, baseline, start)
    counted = hours.part(hours.at >= int(start.timestamp()))
    if not len(counted.at):
        _keep(work, meter, start, {"state": "watching", "days": []})
        return None
    watched = anomalies.watch(baseline.baseline, counted)
    order_id = None
    if last is None or last.status == "closed":
        anomaly, surge = watched.anomaly, None
        if anomaly is None and quarters is not None:
            found = surges.find_surge(quarters.part(quarters.at >= int(start.timestamp())))
            if found is not None:
                anomaly, surge = found.as_anomaly(), _sudden(found, quarters)
        if anomaly is not None:
            order_id = work_orders.open_order(work, meter=meter, baseline_id=baseline.id, anomaly=anomaly, surge=surge)
    _keep(work, meter, start, _picture(baseline, watched, float(np.mean(~np.isnan(counted.use)))))
    return order_id


def _read(
    work: Work, meter: MeterView, baseline: BaselineView, start: datetime
) -> tuple[Hours, surges.Quarters | None]:
    """Return the hours from ``start`` (or before) on, and the last day's quarters, held against the weeks before."""
    since = first_moment(local_day(work.now)) - timedelta(days=1)
    until = work.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    hours, series = baselines.read_quarters(work, meter=meter, start=min(start, since - BEFORE), end=until)
    past = int((since - BEFORE).timestamp())
    skipped = (past - series.start) // STEP
    recent = replace(series, start=past, values=series.values[skipped:], flags=series.flags[skipped:])
    quarters = surges.quarters_of(baseline.baseline, hours.part(hours.at >= past), recent, since=int(since.timestamp()))
    return hours, quarters


def _sudden(found: surges.Surge, quarters: surges.Quarters) -> dict[str, Any]:
    """Return from when to when a surge was, and the quarters around it, for a picture."""
    shown = quarters.part((quarters.at >= found.first - SHOWN) & (quarters.at < found.found))
    rows = zip(shown.at.tolist(), shown.use.tolist(), shown.expected.tolist(), strict=True)
    return {
        "from": datetime.fromtimestamp(found.first, UTC).isoformat(),
        "found": datetime.fromtimestamp(found.found, UTC).isoformat(),
        "quarters": [[at, *(None if np.isnan(each) else round(each, 3) for each in values)] for at, *values in rows],
    }


def _baseline(work: Work, meter: MeterView, last: WorkOrderView | None) -> BaselineView | None:
    """Return the meter's baseline; a first one when there is none, a new one when the park has accepted a change."""
    known = baselines.current(work, meter_id=meter.id)
    if known is None:
        return baselines.fit_if_possible(work, meter=meter)
    if last is None or last.outcome != "accepted_change" or last.closed_at is None:
        return known
    learned = last.closed_at + RELEARNED
    if known.fitted_at < learned <= work.now:
        return baselines.fit_if_possible(work, meter=meter, since=first_moment(last.first_day)) or known
    return known


def _counted_from(work: Work, baseline: BaselineView, last: WorkOrderView | None) -> datetime:
    """Return from when the sums count: after what the baseline has learned, and after the last work order was closed."""
    start = max(baseline.trained_until, first_moment(local_day(work.now - LONGEST)))
    if last is None or last.closed_at is None:
        return start
    pause = RELEARNED if last.outcome == "accepted_change" and last.closed_at > baseline.fitted_at else timedelta(0)
    return max(start, first_moment(local_day(last.closed_at + pause) + timedelta(days=1)))


def _verify(work: Work, meter: MeterView) -> None:
    """Measure the saving of repairs that are long enough ago."""
    for order in work_orders.unverified(work, meter_id=meter.id):
        if order.closed_at is None:
            continue
        start = first_moment(local_day(order.closed_at) + timedelta(days=1))
        end = start + timedelta(days=savings.LEAST_DAYS)
        if end > work.now:
            continue
        baseline = baselines.by_id(work, baseline_id=order.baseline_id).baseline
        hours = baselines.read_hours(work, meter=meter, start=start, end=end)
        days = baseline.by_day(hours)
        known = days.share >= anomalies.LEAST_SHARE
        if known.sum() < savings.LEAST_DAYS // 2:
            continue
        found = savings.saving(
            expected=float(days.predicted[known].sum()),
            metered=float(days.use[known].sum()),
            days=int(known.sum()),
            fault_share=order.share_bp / 10_000,
            fault_days=(order.found_day - order.first_day).days + 1,
            baseline_days=baseline.days,
            cv_rmse=baseline.cv_rmse,
            rho=baseline.rho,
        )
        document = {name: round(value, 3) for name, value in vars(found).items()}
        work_orders.record_saving(
            work,
            work_order_id=order.id,
            saving=document | {"is_proved": found.is_proved, "confidence": savings.CONFIDENCE},
        )


def _picture(baseline: BaselineView, watched: anomalies.Watch, coverage: float) -> dict[str, Any]:
    """Return what a page shows: the last thirty days with what was expected, and the sums."""
    last = slice(-30, None)
    rows = zip(
        watched.days.day[last].tolist(),
        watched.days.use[last].tolist(),
        watched.days.predicted[last].tolist(),
        watched.high[last].tolist(),
        watched.low[last].tolist(),
        strict=True,
    )
    return {
        "state": "watching",
        "baseline_version": baseline.version,
        "coverage": round(coverage, 4),
        "limit": anomalies.LIMIT,
        "days": [
            [day_of(day).isoformat(), round(use, 2), round(expected, 2), round(high, 2), round(low, 2)]
            for day, use, expected, high, low in rows
        ],
    }


def _keep(work: Work, meter: MeterView, counted_from: datetime | None, found: dict[str, Any]) -> None:
    row = {
        "tenant_id": work.actor.require_tenant(),
        "meter_id": meter.id,
        "counted_from": counted_from,
        "evaluated_at": work.now,
        "found": found,
    }
    kept = insert(MeterWatch).values(row)
    changed = {name: kept.excluded[name] for name in ("counted_from", "evaluated_at", "found")}
    work.session.execute(kept.on_conflict_do_update(index_elements=["tenant_id", "meter_id"], set_=changed))
