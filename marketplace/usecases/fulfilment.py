"""Fulfilment: what happens to an order when its runs, inspections and months end. Each step is done once, however often told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from billing.rules.attendance_fees import FeeKind
from billing.usecases import order_contracts, settlement
from billing.usecases.delivered_lines import DeliveredLine
from marketplace.rules.orders import LineStatus, OrderStatus, order_status
from marketplace.store.order_queries import WaitingLine, lines_of, locked_line, locked_order, still_open
from marketplace.store.orders import Order, OrderLine
from marketplace.usecases.attendance import NO_SHOW, charge_overrun, charge_share, charged_units, is_late
from marketplace.usecases.orders import order_not_found, read_order
from marketplace.usecases.views import OrderView
from services.rules.runs import RunStatus
from services.rules.samples import BatchStatus
from services.rules.site_months import SiteMonthStatus
from services.usecases import artefacts, attendance, bookings, catalogue, deliveries, runs, sample_views, site_months
from services.usecases.bookings import BookingStatus, BookingView
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Conflict
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

EVENT_TYPES = {
    "twin": "twin.run",
    "schedule": "schedule.run",
    "leads": "leads.report",
    "inspection": "inspection.report",
    "samples": "samples.report",
    "monitoring": "monitoring.site_month",
    "alarms": "alarms.site_month",
    "carbon": "carbon.site_month",
}
"""CloudEvents type of the usage that a delivery is metered by."""
NOTHING_MEASURED = "site_month.unused"
"""Why a site's month is not charged: the service has not worked for it on a single day."""
FOLLOW_UP_DAYS = 40
"""How long after its end a month is looked at for a job that did not come through."""


def complete_run(work: Work, *, run_id: UUID) -> None:
    """Meter, rate and settle the line that a finished run delivers, and put the result's hash on it."""
    work.actor.require(Permission.METER_USAGE)
    line = locked_line(work.session, run_id=run_id)
    if line is None or line.status != LineStatus.PLACED:
        return
    run = runs.read_run(work, run_id=run_id)
    data = {"run_id": str(run_id), "quantity": line.quantity, "attempts": run.attempts}
    evidence = {"order_line": str(line.id), "run": str(run_id), "report_sha256": run.manifest_sha256}
    _settle(work, line, str(run_id), run.delivery, data, evidence, run.manifest_sha256)


def complete_inspection(work: Work, *, booking_id: UUID) -> None:
    """Meter, rate and settle the line of a reported inspection; by actual use where its booking's rule says so."""
    work.actor.require(Permission.METER_USAGE)
    line = locked_line(work.session, booking_id=booking_id)
    if line is None or line.status != LineStatus.PLACED:
        return
    booking = bookings.read_booking(work, booking_id=booking_id)
    reports = artefacts.list_artefacts(work, source_id=booking_id)
    digest = reports[0].sha256 if reports else None
    used = charged_units(line, booking)
    data = {
        "booking_id": str(booking_id),
        "instrument_id": str(booking.instrument_id),
        "quantity": line.quantity if used is None else used,
        "booked_quantity": line.quantity,
        "booked_minutes": booking.booked_minutes,
        "used_minutes": booking.used_minutes,
    }
    evidence = {
        "order_line": str(line.id),
        "booking": str(booking_id),
        "report_sha256": digest,
        "booked_from": booking.starts_at.isoformat(),
        "booked_to": booking.ends_at.isoformat(),
        "checked_in_at": None if booking.checked_in_at is None else booking.checked_in_at.isoformat(),
        "checked_out_at": None if booking.checked_out_at is None else booking.checked_out_at.isoformat(),
        "used_minutes": booking.used_minutes,
    }
    charge_overrun(work, line, booking)
    _settle(work, line, str(booking_id), "inspection", data, evidence, digest, used=used)


def complete_samples(work: Work, *, batch_id: UUID) -> None:
    """Meter, rate and settle the line of reported samples; a retest that is free has none.

    The proof names the chain of custody by its hash and by when the samples came and their test began.
    """
    work.actor.require(Permission.METER_USAGE)
    line = locked_line(work.session, sample_batch_id=batch_id)
    if line is None or line.status != LineStatus.PLACED:
        return
    batch = sample_views.read_batch(work, batch_id=batch_id)
    data = {
        "sample_batch_id": str(batch_id),
        "samples": len(batch.samples),
        "tests": list(batch.tests),
        "quantity": line.quantity,
    }
    evidence = {
        "order_line": str(line.id),
        "samples": str(batch_id),
        "report_sha256": batch.report_sha256,
        "custody_sha256": batch.custody_sha256,
        "received_at": batch.received_at.isoformat() if batch.received_at else None,
        "test_begun_at": batch.begun_at.isoformat() if batch.begun_at else None,
    }
    _settle(work, line, str(batch_id), "samples", data, evidence, batch.report_sha256)


def complete_site_month(work: Work, *, site_month_id: UUID) -> None:
    """Meter, rate and settle the line of a site's month: it is used in that month, whenever it is settled."""
    work.actor.require(Permission.METER_USAGE)
    line = locked_line(work.session, site_month_id=site_month_id)
    if line is None or line.status != LineStatus.PLACED:
        return
    month = site_months.read_month(work, site_month_id=site_month_id)
    data = {
        "site_month_id": str(site_month_id),
        "site_id": str(month.site_id),
        "month": f"{month.month:%Y-%m}",
        "active_days": month.active_days,
        "quantity": line.quantity,
    }
    evidence = {"order_line": str(line.id), "site_month": str(site_month_id), "report_sha256": month.record_sha256}
    used_at = month.ends_at - timedelta(seconds=1)
    _settle(work, line, str(site_month_id), month.delivery, data, evidence, month.record_sha256, used_at)


def fail_delivery(
    work: Work,
    *,
    run_id: UUID | None = None,
    booking_id: UUID | None = None,
    site_month_id: UUID | None = None,
    sample_batch_id: UUID | None = None,
    code: str,
) -> None:
    """Release everything held for a line that could not be delivered: nothing is charged."""
    work.actor.require(Permission.METER_USAGE)
    line = locked_line(
        work.session,
        run_id=run_id,
        booking_id=booking_id,
        site_month_id=site_month_id,
        sample_batch_id=sample_batch_id,
    )
    if line is None or line.status != LineStatus.PLACED:
        return
    settlement.undo_deliveries(work, order_line_ids=[line.id], reason=code)
    line.failure_code = code
    _release_contract(work, _close(work, line, LineStatus.FAILED), code)


def settle_no_show(work: Work, *, booking_id: UUID) -> bool:
    """End the line of a booking that nobody came to, give back what is held for it and charge the rule's fee.

    All of it once and in one transaction; False where somebody came, cancelled or reported meanwhile.
    """
    work.actor.require(Permission.METER_USAGE)
    line = locked_line(work.session, booking_id=booking_id)
    if line is None or line.status != LineStatus.PLACED or not attendance.note_no_show(work, booking_id=booking_id):
        return False
    charge_share(work, line, bookings.read_booking(work, booking_id=booking_id), FeeKind.NO_SHOW)
    settlement.undo_deliveries(work, order_line_ids=[line.id], reason=NO_SHOW)
    line.failure_code = NO_SHOW
    _release_contract(work, _close(work, line, LineStatus.CANCELLED), NO_SHOW)
    return True


def follow_up(work: Work, *, line: WaitingLine) -> bool:
    """Settle or undo a line whose delivery has ended although its job did not come through; True when it had ended."""
    work.actor.require(Permission.METER_USAGE)
    if line.run_id is not None:
        run = runs.read_run(work, run_id=line.run_id)
        if run.status is RunStatus.SUCCEEDED:
            complete_run(work, run_id=line.run_id)
        elif run.status is RunStatus.FAILED:
            fail_delivery(work, run_id=line.run_id, code=run.failure_code or "run.failed")
        return run.status in {RunStatus.SUCCEEDED, RunStatus.FAILED}
    if line.sample_batch_id is not None:
        batch = sample_views.read_batch(work, batch_id=line.sample_batch_id)
        if batch.status is BatchStatus.REPORTED:
            complete_samples(work, batch_id=batch.id)
        elif batch.status is BatchStatus.FAILED:
            fail_delivery(work, sample_batch_id=batch.id, code="samples.failed")
        return batch.status in {BatchStatus.REPORTED, BatchStatus.FAILED}
    assert line.booking_id is not None  # noqa: S101 - the database holds that a line has one of the three
    booking = bookings.read_booking(work, booking_id=line.booking_id)
    if booking.status is BookingStatus.REPORTED:
        complete_inspection(work, booking_id=line.booking_id)
    elif booking.status is BookingStatus.FAILED:
        fail_delivery(work, booking_id=line.booking_id, code="inspection.failed")
    return booking.status in {BookingStatus.REPORTED, BookingStatus.FAILED}


def ended_months_to_settle(work: Work) -> tuple[site_months.EndedMonth, ...]:
    """Return the months that ended lately and whose line is still open: their job has not come through."""
    work.actor.require(Permission.RUN_PLATFORM)
    ended = site_months.months_ended_since(work, days=FOLLOW_UP_DAYS)
    waiting = still_open(work.session, [each.order_line_id for each in ended])
    return tuple(each for each in ended if each.order_line_id in waiting)


def follow_up_month(work: Work, *, site_month_id: UUID) -> None:
    """Settle or undo the line of a site's month that has ended."""
    work.actor.require(Permission.METER_USAGE)
    month = site_months.read_month(work, site_month_id=site_month_id)
    if month.status is SiteMonthStatus.DELIVERED:
        complete_site_month(work, site_month_id=site_month_id)
    elif month.status is SiteMonthStatus.FAILED:
        fail_delivery(work, site_month_id=site_month_id, code=NOTHING_MEASURED)


def cancel_order(work: Work, *, order_id: UUID, overdue: bool = False) -> OrderView:
    """Cancel what of an order is not delivered yet; holds, wallet and slots are given back, and what a booking's rule
    asks for being late is charged to the park.

    Raises NotFound for another park's order, Conflict when nothing of it can be cancelled any more,
    ``booking.begun`` from the moment a booked slot begins (the instrument was kept free for it), ``samples.begun`` once
    the test of the samples has begun and ``site_month.begun`` once the service has worked in a rented month. An order that is ``overdue`` is past that.
    """
    work.actor.require(Permission.CANCEL_ORDER)
    order = locked_order(work.session, order_id)
    if order is None:
        raise order_not_found()
    if order.status == OrderStatus.CANCELLED:
        return read_order(work, order_id=order_id)
    if order.status != OrderStatus.PLACED:
        raise Conflict("order.closed", msg("订单 {number} 已结束,不能取消。", number=order.number))
    lines = lines_of(work.session, order.tenant_id, [order.id])
    _cancel_lines(work, order, [line for line in lines if line.status == LineStatus.PLACED], overdue=overdue)
    audit.record(work, "order.cancel", "order", order_id)
    work.session.flush()
    return read_order(work, order_id=order_id)


def cancel_bookings(work: Work, *, order_id: UUID, booking_ids: Collection[UUID]) -> None:
    """Cancel those open lines of an order that some bookings deliver, as ``cancel_order`` would; the others stay.

    Raises NotFound for another park's order, Conflict as ``cancel_order`` does.
    """
    work.actor.require(Permission.CANCEL_ORDER)
    order = locked_order(work.session, order_id)
    if order is None:
        raise order_not_found()
    lines = lines_of(work.session, order.tenant_id, [order.id])
    wanted = [line for line in lines if line.status == LineStatus.PLACED and line.booking_id in booking_ids]
    _cancel_lines(work, order, wanted, overdue=False)
    audit.record(work, "order.cancel_bookings", "order", order_id, lines=len(wanted))
    work.session.flush()


def _cancel_lines(work: Work, order: Order, open_lines: Sequence[OrderLine], *, overdue: bool) -> None:
    for line in open_lines:
        late = None
        if line.booking_id is not None and not overdue:
            late = _check_not_begun(work, line.booking_id)
        deliveries.cancel_delivery(
            work,
            run_id=line.run_id,
            booking_id=line.booking_id,
            site_month_id=line.site_month_id,
            sample_batch_id=line.sample_batch_id,
            overdue=overdue,
        )
        if late is not None:
            charge_share(work, line, late, FeeKind.LATE_CANCEL)
        _close(work, line, LineStatus.CANCELLED)
    settlement.undo_deliveries(work, order_line_ids=[line.id for line in open_lines], reason="order.cancelled")
    _release_contract(work, order, "order.cancelled")


def _check_not_begun(work: Work, booking_id: UUID) -> BookingView | None:
    """Refuse what has begun; return a booking that is cancelled too late to be free."""
    booking = bookings.read_booking(work, booking_id=booking_id)
    if booking.starts_at <= work.now:
        raise Conflict(
            "booking.begun",
            msg(
                "预约时段已于 {at} 开始，不能再取消。请联系服务机构处理。",
                at=f"{booking.starts_at.astimezone(CHINA):%m-%d %H:%M}",
            ),
        )
    return booking if is_late(booking, work) else None


def _settle(
    work: Work,
    line: OrderLine,
    event_id: str,
    delivery: str,
    data: dict[str, Any],
    evidence: dict[str, Any],
    digest: str | None,
    used_at: datetime | None = None,
    used: int | None = None,
) -> None:
    order = locked_order(work.session, line.order_id)
    assert order is not None, "a line's order is there, and locked by now"  # noqa: S101 - for the type checker
    settlement.settle_delivery(
        work,
        line=DeliveredLine(
            order_line_id=line.id,
            offering=line.offering,
            title=line.title,
            price_id=line.price_id,
            quantity=line.quantity,
            gross_fen=line.gross_fen,
            subsidy_fen=line.subsidy_fen,
            payable_fen=line.payable_fen,
            vat_bp=line.vat_bp,
            awards=tuple(line.awards),
            payment_method=order.payment_method,
            evidence={**evidence, "order": order.number},
            provider_id=catalogue.provider_of(work, slug=line.offering),
            reference=order.number,
            quote_id=order.quote_id,
            position=line.position,
            included=line.included,
            discount_fen=line.discount_fen,
            agreed_discount_fen=line.agreed_discount_fen,
            agreed_discount_id=line.agreed_discount_id,
            repeats=line.repeats,
            used=used,
        ),
        source=f"marketplace/{delivery}",
        event_id=event_id,
        event_type=EVENT_TYPES[delivery],
        subject=str(line.tenant_id),
        occurred_at=used_at or work.now,
        data=data,
    )
    line.result_sha256 = digest
    _close(work, line, LineStatus.DELIVERED)


def _release_contract(work: Work, order: Order, reason: str) -> None:
    """Let the contract of an order that delivered nothing be subsidised for another.

    Last of all: who waits for the contract waits for the commit, and this order waits for nobody any more.
    """
    if order.status in {OrderStatus.FAILED, OrderStatus.CANCELLED}:
        order_contracts.release_for_order(work, order_id=order.id, reason=reason)


def _close(work: Work, line: OrderLine, status: LineStatus) -> Order:
    """Close a line and, with its last one, the order; return the order."""
    line.status = status
    work.session.flush()
    order: Order | None = locked_order(work.session, line.order_id)
    assert order is not None, "a line's order is there, and locked by now"  # noqa: S101 - for the type checker
    lines = lines_of(work.session, order.tenant_id, [order.id])
    order.status = order_status(LineStatus(each.status) for each in lines)
    if order.status != OrderStatus.PLACED:
        order.closed_at = work.now
    work.session.flush()
    return order
