"""Baselines and forecasts of watched meters: fitted from the park's own readings, by the clock or when asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from services.gateways.boosting import forecast_day
from services.rules.monitoring.baseline import Baseline, Hours, fit_baseline
from services.rules.monitoring.calendar import week_hours
from services.rules.monitoring.meters import Measures
from services.rules.monitoring.series import Floats, Series, coarser
from services.store.watching import MeterBaseline, MeterForecast
from services.usecases.readings import read_series
from services.usecases.site_meters import MeterView, list_meters, read_meter
from services.usecases.workdays import usual_days
from tenants.kernel.errors import Conflict
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.days import first_moment, local_day
from tenants.usecases import audit

TRAINED = timedelta(days=366)
"""How far back a baseline looks."""
FORECAST_FROM = timedelta(days=200)


@dataclass(frozen=True)
class BaselineView:
    """A meter's baseline."""

    id: UUID
    meter_id: UUID
    version: int
    trained_from: datetime
    trained_until: datetime
    fitted_at: datetime
    baseline: Baseline


@dataclass(frozen=True)
class ForecastView:
    """A day-ahead forecast by the hour, with its band of nine in ten hours and the back-test it stands on."""

    meter_id: UUID
    day: date
    made_at: datetime
    method: str
    values: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    errors: dict[str, dict[str, float]]
    tested_days: int


def fit(work: Work, *, meter_id: UUID) -> BaselineView:
    """Fit a new version of a meter's baseline to the last year of its readings; what was found by the old one stays.

    Raises Conflict ``baseline.too_little`` with less than four weeks of readings.
    """
    work.actor.require(Permission.MANAGE_SITE)
    made = fit_if_possible(work, meter=read_meter(work, meter_id=meter_id))
    if made is None:
        raise Conflict("baseline.too_little", msg("有效读数不足四周，暂不能建立基线。请积累数据后再试。"))
    audit.record(work, "baseline.fit", "site_meter", meter_id, version=made.version)
    return made


def fit_if_possible(work: Work, *, meter: MeterView, since: datetime | None = None) -> BaselineView | None:
    """Fit a baseline to the days ``since`` (a year at most) up to the last whole one; None when they are too few."""
    work.actor.require(Permission.READ_SITE)
    until = first_moment(local_day(work.now))
    start = until - TRAINED if since is None else max(since, until - TRAINED)
    if start >= until:
        return None
    hours = read_hours(work, meter=meter, start=start, end=until)
    known = np.flatnonzero(~np.isnan(hours.use))
    found = fit_baseline(hours) if len(known) else None
    if found is None:
        return None
    newest = select(func.coalesce(func.max(MeterBaseline.version), 0)).where(
        MeterBaseline.tenant_id == work.actor.require_tenant(), MeterBaseline.meter_id == meter.id
    )
    row = {
        "tenant_id": work.actor.require_tenant(),
        "id": new_id(),
        "meter_id": meter.id,
        "version": work.session.execute(newest).scalar_one() + 1,
        "trained_from": datetime.fromtimestamp(int(hours.at[known[0]]), UTC),
        "trained_until": until,
        "document": found.document(),
        "fitted_by": work.actor.user_id,
        "fitted_at": work.now,
    }
    # Two that fit at once make one version; the second finds the first one's.
    rows_written(work.session, insert(MeterBaseline).values(row).on_conflict_do_nothing())
    return current(work, meter_id=meter.id)


def current(work: Work, *, meter_id: UUID) -> BaselineView | None:
    """Return a meter's newest baseline, None when it has none."""
    work.actor.require(Permission.READ_SITE)
    query = select(MeterBaseline).where(MeterBaseline.meter_id == meter_id, *_own(work))
    row = work.session.execute(query.order_by(MeterBaseline.version.desc()).limit(1)).scalar_one_or_none()
    return None if row is None else _view(row)


def by_id(work: Work, *, baseline_id: UUID) -> BaselineView:
    """Return a baseline that a work order stands on."""
    work.actor.require(Permission.READ_SITE)
    query = select(MeterBaseline).where(MeterBaseline.id == baseline_id, *_own(work))
    return _view(work.session.execute(query).scalar_one())


def read_hours(work: Work, *, meter: MeterView, start: datetime, end: datetime) -> Hours:
    """Return a meter's hours of ``[start, end)`` with the weather that its site measures; NaN for what is not known."""
    return read_quarters(work, meter=meter, start=start, end=end)[0]


def read_quarters(work: Work, *, meter: MeterView, start: datetime, end: datetime) -> tuple[Hours, Series]:
    """Return a meter's whole hours of ``[start, end)`` as ``read_hours`` does, and the 15-minute series that they are made of."""
    work.actor.require(Permission.READ_SITE)
    quarters = read_series(work, meter=meter, start=start, end=end)
    series = coarser(quarters, 4)
    others = {each.measures: each for each in list_meters(work, site_id=meter.site_id) if each.closed_at is None}

    def weather(measures: Measures) -> Floats:
        found = others.get(measures)
        if found is None:
            return np.full(len(series), np.nan)
        return coarser(read_series(work, meter=found, start=start, end=end), 4).values

    # The mean of an hour's kW is its kWh; other levels are compared as they are.
    hours = Hours(
        series.at, series.values, week_hours(series.at, usual_days(work)), weather(Measures.TEMPERATURE), weather(Measures.HUMIDITY)
    )  # fmt: skip
    return hours, quarters


def forecast(work: Work, *, meter: MeterView) -> ForecastView | None:
    """Make the forecast of the running day, once; None with less than six weeks of readings."""
    work.actor.require(Permission.READ_SITE)
    day = local_day(work.now)
    known = read_forecast(work, meter_id=meter.id)
    if known is not None and known.day == day:
        return known
    start = first_moment(day)
    past = read_hours(work, meter=meter, start=start - FORECAST_FROM, end=start)
    at = int(start.timestamp()) + 3600 * np.arange(24, dtype=np.int64)
    unknown = np.full(24, np.nan)
    future = Hours(at, unknown, week_hours(at, usual_days(work)), unknown, unknown)
    made = forecast_day(past, future)
    if made is None:
        return None
    values, test = made
    document = {
        **test.document(),
        "values": [None if np.isnan(each) else round(float(each), 3) for each in values],
        "low": round(test.low, 3),
        "high": round(test.high, 3),
    }
    row = {
        "tenant_id": work.actor.require_tenant(),
        "meter_id": meter.id,
        "day": day,
        "made_at": work.now,
        "document": document,
    }
    work.session.execute(insert(MeterForecast).values(row).on_conflict_do_nothing())
    return read_forecast(work, meter_id=meter.id)


def read_forecast(work: Work, *, meter_id: UUID) -> ForecastView | None:
    """Return a meter's newest forecast, None when it has none."""
    work.actor.require(Permission.READ_SITE)
    own = () if work.actor.tenant_id is None else (MeterForecast.tenant_id == work.actor.tenant_id,)
    query = select(MeterForecast).where(MeterForecast.meter_id == meter_id, *own)
    row = work.session.execute(query.order_by(MeterForecast.day.desc()).limit(1)).scalar_one_or_none()
    if row is None:
        return None
    said: dict[str, Any] = row.document
    return ForecastView(
        meter_id=row.meter_id,
        day=row.day,
        made_at=row.made_at,
        method=said["method"],
        values=tuple(said["values"]),
        low=_shifted(said["values"], said["low"]),
        high=_shifted(said["values"], said["high"]),
        errors=said["errors"],
        tested_days=said["days"],
    )


def _shifted(values: Sequence[float | None], by: float) -> tuple[float | None, ...]:
    return tuple(None if each is None else max(0.0, each + by) for each in values)


def _own(work: Work) -> tuple[Any, ...]:
    return () if work.actor.tenant_id is None else (MeterBaseline.tenant_id == work.actor.tenant_id,)


def _view(row: MeterBaseline) -> BaselineView:
    return BaselineView(
        id=row.id,
        meter_id=row.meter_id,
        version=row.version,
        trained_from=row.trained_from,
        trained_until=row.trained_until,
        fitted_at=row.fitted_at,
        baseline=Baseline.of(row.document),
    )
