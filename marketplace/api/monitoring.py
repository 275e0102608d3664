"""Monitoring: baselines and forecasts of what meters of sites show."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Answer, ById, Idempotent, Moment
from services.usecases import baselines, watching
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.kernel.work import Work

monitoring = noun("monitoring", "What is watched at sites: baselines and forecasts.")


class Baseline(Answer):
    """A meter's baseline. Errors are of days that the fit had not seen, as in ASHRAE Guideline 14."""

    id: UUID
    version: int
    trained_from: Moment
    trained_until: Moment
    fitted_at: Moment
    by_temperature: bool
    by_humidity: bool
    days: int
    r2: float
    cv_rmse: float
    nmbe: float

    @classmethod
    def of(cls, view: object) -> Baseline:
        """Return the answer that shows ``view``, a BaselineView."""
        assert isinstance(view, baselines.BaselineView)  # noqa: S101 - for the type checker
        fitted = view.baseline
        return cls(
            id=view.id,
            version=view.version,
            trained_from=view.trained_from,
            trained_until=view.trained_until,
            fitted_at=view.fitted_at,
            by_temperature=fitted.by_temperature,
            by_humidity=fitted.has_humidity,
            days=fitted.days,
            r2=round(fitted.r2, 4),
            cv_rmse=round(fitted.cv_rmse, 4),
            nmbe=round(fitted.nmbe, 4),
        )


class Watch(Answer):
    """What was found of a meter last: ``days`` are [day, use, expected, sum above, sum below]."""

    meter_id: UUID
    counted_from: Moment | None
    evaluated_at: Moment
    found: dict[str, Any]


class ForecastErrors(Answer):
    """Errors of a method in the back-test."""

    nrmse: float
    mape: float


class Forecast(Answer):
    """A day-ahead forecast by the hour, by the method that did best in the back-test."""

    meter_id: UUID
    day: date
    made_at: Moment
    method: str = Field(description="boosted, weekly (as a week ago) or daily (as a day ago)")
    values: list[float | None]
    low: list[float | None]
    high: list[float | None]
    errors: dict[str, ForecastErrors]
    tested_days: int


@monitoring.get("/site-meters/<id>/baseline", **call(Baseline))
def read_baseline(path: ById) -> Response:
    """Read a meter's newest baseline."""

    def ask(work: Work) -> object:
        return _known(baselines.current(work, meter_id=path.id))

    return read(Baseline, ask)


@monitoring.post("/site-meters/<id>/baseline", **call(Baseline, status=201))
def fit_baseline(path: ById, header: Idempotent) -> Response:
    """Fit a baseline anew to the last year of readings."""
    return command(
        "baseline.fit",
        header,
        None,
        lambda work: Baseline.of(baselines.fit(work, meter_id=path.id)),
        status=201,
        about={"meter": str(path.id)},
    )


@monitoring.get("/site-meters/<id>/watch", **call(Watch))
def read_watch(path: ById) -> Response:
    """Read what the last evaluation found of a meter."""
    return read(Watch, lambda work: _known(watching.read_watch(work, meter_id=path.id)))


@monitoring.get("/site-meters/<id>/forecast", **call(Forecast))
def read_forecast(path: ById) -> Response:
    """Read a meter's newest day-ahead forecast."""
    return read(Forecast, lambda work: _known(baselines.read_forecast(work, meter_id=path.id)))


def _known(found: object) -> object:
    if found is None:
        raise NotFound("monitoring.nothing_yet", msg("还没有结果。请先发送读数并等待评估（每 15 分钟一次）。"))
    return found
