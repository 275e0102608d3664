"""Simple alarms of a site: looking at what came by the rules, alarms told and taken up, acknowledged.

A rule's row is locked while it is looked at, and a crossing is unique per rule: however many clocks look, one alarm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from services.rules.catalogue import Delivery
from services.rules.monitoring.alarms import (
    AlarmKind,
    AlarmRule,
    AlarmState,
    Change,
    listen,
    look,
    step_due,
    told_from,
)
from services.rules.site_months import TAKEN, working_months
from services.store.readings import Reading, SiteMeter
from services.store.site_alarms import AlarmStep, SiteAlarm, SiteAlarmRule
from services.store.sites import Site, SiteMonth
from services.usecases import site_months, sites
from tenants.kernel.errors import NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit

MOST_POINTS = 20_000


@dataclass(frozen=True)
class AlarmView:
    """An alarm: raised at a reading's stamp, told from ``told_at`` on, at ``level`` (0: not told yet)."""

    id: UUID
    rule_id: UUID
    rule_name: str
    kind: AlarmKind
    threshold: Decimal | None
    site_id: UUID
    site_name: str
    meter_id: UUID
    meter_name: str
    unit: str
    crossing: int
    raised_at: datetime
    value: Decimal | None
    found_at: datetime
    told_at: datetime
    level: int
    acknowledged_by: UUID | None
    acknowledged_at: datetime | None
    note: str
    ended_at: datetime | None


def list_alarms(
    work: Work, *, site_id: UUID | None = None, open_only: bool = False, limit: int = 50, cursor: str | None = None
) -> Page[AlarmView]:
    """Return alarms, the newest first; ``open_only``: those that nobody has acknowledged."""
    work.actor.require(Permission.READ_SITE)
    query = _alarms(work).order_by(SiteAlarm.raised_at.desc(), SiteAlarm.id.desc()).limit(check_limit(limit) + 1)
    if site_id is not None:
        query = query.where(SiteMeter.site_id == site_id)
    if open_only:
        query = query.where(SiteAlarm.acknowledged_at.is_(None))
    if (before := decode_cursor(cursor)) is not None:
        query = query.where(func.row(SiteAlarm.raised_at, SiteAlarm.id) < func.row(*before))
    rows = work.session.execute(query).mappings().all()
    return page_of(rows, limit, _alarm_view, lambda row: (row["raised_at"], row["id"]))


def read_alarm(work: Work, *, alarm_id: UUID) -> AlarmView:
    """Return an alarm of the acting park (for staff, of any); NotFound for another park's."""
    work.actor.require(Permission.READ_SITE)
    work.session.flush()
    row = work.session.execute(_alarms(work).where(SiteAlarm.id == alarm_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("alarm.not_found", msg("没有找到该告警。请从告警列表打开。"))
    return _alarm_view(row)


def acknowledge(work: Work, *, alarm_id: UUID, note: str = "") -> AlarmView:
    """Note that the acting person looks after an alarm: it goes up no more. A repeat changes nothing."""
    work.actor.require(Permission.HANDLE_ALERT)
    where = (SiteAlarm.tenant_id == work.actor.require_tenant(), SiteAlarm.id == alarm_id)
    noted = (
        update(SiteAlarm)
        .where(*where, SiteAlarm.acknowledged_at.is_(None))
        .values(
            acknowledged_by=work.actor.require_person(),
            acknowledged_at=work.now,
            note=note.strip()[:500],
            step_due_at=None,
        )
    )
    if rows_written(work.session, noted):
        audit.record(work, "alarm.acknowledge", "alarm", alarm_id)
    return read_alarm(work, alarm_id=alarm_id)


def sites_to_look_at(work: Work, *, limit: int = 10_000) -> Sequence[tuple[UUID, UUID]]:
    """Return (park, site) of sites that rent alarms and whose rules have something to look at: new readings, or silence."""
    work.actor.require(Permission.RUN_PLATFORM)
    query = (
        select(SiteMeter.tenant_id, SiteMeter.site_id)
        .join(
            SiteAlarmRule,
            (SiteAlarmRule.tenant_id == SiteMeter.tenant_id) & (SiteAlarmRule.meter_id == SiteMeter.id),
        )
        .join(SiteMonth, (SiteMonth.tenant_id == SiteMeter.tenant_id) & (SiteMonth.site_id == SiteMeter.site_id))
        .where(
            SiteAlarmRule.ended_at.is_(None),
            SiteMonth.delivery == Delivery.ALARMS,
            SiteMonth.month.in_(working_months(work.now)),
            SiteMonth.status.in_(TAKEN),
            (SiteAlarmRule.kind == AlarmKind.SILENT)
            | SiteAlarmRule.looked_at.is_(None)
            | (SiteMeter.last_received_at > SiteAlarmRule.looked_at),
        )
        .distinct()
        .limit(limit)
    )
    return [(row[0], row[1]) for row in work.session.execute(query)]


def look_at_site(work: Work, *, site_id: UUID) -> tuple[AlarmView, ...]:
    """Look at what came for a site's rules since they were looked at; return the alarms that are new.

    Late readings, of stamps that a rule has passed, raise no alarm. A site that alarms are not rented for is passed over.
    """
    work.actor.require(Permission.READ_SITE)
    if Delivery.ALARMS not in sites.running_services(work, site_id=site_id):
        return ()
    tenant = work.actor.require_tenant()
    query = (
        select(SiteAlarmRule, SiteMeter)
        .join(SiteMeter, (SiteMeter.tenant_id == SiteAlarmRule.tenant_id) & (SiteMeter.id == SiteAlarmRule.meter_id))
        .where(SiteAlarmRule.tenant_id == tenant, SiteMeter.site_id == site_id, SiteAlarmRule.ended_at.is_(None))
        .order_by(SiteAlarmRule.id)
        .with_for_update(of=SiteAlarmRule)
        .execution_options(populate_existing=True)
    )
    raised: list[UUID] = []
    worked = 0
    for row, meter in work.session.execute(query).all():
        found, looked = _look(work, row, meter)
        raised += found
        worked += looked
    work.session.flush()
    if worked:
        site_months.note_activity(work, site_id=site_id, delivery=Delivery.ALARMS, count=worked)
    return tuple(read_alarm(work, alarm_id=each) for each in raised)


def alarms_due(work: Work, *, limit: int = 5000) -> Sequence[tuple[UUID, UUID]]:
    """Return (park, alarm) of alarms that are to be told, or to go up."""
    work.actor.require(Permission.RUN_PLATFORM)
    query = select(SiteAlarm.tenant_id, SiteAlarm.id).where(SiteAlarm.step_due_at <= work.now)
    return [(row[0], row[1]) for row in work.session.execute(query.order_by(SiteAlarm.step_due_at).limit(limit))]


def step_up(work: Work, *, alarm_id: UUID) -> AlarmView | None:
    """Tell an alarm, or take it one level up; None when it is not due any more. Each level is told once."""
    work.actor.require(Permission.READ_SITE)
    tenant = work.actor.require_tenant()
    query = select(SiteAlarm).where(SiteAlarm.tenant_id == tenant, SiteAlarm.id == alarm_id)
    alarm = work.session.execute(
        query.with_for_update().execution_options(populate_existing=True)
    ).scalar_one_or_none()  # fmt: skip
    if alarm is None or alarm.step_due_at is None or alarm.step_due_at > work.now:
        return None
    steps = work.session.execute(
        select(SiteAlarmRule.steps).where(SiteAlarmRule.tenant_id == tenant, SiteAlarmRule.id == alarm.rule_id)
    ).scalar_one()
    alarm.level += 1
    alarm.step_due_at = step_due(alarm.told_at, steps, alarm.level - 1) if alarm.ended_at is None else None
    step = {"tenant_id": tenant, "alarm_id": alarm.id, "level": alarm.level, "at": work.now}
    work.session.execute(insert(AlarmStep).values(step).on_conflict_do_nothing())
    return read_alarm(work, alarm_id=alarm_id)


def _look(work: Work, row: SiteAlarmRule, meter: SiteMeter) -> tuple[list[UUID], int]:
    """Look at one rule; return the alarms that are new, and 1 when there was data to look at."""
    rule = AlarmRule(
        AlarmKind(row.kind),
        None if row.threshold is None else float(row.threshold),
        float(row.hysteresis),
        timedelta(minutes=row.hold_minutes),
    )
    state = AlarmState(row.crossings, row.beyond_since, row.is_on, row.seen_until)
    if rule.kind is AlarmKind.SILENT:
        state, changes = listen(rule, state, meter.last_received_at, row.created_at, work.now)
        looked = meter.last_received_at is not None
    else:
        points = _points(work, row, meter)
        state, changes = look(rule, state, points)
        looked = bool(points)
    row.crossings, row.beyond_since, row.is_on = state.crossings, state.beyond_since, state.is_on
    row.seen_until, row.looked_at = state.seen_until, work.now
    found = [_change(work, row, change) for change in changes]
    return [each for each in found if each is not None], int(looked)


def _points(work: Work, row: SiteAlarmRule, meter: SiteMeter) -> list[tuple[datetime, float]]:
    query = (
        select(Reading.at, Reading.value)
        .where(Reading.tenant_id == row.tenant_id, Reading.meter_id == row.meter_id, Reading.at > row.seen_until)
        .order_by(Reading.at)
        .limit(MOST_POINTS)
    )
    return [(at, float(value * meter.multiplier)) for at, value in work.session.execute(query)]


def _change(work: Work, row: SiteAlarmRule, change: Change) -> UUID | None:
    where = (
        SiteAlarm.tenant_id == row.tenant_id,
        SiteAlarm.rule_id == row.id,
        SiteAlarm.crossing == change.crossing,
    )
    if not change.raised:
        ended = {"ended_at": change.at}
        work.session.execute(update(SiteAlarm).where(*where, SiteAlarm.ended_at.is_(None)).values(ended))
        told = update(SiteAlarm).where(*where, SiteAlarm.level > 0).values(step_due_at=None)
        work.session.execute(told)
        return None
    told_at = told_from(work.now, row.quiet_from, row.quiet_until)
    alarm = {
        "tenant_id": row.tenant_id,
        "id": new_id(),
        "rule_id": row.id,
        "crossing": change.crossing,
        "raised_at": change.at,
        "value": None if change.value is None else round(Decimal(change.value), 6),
        "found_at": work.now,
        "told_at": told_at,
        "level": 0,
        "step_due_at": told_at,
    }
    if not rows_written(work.session, insert(SiteAlarm).values(alarm).on_conflict_do_nothing()):
        return None
    return UUID(str(alarm["id"]))


def _alarms(work: Work) -> Any:
    own = () if work.actor.tenant_id is None else (SiteAlarm.tenant_id == work.actor.tenant_id,)
    taken = [getattr(SiteAlarm, name) for name in AlarmView.__dataclass_fields__ if hasattr(SiteAlarm, name)]
    return (
        select(
            SiteAlarmRule.name.label("rule_name"),
            SiteAlarmRule.kind,
            SiteAlarmRule.threshold,
            SiteMeter.site_id,
            Site.name.label("site_name"),
            SiteMeter.id.label("meter_id"),
            SiteMeter.name.label("meter_name"),
            SiteMeter.unit,
            *taken,
        )
        .join(SiteAlarmRule, (SiteAlarmRule.tenant_id == SiteAlarm.tenant_id) & (SiteAlarmRule.id == SiteAlarm.rule_id))
        .join(SiteMeter, (SiteMeter.tenant_id == SiteAlarmRule.tenant_id) & (SiteMeter.id == SiteAlarmRule.meter_id))
        .join(Site, (Site.tenant_id == SiteMeter.tenant_id) & (Site.id == SiteMeter.site_id))
        .where(*own)
    )


def _alarm_view(row: Mapping[Any, Any]) -> AlarmView:
    return AlarmView(**{**row, "kind": AlarmKind(row["kind"])})
