"""What a park is told: balances and budgets that cross a line, until somebody has read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.store import alerts
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

MOST_SHOWN = 20


@dataclass(frozen=True)
class AlertView:
    """Something the park is told. ``kind`` says which line was crossed, ``detail`` holds the figures."""

    id: UUID
    kind: str
    detail: Mapping[str, Any]
    raised_at: datetime


def tell_park(work: Work, *, kind: str, key: str, detail: Mapping[str, Any]) -> bool:
    """Tell the acting park something once for each ``kind`` and ``key``; False when it has been told."""
    work.actor.require(Permission.PLACE_ORDER)
    told = alerts.Told(kind, key, detail)
    return alerts.raise_once(work.session, work.actor.require_tenant(), told, work.now)


def tell_person(work: Work, *, person_id: UUID, kind: str, key: str, detail: Mapping[str, Any]) -> bool:
    """Tell one person of the acting park something, as ``tell_park`` tells everybody."""
    work.actor.require(Permission.PLACE_ORDER)
    told = alerts.Told(kind, key, detail, person_id)
    return alerts.raise_once(work.session, work.actor.require_tenant(), told, work.now)


def list_alerts(work: Work) -> tuple[AlertView, ...]:
    """Return what the acting park or person was told and nobody has read, the latest first."""
    work.actor.require(Permission.READ_PARK)
    found = alerts.open_alerts(work.session, work.actor.require_tenant(), work.actor.user_id, MOST_SHOWN)
    return tuple(AlertView(row.id, row.kind, row.detail, row.raised_at) for row in found)


def acknowledge_alert(work: Work, *, alert_id: UUID) -> None:
    """Note that the acting person has read it; a repeat changes nothing. NotFound for one that is not there."""
    work.actor.require(Permission.READ_PARK)
    person, tenant_id = work.actor.require_person(), work.actor.require_tenant()
    if alerts.acknowledge(work.session, tenant_id, alert_id, by=person, at=work.now):
        audit.record(work, "alert.acknowledge", "alert", alert_id)
    elif not alerts.exists(work.session, tenant_id, alert_id, person):
        raise NotFound("alert.not_found", msg("没有找到该提醒。请刷新页面。"))
