"""Standing orders: each month of a site's service is an order of its own, placed when the month begins.

A refusal (no public money left within what the park agreed to pay, an empty wallet, a budget, a lower tier) ends the
standing order and tells the park; what was delivered before is not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from billing.usecases import alerts, quotes
from marketplace.rules.orders import PaymentMethod
from marketplace.store.standing_orders import (
    StandingOrder,
    due_standing_orders,
    locked_standing_order,
    standing_orders_of,
)
from services.rules.site_months import month_of, next_month
from services.usecases import site_months, sites
from tenants.kernel.errors import Conflict, NotFound, Problem
from tenants.kernel.identifiers import new_id
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.kernel.writing import rows_written
from tenants.usecases import audit

RUNNING, ENDED, STOPPED, HALTED = "running", "ended", "stopped", "halted"
HALT_ALERT = "standing_order.halted"


@dataclass(frozen=True)
class StandingOrderView:
    """A standing order as the park sees it."""

    id: UUID
    site_id: UUID
    site_name: str
    offering: str
    title: str
    order_id: UUID
    payment_method: PaymentMethod
    most_payable_fen: int
    next_month: date
    last_month: date | None
    status: str
    halt_code: str | None
    halt_reason: str | None
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class DueOrder:
    """A standing order whose next month has begun, and in whose name it is placed."""

    tenant_id: UUID
    id: UUID
    ordered_by: UUID | None


def begin_standing_order(
    work: Work, *, order_id: UUID, line: quotes.QuoteLineView, payment_method: PaymentMethod
) -> None:
    """Keep ordering a site-month whose request asks for more months than the one that ``line`` is.

    Raises Conflict ``standing_order.exists`` when the site's service is being ordered every month already.
    """
    work.actor.require(Permission.PLACE_ORDER)
    asked = site_months.asked_months(line.request)
    if asked.months == 1:
        return
    first = asked.first_month(month_of(work.now))
    row = {
        "tenant_id": work.actor.require_tenant(),
        "id": new_id(),
        "site_id": asked.site_id,
        "offering": line.offering,
        "title": line.title.rpartition(" · ")[0] or line.title,
        "order_id": order_id,
        "payment_method": payment_method,
        "most_payable_fen": line.payable_fen,
        "next_month": next_month(first),
        "last_month": None if asked.months is None else next_month(first, asked.months - 1),
        "status": RUNNING,
        "ordered_by": work.actor.user_id,
        "created_at": work.now,
    }
    if not rows_written(work.session, insert(StandingOrder).values(row).on_conflict_do_nothing()):
        raise Conflict("standing_order.exists", msg("该站点的此项服务已在按月续租。请先停止原来的续租，或只租一个月。"))
    audit.record(work, "standing_order.begin", "standing_order", row["id"])


def list_standing_orders(work: Work) -> tuple[StandingOrderView, ...]:
    """Return the acting park's standing orders, running ones first."""
    work.actor.require(Permission.READ_ORDER)
    return _views(work, standing_orders_of(work.session, work.actor.require_tenant()))


def stop_standing_order(work: Work, *, standing_order_id: UUID) -> StandingOrderView:
    """Order no further month; months that are ordered run to their end. One that has ended stays as it ended."""
    work.actor.require(Permission.CANCEL_ORDER)
    found = locked_standing_order(work.session, work.actor.require_tenant(), standing_order_id)
    if found is None:
        raise NotFound("standing_order.not_found", msg("没有找到该续租。请从站点页打开。"))
    if found.status == RUNNING:
        found.status, found.closed_at = STOPPED, work.now
        work.session.flush()
        audit.record(work, "standing_order.stop", "standing_order", found.id)
    return _views(work, [found])[0]


def orders_due(work: Work, *, limit: int = 5000) -> tuple[DueOrder, ...]:
    """Return the standing orders of all parks whose next month has begun."""
    work.actor.require(Permission.RUN_PLATFORM)
    return tuple(DueOrder(*row) for row in due_standing_orders(work.session, month_of(work.now), limit))


def claim_month(work: Work, *, standing_order_id: UUID) -> tuple[StandingOrderView, date] | None:
    """Move a due standing order on and return it with the month to be ordered now; None when another clock was faster.

    The row stays locked until the transaction ends: with the order, or, when that is refused, undone together with it.
    A month that has passed meanwhile (no clock ran) is left out, for nothing can be delivered in it.
    """
    work.actor.require(Permission.PLACE_ORDER)
    found = locked_standing_order(work.session, work.actor.require_tenant(), standing_order_id)
    running = month_of(work.now)
    if found is None or found.status != RUNNING or found.next_month > running:
        return None
    view = _views(work, [found])[0]
    found.next_month = next_month(running)
    if found.last_month is not None and found.next_month > found.last_month:
        found.status, found.closed_at = ENDED, work.now
    work.session.flush()
    return None if view.last_month is not None and running > view.last_month else (view, running)


def halt_standing_order(work: Work, *, standing_order_id: UUID, problem: Problem) -> bool:
    """End a due standing order whose month was refused, and tell the park why; False when it is not due any more."""
    work.actor.require(Permission.PLACE_ORDER)
    tenant_id = work.actor.require_tenant()
    found = locked_standing_order(work.session, tenant_id, standing_order_id)
    if found is None or found.status != RUNNING or found.next_month > month_of(work.now):
        return False
    found.status, found.closed_at = HALTED, work.now
    found.halt_code, found.halt_reason = problem.code[:64], str(problem.message)[:500]
    work.session.flush()
    alerts.tell_park(
        work,
        kind=HALT_ALERT,
        key=str(found.id),
        detail={"title": found.title, "month": f"{month_of(work.now):%Y-%m}"},
    )
    audit.record(work, "standing_order.halt", "standing_order", found.id, code=problem.code)
    return True


def _views(work: Work, rows: Sequence[StandingOrder]) -> tuple[StandingOrderView, ...]:
    names = sites.name_sites(work, site_ids={row.site_id for row in rows})
    return tuple(
        StandingOrderView(
            id=row.id,
            site_id=row.site_id,
            site_name=names.get(row.site_id, ""),
            offering=row.offering,
            title=row.title,
            order_id=row.order_id,
            payment_method=PaymentMethod(row.payment_method),
            most_payable_fen=row.most_payable_fen,
            next_month=row.next_month,
            last_month=row.last_month,
            status=row.status,
            halt_code=row.halt_code,
            halt_reason=row.halt_reason,
            created_at=row.created_at,
            closed_at=row.closed_at,
        )
        for row in rows
    )
