"""Monitoring: baselines, forecasts, work orders, alarm rules and alarms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Moment, Paged
from marketplace.doors.identity import working
from marketplace.doors.language import reader_language
from marketplace.doors.texts import translate
from marketplace.usecases import monitoring as use_cases
from services.usecases import baselines, site_alarms, watching, work_orders
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.kernel.work import Work

monitoring = noun("monitoring", "What is watched at sites: baselines, forecasts, work orders and alarms.")

Line = Annotated[str, Field(max_length=500)]


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


class WorkOrderStep(Answer):
    """A step of a work order."""

    number: int
    kind: str
    person: UUID | None
    note: str
    at: Moment


class WorkOrderRow(Answer):
    """A work order. ``excess`` is in the meter's unit, ``share_bp`` over the expected use.

    A sudden deviation, found within hours, has ``surge_from`` and ``surge_found``; one found over days has neither.
    """

    id: UUID
    park_id: UUID
    number: str
    site_id: UUID
    site_name: str
    meter_id: UUID
    meter_name: str
    unit: str
    direction: str
    cause: str
    cause_text: str
    advice: list[str]
    first_day: date
    found_day: date
    surge_from: Moment | None
    surge_found: Moment | None
    excess: float
    share_bp: int
    status: str
    found_at: Moment
    respond_by: Moment
    level: int
    holder: UUID | None
    accepted_at: Moment | None
    closed_at: Moment | None
    outcome: str | None
    saving: Mapping[str, Any] | None = Field(description="saved ± uncertainty over days, in the meter's unit")
    verified_at: Moment | None

    @classmethod
    def of(cls, view: object) -> WorkOrderRow:
        """Return the answer that shows ``view``, a WorkOrderView."""
        assert isinstance(view, work_orders.WorkOrderView)  # noqa: S101 - for the type checker
        language = reader_language()
        given = {name: value for name, value in vars(view).items() if name in cls.model_fields}
        return cls(
            **given
            | {
                "cause": view.cause.code,
                "cause_text": translate(view.cause.text, language),
                "advice": [translate(each, language) for each in view.cause.advice],
                "excess": float(view.excess),
                "surge_from": view.surge_from,
                "surge_found": view.surge_found,
            }
        )


class WorkOrders(Answer):
    """Work orders, the newest first, a part of the list."""

    items: list[WorkOrderRow]
    next_cursor: str | None


class WorkOrderSteps(Answer):
    """The steps of a work order, first to last."""

    items: list[WorkOrderStep]
    next_cursor: str | None = None


class OrdersQuery(Paged):
    """Which work orders or alarms."""

    site_id: UUID | None = None
    open: bool = Field(False, description="Only those that nobody has closed, or acknowledged")


class NoteBody(Body):
    """What there is to say."""

    note: Line = ""


class HandOverBody(NoteBody):
    """Who takes it over."""

    person: UUID


class CloseBody(Body):
    """How a work order ended."""

    outcome: Literal["fixed", "no_fault", "accepted_change"]
    note: Line


class RuleBody(Body):
    """A rule on a meter. Times are by the park's clocks, steps in minutes after the telling."""

    name: str = Field(min_length=1, max_length=100)
    kind: Literal["above", "below", "silent"]
    threshold: float | None = None
    hysteresis: float = 0.0
    hold_minutes: int = Field(0, strict=True, description="How long it must last, or nothing come")
    quiet_from: time | None = None
    quiet_until: time | None = None
    steps: list[int] = Field(default_factory=lambda: [15, 60], max_length=4)

    def wish(self) -> site_alarms.RuleWish:
        """Return it as the use case takes it."""
        return site_alarms.RuleWish(**dict(self))


class AlarmRule(Answer):
    """A rule, and whether its alarm is on."""

    id: UUID
    meter_id: UUID
    meter_name: str
    site_id: UUID
    unit: str
    name: str
    kind: str
    threshold: float | None
    hysteresis: float
    hold_minutes: int
    quiet_from: time | None
    quiet_until: time | None
    steps: list[int]
    crossings: int
    is_on: bool
    looked_at: Moment | None
    created_at: Moment
    ended_at: Moment | None


class AlarmRules(Answer):
    """Rules that run."""

    items: list[AlarmRule]
    next_cursor: str | None = None


class Alarm(Answer):
    """An alarm. ``level`` 0 is not told yet (quiet hours)."""

    id: UUID
    rule_id: UUID
    rule_name: str
    kind: str
    threshold: float | None
    site_id: UUID
    site_name: str
    meter_id: UUID
    meter_name: str
    unit: str
    crossing: int
    raised_at: Moment
    value: float | None
    found_at: Moment
    told_at: Moment
    level: int
    acknowledged_by: UUID | None
    acknowledged_at: Moment | None
    note: str
    ended_at: Moment | None


class Alarms(Answer):
    """Alarms, the newest first, a part of the list."""

    items: list[Alarm]
    next_cursor: str | None


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


@monitoring.get("/work-orders", **call(WorkOrders))
def list_work_orders(query: OrdersQuery) -> Response:
    """List work orders."""
    with working() as work:
        page = work_orders.list_orders(
            work, site_id=query.site_id, open_only=query.open, limit=query.limit, cursor=query.cursor
        )
        return show(WorkOrders(items=[WorkOrderRow.of(each) for each in page.items], next_cursor=page.next_cursor))


@monitoring.get("/work-orders/<id>", **call(WorkOrderRow))
def read_work_order(path: ById) -> Response:
    """Read a work order."""
    return read(WorkOrderRow, lambda work: work_orders.read(work, work_order_id=path.id))


@monitoring.get("/work-orders/<id>/steps", **call(WorkOrderSteps))
def list_work_order_steps(path: ById) -> Response:
    """List what was done about a work order."""
    with working() as work:
        found = work_orders.read_steps(work, work_order_id=path.id)
        return show(WorkOrderSteps(items=[WorkOrderStep.of(each) for each in found]))


@monitoring.post("/work-orders/<id>/acceptance", **call(WorkOrderRow))
def accept_work_order(path: ById, body: NoteBody, header: Idempotent) -> Response:
    """Answer a work order: the clock stops."""
    return _change(
        "accept", path, body, header, lambda work: work_orders.accept(work, work_order_id=path.id, note=body.note)
    )


@monitoring.post("/work-orders/<id>/hand-over", **call(WorkOrderRow))
def hand_work_order_over(path: ById, body: HandOverBody, header: Idempotent) -> Response:
    """Give a work order to a colleague."""
    return _change(
        "hand_over",
        path,
        body,
        header,
        lambda work: use_cases.hand_over(work, work_order_id=path.id, person=body.person, note=body.note),
    )


@monitoring.post("/work-orders/<id>/notes", **call(WorkOrderRow))
def note_work_order(path: ById, body: NoteBody, header: Idempotent) -> Response:
    """Write down what was done or found."""
    return _change(
        "note", path, body, header, lambda work: work_orders.add_note(work, work_order_id=path.id, note=body.note)
    )


@monitoring.post("/work-orders/<id>/closing", **call(WorkOrderRow))
def close_work_order(path: ById, body: CloseBody, header: Idempotent) -> Response:
    """End a work order. The saving of a fixed one is measured two weeks later."""
    return _change(
        "close",
        path,
        body,
        header,
        lambda work: work_orders.close(work, work_order_id=path.id, outcome=body.outcome, note=body.note),
    )


@monitoring.get("/sites/<id>/alarm-rules", **call(AlarmRules))
def list_alarm_rules(path: ById) -> Response:
    """List the rules that run at a site."""
    with working() as work:
        found = site_alarms.list_rules(work, site_id=path.id)
        return show(AlarmRules(items=[AlarmRule.of(each) for each in found]))


@monitoring.post("/site-meters/<id>/alarm-rules", **call(AlarmRule, status=201))
def add_alarm_rule(path: ById, body: RuleBody, header: Idempotent) -> Response:
    """Write a threshold or heartbeat for a meter."""
    return command(
        "alarm_rule.add",
        header,
        body,
        lambda work: AlarmRule.of(site_alarms.add_rule(work, meter_id=path.id, wish=body.wish())),
        status=201,
        about={"meter": str(path.id)},
    )


@monitoring.post("/alarm-rules/<id>/ending", **call(AlarmRule))
def end_alarm_rule(path: ById, header: Idempotent) -> Response:
    """Look no more by a rule."""
    return command(
        "alarm_rule.end",
        header,
        None,
        lambda work: AlarmRule.of(site_alarms.end_rule(work, rule_id=path.id)),
        about={"rule": str(path.id)},
    )


@monitoring.get("/alarms", **call(Alarms))
def list_alarms(query: OrdersQuery) -> Response:
    """List alarms."""
    with working() as work:
        page = site_alarms.list_alarms(
            work, site_id=query.site_id, open_only=query.open, limit=query.limit, cursor=query.cursor
        )
        return show(Alarms(items=[Alarm.of(each) for each in page.items], next_cursor=page.next_cursor))


@monitoring.post("/alarms/<id>/acknowledgement", **call(Alarm))
def acknowledge_alarm(path: ById, body: NoteBody, header: Idempotent) -> Response:
    """Look after an alarm: it goes up no more."""
    return command(
        "alarm.acknowledge",
        header,
        body,
        lambda work: Alarm.of(site_alarms.acknowledge(work, alarm_id=path.id, note=body.note)),
        about={"alarm": str(path.id)},
    )


def _change(name: str, path: ById, body: Body, header: Idempotent, do: Any) -> Response:
    return command(
        f"work_order.{name}",
        header,
        body,
        lambda work: WorkOrderRow.of(do(work)),
        about={"work_order": str(path.id)},
    )


def _known(found: object) -> object:
    if found is None:
        raise NotFound("monitoring.nothing_yet", msg("还没有结果。请先发送读数并等待评估（每 15 分钟一次）。"))
    return found
