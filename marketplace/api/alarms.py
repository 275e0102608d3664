"""Alarm rules of meters, and the alarms that they raised."""

from __future__ import annotations

from datetime import time
from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Moment
from marketplace.api.work_orders import NoteBody, OrdersQuery
from marketplace.doors.identity import working
from services.usecases import alarm_rules, site_alarms

alarms = noun("alarms", "What is looked for at meters of sites, and what was found.")


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

    def wish(self) -> alarm_rules.RuleWish:
        """Return it as the use case takes it."""
        return alarm_rules.RuleWish(**dict(self))


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


@alarms.get("/sites/<id>/alarm-rules", **call(AlarmRules))
def list_alarm_rules(path: ById) -> Response:
    """List the rules that run at a site."""
    with working() as work:
        found = alarm_rules.list_rules(work, site_id=path.id)
        return show(AlarmRules(items=[AlarmRule.of(each) for each in found]))


@alarms.post("/site-meters/<id>/alarm-rules", **call(AlarmRule, status=201))
def add_alarm_rule(path: ById, body: RuleBody, header: Idempotent) -> Response:
    """Write a threshold or heartbeat for a meter."""
    return command(
        "alarm_rule.add",
        header,
        body,
        lambda work: AlarmRule.of(alarm_rules.add_rule(work, meter_id=path.id, wish=body.wish())),
        status=201,
        about={"meter": str(path.id)},
    )


@alarms.post("/alarm-rules/<id>/ending", **call(AlarmRule))
def end_alarm_rule(path: ById, header: Idempotent) -> Response:
    """Look no more by a rule."""
    return command(
        "alarm_rule.end",
        header,
        None,
        lambda work: AlarmRule.of(alarm_rules.end_rule(work, rule_id=path.id)),
        about={"rule": str(path.id)},
    )


@alarms.get("/alarms", **call(Alarms))
def list_alarms(query: OrdersQuery) -> Response:
    """List alarms."""
    with working() as work:
        page = site_alarms.list_alarms(
            work, site_id=query.site_id, open_only=query.open, limit=query.limit, cursor=query.cursor
        )
        return show(Alarms(items=[Alarm.of(each) for each in page.items], next_cursor=page.next_cursor))


@alarms.post("/alarms/<id>/acknowledgement", **call(Alarm))
def acknowledge_alarm(path: ById, body: NoteBody, header: Idempotent) -> Response:
    """Look after an alarm: it goes up no more."""
    return command(
        "alarm.acknowledge",
        header,
        body,
        lambda work: Alarm.of(site_alarms.acknowledge(work, alarm_id=path.id, note=body.note)),
        about={"alarm": str(path.id)},
    )
