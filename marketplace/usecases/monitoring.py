"""Monitoring where it meets the park: what is found is told on its first page, once for each work order, alarm and level."""

from __future__ import annotations

from uuid import UUID

from billing.usecases import alerts
from services.usecases import site_alarms, watching, work_orders
from services.usecases.work_orders import WorkOrderView
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.outbox import Event
from tenants.kernel.vocabulary import Permission, Priority
from tenants.kernel.work import Work
from tenants.usecases import people

FOUND, ESCALATED, ALARM = "work_order.found", "work_order.escalated", "alarm.told"


def queue_site(work: Work, *, site_id: UUID) -> None:
    """Let a worker evaluate a site of the acting park."""
    work.actor.require(Permission.RUN_PLATFORM)
    work.emit(Event("site.due", work.actor.require_tenant(), {"site_id": str(site_id)}, Priority.BACKGROUND))


def evaluate_site(work: Work, *, site_id: UUID) -> int:
    """Evaluate a site and tell the park of new work orders; return how many there are."""
    work.actor.require(Permission.READ_SITE)
    found = watching.evaluate_site(work, site_id=site_id)
    for order in found:
        alerts.tell_park(work, kind=FOUND, key=str(order.id), detail=_detail(order))
    return len(found)


def escalate(work: Work, *, work_order_id: UUID) -> bool:
    """Take a work order up that nobody has answered, and tell the park again."""
    work.actor.require(Permission.READ_SITE)
    order = work_orders.escalate(work, work_order_id=work_order_id)
    if order is None:
        return False
    detail = _detail(order) | {"level": str(order.level)}
    alerts.tell_park(work, kind=ESCALATED, key=f"{order.id}:{order.level}", detail=detail)
    return True


def tell_alarm(work: Work, *, alarm_id: UUID) -> bool:
    """Tell an alarm that is due, or tell it again a level up."""
    work.actor.require(Permission.READ_SITE)
    alarm = site_alarms.step_up(work, alarm_id=alarm_id)
    if alarm is None:
        return False
    detail = {"name": alarm.rule_name, "site": alarm.site_name, "meter": alarm.meter_name, "level": str(alarm.level)}
    alerts.tell_park(work, kind=ALARM, key=f"{alarm.id}:{alarm.level}", detail=detail)
    return True


def hand_over(work: Work, *, work_order_id: UUID, person: UUID, note: str = "") -> WorkOrderView:
    """Give a work order to a colleague; Invalid for anybody who is not one of the park's people."""
    work.actor.require(Permission.HANDLE_ALERT)
    work_orders.read(work, work_order_id=work_order_id)
    if person not in people.list_colleagues(work):
        wrong = msg("只能转交给本园区的人员。请从名单中选择。")
        raise Invalid("work_order.person", wrong, errors=[FieldError("person", "work_order.person", wrong)])
    return work_orders.hand_over(work, work_order_id=work_order_id, person=person, note=note)


def _detail(order: WorkOrderView) -> dict[str, str]:
    return {"number": order.number, "site": order.site_name, "meter": order.meter_name}
