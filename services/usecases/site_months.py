"""Standing services by site and month: booked with an order, working day by day, closed when the month is over.

A month is delivered when the service really worked for the site on at least one day of it; else it fails and nothing
is charged. What "worked" means is the service's own: it says so by ``note_activity``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from services.formats.site_month import SiteMonthDocument, read_site_month, site_month_document
from services.rules.catalogue import Delivery
from services.rules.site_months import (
    CLOSED_AFTER,
    TAKEN,
    SiteMonthStatus,
    is_closable,
    may_be_rented,
    month_of,
    next_month,
    span_of,
    working_months,
)
from services.store.entering import enter_file
from services.store.sites import Site, SiteActivity, SiteMonth
from services.usecases import sites
from services.usecases.catalogue import OfferingView
from tenants.kernel.errors import Conflict, FieldError, Invalid, NotFound
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import Message, msg
from tenants.kernel.outbox import Event
from tenants.kernel.vocabulary import Permission, Priority
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.rules.days import local_day

RECORD = "month-record.json"


@dataclass(frozen=True)
class SiteMonthView:
    """A service for one site in one month. ``active_days`` counts the days on which it worked."""

    id: UUID
    site_id: UUID
    site_name: str
    offering: str
    delivery: Delivery
    month: date
    starts_at: datetime
    ends_at: datetime
    status: SiteMonthStatus
    record_sha256: str | None
    closed_at: datetime | None
    active_days: int


@dataclass(frozen=True)
class EndedMonth:
    """A site-month that has ended, and the order line that it delivers or not."""

    tenant_id: UUID
    id: UUID
    order_line_id: UUID


def plan_month(work: Work, *, offering: OfferingView, request: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the full request for a site-month and what people call it; nothing is kept.

    Raises Invalid with the fields below ``request``, Conflict ``site.month_taken`` for a month that is rented already.
    """
    work.actor.require(Permission.ASK_QUOTE)
    asked = read_site_month(request)
    month = asked.first_month(month_of(work.now))
    if not may_be_rented(month, work.now):
        raise _wrong("month", "site_month.month", msg("只能租用本月或其后三个月。请另选月份。"))
    site = _open_site(work, asked.site_id)
    taken = select(SiteMonth.id).where(
        SiteMonth.tenant_id == work.actor.require_tenant(),
        SiteMonth.site_id == asked.site_id,
        SiteMonth.delivery == offering.delivery,
        SiteMonth.month == month,
        SiteMonth.status.in_(TAKEN),
    )
    if work.session.execute(taken).first() is not None:
        raise _taken(site.name, month)
    return site_month_document(asked, month), f"{site.name} · {month:%Y-%m}"


def asked_months(request: Mapping[str, Any]) -> SiteMonthDocument:
    """Return a planned request, for who places the months after the first."""
    return read_site_month(request)


def book_month(work: Work, *, offering: OfferingView, request: Mapping[str, Any], order_line_id: UUID) -> UUID:
    """Take a month for a site; of two orders at once the second is refused with Conflict ``site.month_taken``."""
    work.actor.require(Permission.PLACE_ORDER)
    asked = read_site_month(request)
    site = _open_site(work, asked.site_id)
    span = span_of(asked.first_month(month_of(work.now)))
    row = {
        "tenant_id": work.actor.require_tenant(),
        "id": new_id(),
        "site_id": site.id,
        "offering": offering.slug,
        "delivery": offering.delivery,
        "month": span.month,
        "starts_at": span.starts_at,
        "ends_at": span.ends_at,
        "status": SiteMonthStatus.BOOKED,
        "order_line_id": order_line_id,
        "booked_by": work.actor.user_id,
        "created_at": work.now,
    }
    if not rows_written(work.session, insert(SiteMonth).values(row).on_conflict_do_nothing()):
        raise _taken(site.name, span.month)
    return UUID(str(row["id"]))


def cancel_month(work: Work, *, site_month_id: UUID, overdue: bool = False) -> None:
    """Give a month back for which the service has not worked yet; cancelled twice is cancelled.

    Raises Conflict ``site_month.begun`` once it has worked (unless ``overdue``), ``site_month.closed`` when it has ended.
    """
    work.actor.require(Permission.CANCEL_ORDER)
    cancelled = (
        update(SiteMonth)
        .where(
            SiteMonth.id == site_month_id,
            *_own(work),
            SiteMonth.status.in_((SiteMonthStatus.BOOKED, SiteMonthStatus.CANCELLED)),
        )
        .values(status=SiteMonthStatus.CANCELLED, closed_at=func.coalesce(SiteMonth.closed_at, work.now))
        .returning(SiteMonth.tenant_id, SiteMonth.site_id, SiteMonth.delivery, SiteMonth.month)
    )
    row = work.session.execute(cancelled).one_or_none()
    if row is None:
        raise Conflict("site_month.closed", msg("该站点本月的服务已经结束，不能取消。"))
    # The row is locked by now, and who notes activity shares that lock: what is read here is all there will be.
    if not overdue and _active_days(work, row.tenant_id, row.site_id, row.delivery, row.month):
        raise Conflict("site_month.begun", msg("本月的服务已经开始使用，不能取消；续租可以随时停止。"))


def require_running(work: Work, *, site_id: UUID, delivery: Delivery) -> None:
    """Refuse unless a service is rented for a site now; its month stays open until the transaction ends.

    For six hours a new month runs on what was rented for the last one, so that a renewal has time to come through.
    Raises NotFound for another park's site, Conflict ``site.not_rented``.
    """
    work.actor.require(Permission.READ_SITE)
    if delivery not in _running(work, site_id):
        raise _not_rented(work, site_id)


def require_any(work: Work, *, site_id: UUID) -> frozenset[Delivery]:
    """Return the services that are rented for a site now; refuse, as ``require_running`` does, when there is none."""
    work.actor.require(Permission.READ_SITE)
    running = _running(work, site_id)
    if not running:
        raise _not_rented(work, site_id)
    return running


def note_activity(work: Work, *, site_id: UUID, delivery: Delivery, count: int = 1) -> None:
    """Note that a service has worked for a site now, ``count`` times; see ``require_running`` for its refusals."""
    work.actor.require(Permission.READ_SITE)
    require_running(work, site_id=site_id, delivery=delivery)
    row = {
        "tenant_id": work.actor.require_tenant(),
        "site_id": site_id,
        "delivery": delivery,
        "day": local_day(work.now),
        "count": count,
        "first_at": work.now,
        "last_at": work.now,
    }
    noted = insert(SiteActivity).values(row)
    work.session.execute(
        noted.on_conflict_do_update(
            index_elements=["tenant_id", "site_id", "delivery", "day"],
            set_={
                "count": SiteActivity.count + noted.excluded.count,
                "first_at": func.least(SiteActivity.first_at, noted.excluded.first_at),
                "last_at": func.greatest(SiteActivity.last_at, noted.excluded.last_at),
            },
        )
    )


def months_to_close(work: Work, *, limit: int = 5000) -> Sequence[EndedMonth]:
    """Return the booked months of all parks that are over, oldest first."""
    work.actor.require(Permission.RUN_PLATFORM)
    query = (
        select(SiteMonth.tenant_id, SiteMonth.id, SiteMonth.order_line_id)
        .where(SiteMonth.status == SiteMonthStatus.BOOKED, SiteMonth.ends_at <= work.now - CLOSED_AFTER)
        .order_by(SiteMonth.ends_at, SiteMonth.id)
        .limit(limit)
    )
    return [EndedMonth(*row) for row in work.session.execute(query)]


def months_ended_since(work: Work, *, days: int) -> Sequence[EndedMonth]:
    """Return the months that were closed, delivered or failed, in the last ``days`` days, for a look at their lines."""
    work.actor.require(Permission.RUN_PLATFORM)
    query = select(SiteMonth.tenant_id, SiteMonth.id, SiteMonth.order_line_id).where(
        SiteMonth.closed_at > work.now - timedelta(days=days),
        SiteMonth.status.in_((SiteMonthStatus.DELIVERED, SiteMonthStatus.FAILED)),
    )
    return [EndedMonth(*row) for row in work.session.execute(query)]


def close_month(work: Work, *, site_month_id: UUID) -> SiteMonthStatus | None:
    """End a month that is over: delivered with its record as a file, or failed; None when there is nothing to close.

    The row's status decides: of two clocks that come to it, one finds it no longer booked. The event that leads to the
    charge, or gives everything back, is in the same transaction.
    """
    work.actor.require(Permission.METER_USAGE)
    query = select(SiteMonth).where(SiteMonth.id == site_month_id, *_own(work)).with_for_update()
    row = work.session.execute(query).scalar_one_or_none()
    if row is None or row.status != SiteMonthStatus.BOOKED or not is_closable(row.ends_at, work.now):
        return None
    record = _record(work, row)
    status = SiteMonthStatus.DELIVERED if record["active"] else SiteMonthStatus.FAILED
    row.status, row.closed_at = status, work.now
    if status is SiteMonthStatus.DELIVERED:
        content = json.dumps(record, ensure_ascii=False, sort_keys=True, indent=1).encode()
        row.record_sha256 = hashlib.sha256(content).hexdigest()
        enter_file(
            work.session,
            row.tenant_id,
            kind="output",
            source_id=row.id,
            name=RECORD,
            media_type="application/json",
            content=content,
            created_by=None,
            created_at=work.now,
        )
    work.session.flush()
    work.emit(Event(f"site_month.{status}", row.tenant_id, {"site_month_id": str(row.id)}, Priority.MONEY))
    return status


def read_month(work: Work, *, site_month_id: UUID) -> SiteMonthView:
    """Return a site-month of the acting park (for staff, of any); NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    query = (
        select(SiteMonth, Site.name)
        .join(Site, (Site.tenant_id == SiteMonth.tenant_id) & (Site.id == SiteMonth.site_id))
        .where(SiteMonth.id == site_month_id, *_own(work))
    )
    found = work.session.execute(query).one_or_none()
    if found is None:
        raise NotFound("site_month.not_found", msg("没有找到该站点的月度服务。请从订单中打开。"))
    row, name = found
    return SiteMonthView(
        id=row.id,
        site_id=row.site_id,
        site_name=name,
        offering=row.offering,
        delivery=Delivery(row.delivery),
        month=row.month,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        status=SiteMonthStatus(row.status),
        record_sha256=row.record_sha256,
        closed_at=row.closed_at,
        active_days=len(_active_days(work, row.tenant_id, row.site_id, row.delivery, row.month)),
    )


def _running(work: Work, site_id: UUID) -> frozenset[Delivery]:
    """Return the services that run for a site, with their months locked against closing and cancelling."""
    running = (
        select(SiteMonth.delivery)
        .where(
            SiteMonth.tenant_id == work.actor.require_tenant(),
            SiteMonth.site_id == site_id,
            SiteMonth.month.in_(working_months(work.now)),
            SiteMonth.status.in_(TAKEN),
        )
        .with_for_update(read=True)
    )
    return frozenset(map(Delivery, work.session.execute(running).scalars()))


def _not_rented(work: Work, site_id: UUID) -> Conflict:
    site = sites.read_site(work, site_id=site_id)
    return Conflict("site.not_rented", msg("站点“{name}”本月没有租用此项服务。请先在服务目录中租用。", name=site.name))


def _record(work: Work, row: SiteMonth) -> dict[str, Any]:
    """Return what the month's file says: the days on which the service worked, and how often."""
    days = _active_days(work, row.tenant_id, row.site_id, row.delivery, row.month)
    site = work.session.execute(select(Site.name).where(Site.tenant_id == row.tenant_id, Site.id == row.site_id))
    return {
        "site": {"id": str(row.site_id), "name": site.scalar_one()},
        "offering": row.offering,
        "delivery": row.delivery,
        "month": f"{row.month:%Y-%m}",
        "period": {"from": row.starts_at.isoformat(), "to": row.ends_at.isoformat()},
        "active": [{"day": day.isoformat(), "count": count} for day, count in days.items()],
    }


def _active_days(work: Work, tenant_id: UUID, site_id: UUID, delivery: str, month: date) -> dict[date, int]:
    query = (
        select(SiteActivity.day, SiteActivity.count)
        .where(
            SiteActivity.tenant_id == tenant_id,
            SiteActivity.site_id == site_id,
            SiteActivity.delivery == delivery,
            SiteActivity.day >= month,
            SiteActivity.day < next_month(month),
        )
        .order_by(SiteActivity.day)
    )
    return dict(work.session.execute(query).all())


def _open_site(work: Work, site_id: UUID) -> sites.SiteView:
    try:
        site = sites.read_site(work, site_id=site_id)
    except NotFound as problem:
        raise _wrong("site_id", problem.code, problem.message) from problem
    if site.closed_at is not None:
        raise _wrong("site_id", "site.closed", msg("站点“{name}”已停用，不能再租用服务。", name=site.name))
    return site


def _wrong(field: str, code: str, message: Message) -> Invalid:
    return Invalid(code, message, errors=[FieldError(f"request.{field}", code, message)])


def _taken(name: str, month: date) -> Conflict:
    text = msg("站点“{name}”已租用 {month} 的此项服务。请另选月份或站点。", name=name, month=f"{month:%Y-%m}")
    return Conflict("site.month_taken", text, errors=[FieldError("request.month", "site.month_taken", text)])


def _own(work: Work) -> tuple[Any, ...]:
    return () if work.actor.tenant_id is None else (SiteMonth.tenant_id == work.actor.tenant_id,)
