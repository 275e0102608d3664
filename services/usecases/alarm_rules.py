"""Rules by which the meters of a site are watched: thresholds and heartbeats, written and ended by its park."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from services.rules.monitoring.alarms import (
    MOST_STEPS,
    AlarmKind,
)
from services.rules.monitoring.meters import Readings
from services.store.readings import SiteMeter
from services.store.site_alarms import SiteAlarmRule
from services.usecases import sites
from services.usecases.site_meters import read_meter
from tenants.kernel.errors import NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.faults import Faults
from tenants.usecases import audit

LONGEST_HOLD = 1440
LONGEST_STEP = 7 * 1440


@dataclass(frozen=True)
class RuleView:
    """A rule on a meter, and whether its alarm is on."""

    id: UUID
    meter_id: UUID
    meter_name: str
    unit: str
    site_id: UUID
    name: str
    kind: AlarmKind
    threshold: Decimal | None
    hysteresis: Decimal
    hold_minutes: int
    quiet_from: time | None
    quiet_until: time | None
    steps: tuple[int, ...]
    crossings: int
    is_on: bool
    looked_at: datetime | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class RuleWish:
    """A rule as a park writes it: minutes to hold, quiet hours by the park's clocks, minutes after which it goes up."""

    name: str
    kind: str
    threshold: float | None = None
    hysteresis: float = 0.0
    hold_minutes: int = 0
    quiet_from: time | None = None
    quiet_until: time | None = None
    steps: Sequence[int] = (15, 60)


def add_rule(work: Work, *, meter_id: UUID, wish: RuleWish) -> RuleView:
    """Write a rule for a meter; it looks at what comes from now on. Raises Invalid naming every wrong field."""
    work.actor.require(Permission.MANAGE_SITE)
    meter = read_meter(work, meter_id=meter_id)
    values = _checked(wish)
    if meter.is_virtual or (values["kind"] != AlarmKind.SILENT and meter.readings is Readings.CUMULATIVE):
        faults = Faults()
        faults.add("kind", "alarm.meter", msg("累计读数只能设心跳告警；虚拟仪表不能设告警，请设在组成它的仪表上。"))
        faults.refuse()
    row = {
        "tenant_id": work.actor.require_tenant(),
        "id": new_id(),
        "meter_id": meter.id,
        **values,
        "crossings": 0,
        "is_on": False,
        "seen_until": work.now,
        "created_by": work.actor.user_id,
        "created_at": work.now,
    }
    work.session.execute(insert(SiteAlarmRule).values(row))
    audit.record(work, "alarm_rule.add", "alarm_rule", row["id"], name=values["name"])
    return read_rule(work, rule_id=row["id"])


def end_rule(work: Work, *, rule_id: UUID) -> RuleView:
    """Look no more by a rule; its alarms stay. A repeat changes nothing."""
    work.actor.require(Permission.MANAGE_SITE)
    where = (SiteAlarmRule.tenant_id == work.actor.require_tenant(), SiteAlarmRule.id == rule_id)
    ended = update(SiteAlarmRule).where(*where, SiteAlarmRule.ended_at.is_(None)).values(ended_at=work.now)
    if rows_written(work.session, ended):
        audit.record(work, "alarm_rule.end", "alarm_rule", rule_id)
    return read_rule(work, rule_id=rule_id)


def read_rule(work: Work, *, rule_id: UUID) -> RuleView:
    """Return a rule of the acting park (for staff, of any); NotFound for another park's."""
    work.actor.require(Permission.READ_SITE)
    row = work.session.execute(_rules(work).where(SiteAlarmRule.id == rule_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("alarm_rule.not_found", msg("没有找到该告警规则。请从站点页打开。"))
    return _rule_view(row)


def list_rules(work: Work, *, site_id: UUID | None = None) -> tuple[RuleView, ...]:
    """Return the running rules of a site (NotFound for another park's), or of all the acting park's."""
    work.actor.require(Permission.READ_SITE)
    if site_id is not None:
        sites.read_site(work, site_id=site_id)
    query = _rules(work).where(SiteAlarmRule.ended_at.is_(None)).order_by(SiteMeter.code, SiteAlarmRule.id)
    if site_id is not None:
        query = query.where(SiteMeter.site_id == site_id)
    return tuple(map(_rule_view, work.session.execute(query).mappings()))


def _checked(wish: RuleWish) -> dict[str, Any]:
    faults = Faults()
    name = wish.name.strip()
    if not name or len(name) > 100:
        faults.add("name", "alarm.name", msg("名称须为 1 至 {most} 个字。", most=100))
    kind = AlarmKind(wish.kind) if wish.kind in set(AlarmKind) else None
    if kind is None:
        faults.add("kind", "alarm.kind", msg("类型须为高于、低于或无数据。"))
    if (wish.threshold is None) != (kind is AlarmKind.SILENT) or abs(wish.threshold or 0) > 1e12:
        faults.add("threshold", "alarm.threshold", msg("阈值告警须填阈值；心跳告警不填阈值。"))
    if not 0 <= wish.hysteresis <= 1e12:
        faults.add("hysteresis", "alarm.hysteresis", msg("回差须为不小于 0 的数。"))
    least = 1 if kind is AlarmKind.SILENT else 0
    if not least <= wish.hold_minutes <= LONGEST_HOLD:
        faults.add("hold_minutes", "alarm.hold", msg("持续时间须为 {least} 至 1440 分钟。", least=least))
    if (wish.quiet_from is None) != (wish.quiet_until is None):
        faults.add("quiet_until", "alarm.quiet", msg("静默时段须有开始与结束。"))
    steps = list(wish.steps)
    rising = all(a < b for a, b in pairwise(steps))
    if len(steps) > MOST_STEPS - 1 or not rising or not all(1 <= each <= LONGEST_STEP for each in steps):
        faults.add("steps", "alarm.steps", msg("升级时间须为逐级增大的分钟数，最多四级。"))
    faults.refuse()
    return {
        "name": name,
        "kind": kind,
        "threshold": wish.threshold,
        "hysteresis": wish.hysteresis,
        "hold_minutes": wish.hold_minutes,
        "quiet_from": wish.quiet_from,
        "quiet_until": wish.quiet_until,
        "steps": steps,
    }


def _rules(work: Work) -> Any:
    own = () if work.actor.tenant_id is None else (SiteAlarmRule.tenant_id == work.actor.tenant_id,)
    taken = [getattr(SiteAlarmRule, name) for name in RuleView.__dataclass_fields__ if hasattr(SiteAlarmRule, name)]
    return (
        select(SiteMeter.name.label("meter_name"), SiteMeter.unit, SiteMeter.site_id, *taken)
        .join(SiteMeter, (SiteMeter.tenant_id == SiteAlarmRule.tenant_id) & (SiteMeter.id == SiteAlarmRule.meter_id))
        .where(*own)
    )


def _rule_view(row: Mapping[Any, Any]) -> RuleView:
    return RuleView(**{**row, "kind": AlarmKind(row["kind"]), "steps": tuple(row["steps"])})
