"""Work orders: a deviation with a clock. Found once, escalated while nobody answers, accepted, handed over, closed, verified.

Every change is one guarded update of its row and one step that is never changed, in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from services.rules.monitoring.anomalies import Anomaly
from services.rules.monitoring.calendar import day_of
from services.rules.monitoring.causes import CAUSES, Cause, likely_cause
from services.store.readings import SiteMeter
from services.store.sites import Site
from services.store.watching import WorkOrder, WorkOrderStep
from services.usecases.site_meters import MeterView
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit

RESPONSE = timedelta(hours=1)
"""How long somebody may take to answer, on each level."""
HIGHEST_LEVEL = 3
OUTCOMES = ("fixed", "no_fault", "accepted_change")
LONGEST_NOTE = 500


@dataclass(frozen=True)
class StepView:
    """A step of a work order: who did it (or to whom it was handed), when, with which words."""

    number: int
    kind: str
    person: UUID | None
    note: str
    at: datetime


@dataclass(frozen=True)
class WorkOrderView:
    """A work order. ``excess`` is in the meter's unit; ``share_bp`` is the same over the expected use."""

    id: UUID
    park_id: UUID
    number: str
    site_id: UUID
    site_name: str
    meter_id: UUID
    meter_name: str
    unit: str
    baseline_id: UUID
    direction: str
    cause: Cause
    first_day: date
    found_day: date
    excess: Decimal
    share_bp: int
    detail: Mapping[str, Any]
    status: str
    found_at: datetime
    respond_by: datetime
    level: int
    holder: UUID | None
    accepted_at: datetime | None
    closed_at: datetime | None
    outcome: str | None
    saving: Mapping[str, Any] | None
    verified_at: datetime | None

    @property
    def surge_from(self) -> datetime | None:
        """Return when a sudden deviation began; None for one that was found over days."""
        return self._of_surge("from")

    @property
    def surge_found(self) -> datetime | None:
        """Return the end of the quarter of an hour in which a sudden deviation was found."""
        return self._of_surge("found")

    def _of_surge(self, name: str) -> datetime | None:
        surge = self.detail.get("surge")
        return None if surge is None else datetime.fromisoformat(surge[name])


def open_order(
    work: Work, *, meter: MeterView, baseline_id: UUID, anomaly: Anomaly, surge: Mapping[str, Any] | None = None
) -> UUID | None:
    """Write a work order for an anomaly; None when the meter has an open one already.

    ``surge`` tells of a sudden one: ``from``, ``found`` (RFC 3339) and ``quarters`` for its picture (seconds since 1970, use and
    expected use per hour).
    """
    work.actor.require(Permission.READ_SITE)
    cause = likely_cause(meter.measures, anomaly)
    order_id = new_id()
    row = {
        "tenant_id": work.actor.require_tenant(),
        "id": order_id,
        "number": f"W{work.now.astimezone(CHINA):%Y%m%d}-{order_id.hex[-6:].upper()}",
        "site_id": meter.site_id,
        "meter_id": meter.id,
        "baseline_id": baseline_id,
        "direction": anomaly.direction,
        "cause": cause.code,
        "first_day": day_of(anomaly.first_day),
        "found_day": day_of(anomaly.found_day),
        "excess": round(Decimal(anomaly.excess), 3),
        "share_bp": round(anomaly.share * 10_000),
        "detail": {
            "off_share": round(anomaly.off_share, 3),
            "offset_share": round(anomaly.offset_share, 3),
            **({} if surge is None else {"surge": dict(surge)}),
        },
        "status": "open",
        "found_at": work.now,
        "respond_by": work.now + RESPONSE,
        "level": 0,
    }
    if not rows_written(work.session, insert(WorkOrder).values(row).on_conflict_do_nothing()):
        return None
    _step(work, order_id, "found")
    return order_id


def accept(work: Work, *, work_order_id: UUID, note: str = "") -> WorkOrderView:
    """Answer an open work order: the acting person looks after it, and the clock stops."""
    work.actor.require(Permission.HANDLE_ALERT)
    order = _locked(work, work_order_id)
    if order.status != "open":
        raise _not_now(order)
    order.status, order.accepted_at, order.holder = "accepted", work.now, work.actor.user_id
    _step(work, order.id, "accepted", work.actor.user_id, note)
    audit.record(work, "work_order.accept", "work_order", order.id)
    return read(work, work_order_id=order.id)


def hand_over(work: Work, *, work_order_id: UUID, person: UUID, note: str = "") -> WorkOrderView:
    """Give an accepted work order to another person, who is one of the park's (the door has seen to that)."""
    work.actor.require(Permission.HANDLE_ALERT)
    order = _locked(work, work_order_id)
    if order.status != "accepted":
        raise _not_now(order)
    order.holder = person
    _step(work, order.id, "handed_over", person, note)
    audit.record(work, "work_order.hand_over", "work_order", order.id)
    return read(work, work_order_id=order.id)


def add_note(work: Work, *, work_order_id: UUID, note: str) -> WorkOrderView:
    """Write down what was done or found."""
    work.actor.require(Permission.HANDLE_ALERT)
    order = _locked(work, work_order_id)
    if not note.strip():
        raise _wrong_note()
    _step(work, order.id, "noted", work.actor.user_id, note)
    return read(work, work_order_id=order.id)


def close(work: Work, *, work_order_id: UUID, outcome: str, note: str) -> WorkOrderView:
    """End a work order: the fault was ``fixed`` (its saving is measured afterwards), there was ``no_fault``, or the park uses
    more for good reason (``accepted_change``: the baseline is learned anew from then on). It says how in ``note``.
    """
    work.actor.require(Permission.HANDLE_ALERT)
    order = _locked(work, work_order_id)
    if outcome not in OUTCOMES:
        wrong = msg("结果须为：已排除、无故障或属正常变化。")
        raise Invalid("work_order.outcome", wrong, errors=[FieldError("outcome", "work_order.outcome", wrong)])
    if not note.strip():
        raise _wrong_note()
    if order.status == "closed":
        raise _not_now(order)
    if order.accepted_at is None:
        order.accepted_at, order.holder = work.now, work.actor.user_id
    order.status, order.closed_at, order.outcome = "closed", work.now, outcome
    _step(work, order.id, "closed", work.actor.user_id, note)
    audit.record(work, "work_order.close", "work_order", order.id, outcome=outcome)
    return read(work, work_order_id=order.id)


def orders_overdue(work: Work, *, limit: int = 1000) -> Sequence[tuple[UUID, UUID]]:
    """Return (park, id) of open work orders that nobody has answered in time."""
    work.actor.require(Permission.RUN_PLATFORM)
    query = select(WorkOrder.tenant_id, WorkOrder.id).where(
        WorkOrder.status == "open", WorkOrder.respond_by <= work.now, WorkOrder.level < HIGHEST_LEVEL
    )
    return [(row[0], row[1]) for row in work.session.execute(query.order_by(WorkOrder.respond_by).limit(limit))]


def escalate(work: Work, *, work_order_id: UUID) -> WorkOrderView | None:
    """Take a work order that nobody has answered one level up; None when it was answered, or taken up, meanwhile."""
    work.actor.require(Permission.READ_SITE)
    order = _locked(work, work_order_id)
    if order.status != "open" or order.respond_by > work.now or order.level >= HIGHEST_LEVEL:
        return None
    order.level, order.respond_by = order.level + 1, work.now + RESPONSE
    _step(work, order.id, "escalated", None, str(order.level))
    return read(work, work_order_id=order.id)


def record_saving(work: Work, *, work_order_id: UUID, saving: Mapping[str, Any]) -> bool:
    """Keep the saving that was measured after a repair, once."""
    work.actor.require(Permission.READ_SITE)
    order = _locked(work, work_order_id)
    if order.verified_at is not None or order.outcome != "fixed":
        return False
    order.saving, order.verified_at = dict(saving), work.now
    _step(work, order.id, "verified")
    return True


def read(work: Work, *, work_order_id: UUID) -> WorkOrderView:
    """Return a work order of the acting park (for staff, of any); NotFound for another park's."""
    work.actor.require(Permission.READ_SITE)
    work.session.flush()
    row = work.session.execute(_query(work).where(WorkOrder.id == work_order_id)).mappings().one_or_none()
    if row is None:
        raise _not_found()
    return _view(row)


def read_steps(work: Work, *, work_order_id: UUID) -> tuple[StepView, ...]:
    """Return the steps of a work order, first to last."""
    work.actor.require(Permission.READ_SITE)
    order = read(work, work_order_id=work_order_id)
    query = select(WorkOrderStep).where(
        WorkOrderStep.tenant_id == order.park_id, WorkOrderStep.work_order_id == order.id
    )
    rows = work.session.execute(query.order_by(WorkOrderStep.number)).scalars()
    return tuple(StepView(row.number, row.kind, row.person, row.note, row.at) for row in rows)


def list_orders(
    work: Work, *, site_id: UUID | None = None, open_only: bool = False, limit: int = 50, cursor: str | None = None
) -> Page[WorkOrderView]:
    """Return work orders, the newest first, of a site or of all of the acting park's."""
    work.actor.require(Permission.READ_SITE)
    query = _query(work).order_by(WorkOrder.found_at.desc(), WorkOrder.id.desc()).limit(check_limit(limit) + 1)
    if site_id is not None:
        query = query.where(WorkOrder.site_id == site_id)
    if open_only:
        query = query.where(WorkOrder.status != "closed")
    if (before := decode_cursor(cursor)) is not None:
        query = query.where(func.row(WorkOrder.found_at, WorkOrder.id) < func.row(*before))
    rows = work.session.execute(query).mappings().all()
    return page_of(rows, limit, _view, lambda row: (row["found_at"], row["id"]))


def last_of_meter(work: Work, *, meter_id: UUID) -> WorkOrderView | None:
    """Return the newest work order of a meter."""
    work.actor.require(Permission.READ_SITE)
    query = _query(work).where(WorkOrder.meter_id == meter_id).order_by(WorkOrder.found_at.desc()).limit(1)
    row = work.session.execute(query).mappings().one_or_none()
    return None if row is None else _view(row)


def unverified(work: Work, *, meter_id: UUID) -> tuple[WorkOrderView, ...]:
    """Return the work orders of a meter whose fault was fixed and whose saving has not been measured.

    A sudden deviation is none of them: how long it would have gone on, nobody knows.
    """
    work.actor.require(Permission.READ_SITE)
    query = _query(work).where(
        WorkOrder.meter_id == meter_id,
        WorkOrder.outcome == "fixed",
        WorkOrder.verified_at.is_(None),
        ~WorkOrder.detail.has_key("surge"),
    )
    return tuple(map(_view, work.session.execute(query).mappings()))


def _locked(work: Work, work_order_id: UUID) -> WorkOrder:
    query = select(WorkOrder).where(WorkOrder.tenant_id == work.actor.require_tenant(), WorkOrder.id == work_order_id)
    fresh = query.with_for_update().execution_options(populate_existing=True)
    found: WorkOrder | None = work.session.execute(fresh).scalar_one_or_none()
    if found is None:
        raise _not_found()
    return found


def _step(work: Work, order_id: UUID, kind: str, person: UUID | None = None, note: str = "") -> None:
    """Write a step; the order's row is locked, so its number is free."""
    if len(note.strip()) > LONGEST_NOTE:
        raise _wrong_note()
    work.session.flush()
    tenant = work.actor.require_tenant()
    last = select(func.coalesce(func.max(WorkOrderStep.number), 0)).where(
        WorkOrderStep.tenant_id == tenant, WorkOrderStep.work_order_id == order_id
    )
    row = {
        "tenant_id": tenant,
        "work_order_id": order_id,
        "number": work.session.execute(last).scalar_one() + 1,
        "kind": kind,
        "person": person,
        "note": note.strip(),
        "at": work.now,
    }
    work.session.execute(insert(WorkOrderStep).values(row))


def _query(work: Work) -> Any:
    own = () if work.actor.tenant_id is None else (WorkOrder.tenant_id == work.actor.tenant_id,)
    columns = [getattr(WorkOrder, name) for name in WorkOrderView.__dataclass_fields__ if hasattr(WorkOrder, name)]
    return (
        select(
            WorkOrder.tenant_id.label("park_id"),
            Site.name.label("site_name"),
            SiteMeter.name.label("meter_name"),
            SiteMeter.unit,
            *columns,
        )
        .join(Site, (Site.tenant_id == WorkOrder.tenant_id) & (Site.id == WorkOrder.site_id))
        .join(SiteMeter, (SiteMeter.tenant_id == WorkOrder.tenant_id) & (SiteMeter.id == WorkOrder.meter_id))
        .where(*own)
    )


def _view(row: Mapping[Any, Any]) -> WorkOrderView:
    return WorkOrderView(**{**row, "cause": CAUSES.get(row["cause"], CAUSES["general"])})


def _not_found() -> NotFound:
    return NotFound("work_order.not_found", msg("没有找到该工单。请从工单列表打开。"))


def _not_now(order: WorkOrder) -> Conflict:
    return Conflict("work_order.status", msg("工单 {number} 目前的状态不允许此操作。请刷新页面。", number=order.number))


def _wrong_note() -> Invalid:
    wrong = msg("请用 1 至 {limit} 个字说明。", limit=LONGEST_NOTE)
    return Invalid("work_order.note", wrong, errors=[FieldError("note", "work_order.note", wrong)])
