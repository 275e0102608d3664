"""Reading orders."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from billing.usecases.attendance_fees import BookingFeeView, fees_by_booking
from billing.usecases.clawback_cases import ClawbackRow, cases_by_line
from billing.usecases.return_views import ReturnView, returns_by_line
from billing.usecases.unused_parts import UnusedPartView, unused_by_line
from marketplace.rules.orders import LineStatus, OrderStatus, PaymentMethod
from marketplace.rules.settled import Payers, total, went_back
from marketplace.store.order_queries import lines_by_order, lines_of, order_ids, order_of, order_page, places_of_runs
from marketplace.store.orders import Order, OrderLine
from marketplace.usecases.views import OrderLineView, OrderRow, OrderView, parts_back
from services.usecases import artefacts, bookings, runs, sample_views, site_months
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, decode_cursor, encode_cursor
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding


def read_order(work: Work, *, order_id: UUID) -> OrderView:
    """Return an order with its lines, runs, bookings and delivered files; NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    order = order_of(work.session, order_id)
    if order is None:
        raise order_not_found()
    park = onboarding.read_park(work, park_id=order.tenant_id)
    lines = lines_of(work.session, order.tenant_id, [order.id])
    return OrderView(
        id=order.id,
        number=order.number,
        quote_id=order.quote_id,
        contract_no=order.contract_no,
        status=OrderStatus(order.status),
        payment_method=PaymentMethod(order.payment_method),
        gross_fen=order.gross_fen,
        subsidy_fen=order.subsidy_fen,
        payable_fen=order.payable_fen,
        park_id=order.tenant_id,
        park_name=park.name,
        placed_at=order.placed_at,
        closed_at=order.closed_at,
        lines=_line_views(work, lines),
    )


def list_orders(
    work: Work, *, park_id: UUID | None = None, limit: int = 50, cursor: str | None = None
) -> Page[OrderRow]:
    """Return orders, newest first: a park's own, for staff those of ``park_id`` or of all parks."""
    work.actor.require(Permission.READ_ORDER)
    before = decode_cursor(cursor)
    found = list(order_page(work.session, park_id, before, limit + 1))
    shown = found[:limit]
    last = shown[-1] if len(found) > limit else None
    return Page(
        items=_rows(work, shown),
        next_cursor=None if last is None else encode_cursor(last.placed_at, last.id),
    )


def orders_of_lines(work: Work, *, line_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Return the order of each line that the acting person's rows show: for lists that lead to it."""
    work.actor.require(Permission.READ_ORDER)
    return order_ids(work.session, line_ids) if line_ids else {}


def orders_of_runs(work: Work, *, run_ids: Collection[UUID]) -> dict[UUID, tuple[UUID, str]]:
    """Return id and number of the order of each run, as far as the acting person's rows show them."""
    work.actor.require(Permission.READ_ORDER)
    return places_of_runs(work.session, run_ids) if run_ids else {}


def order_not_found() -> NotFound:
    """Return the refusal for an order that is not there, or not the caller's."""
    return NotFound("order.not_found", msg("没有找到该订单。请核对订单编号。"))


def _rows(work: Work, orders: list[Order]) -> tuple[OrderRow, ...]:
    parks = onboarding.park_names(work, park_ids={order.tenant_id for order in orders})
    lines = lines_by_order(work.session, orders)
    back, fees = _went_back(work, [line for each in lines.values() for line in each])
    return tuple(
        OrderRow(
            id=order.id,
            number=order.number,
            status=OrderStatus(order.status),
            park_id=order.tenant_id,
            park_name=parks.get(order.tenant_id, ""),
            titles=tuple(line.title for line in lines.get(order.id, ())),
            gross_fen=order.gross_fen,
            subsidy_fen=order.subsidy_fen,
            payable_fen=order.payable_fen,
            back=total(back[line.id] for line in lines.get(order.id, ())),
            fees_fen=sum(fees[line.id] for line in lines.get(order.id, ())),
            placed_at=order.placed_at,
        )
        for order in orders
    )


def _went_back(work: Work, lines: Sequence[OrderLine]) -> tuple[dict[UUID, Payers], dict[UUID, int]]:
    """Return, by line, what of it went back, and what the park pays for its booking beside it."""
    delivered = [line.id for line in lines if line.status == LineStatus.DELIVERED]
    returns = returns_by_line(work, order_line_ids=delivered)
    unused = unused_by_line(work, order_line_ids=delivered)
    charged = fees_by_booking(work, booking_ids=[line.booking_id for line in lines if line.booking_id])
    ordered = {line.id: Payers(line.gross_fen, line.subsidy_fen, line.payable_fen) for line in lines}
    back = {
        line.id: went_back(
            LineStatus(line.status),
            ordered[line.id],
            parts_back(ordered[line.id], unused.get(line.id), returns.get(line.id, ())),
        )
        for line in lines
    }
    fees = {
        line.id: sum(fee.amount_fen - fee.returned_fen for fee in charged.get(line.booking_id, ()))
        if line.booking_id
        else 0
        for line in lines
    }
    return back, fees


def _line_views(work: Work, lines: Sequence[OrderLine]) -> tuple[OrderLineView, ...]:
    delivered = [line.id for line in lines if line.status == LineStatus.DELIVERED]
    returns = returns_by_line(work, order_line_ids=delivered)
    cases = cases_by_line(work, order_line_ids=delivered)
    unused = unused_by_line(work, order_line_ids=delivered)
    fees = fees_by_booking(work, booking_ids=[line.booking_id for line in lines if line.booking_id])
    return tuple(
        _line_view(
            work,
            line,
            returns.get(line.id, ()),
            cases.get(line.id, ()),
            () if line.booking_id is None else fees.get(line.booking_id, ()),
            unused.get(line.id),
        )
        for line in lines
    )


def _line_view(
    work: Work,
    line: OrderLine,
    returns: tuple[ReturnView, ...],
    cases: tuple[ClawbackRow, ...],
    fees: tuple[BookingFeeView, ...],
    unused: UnusedPartView | None,
) -> OrderLineView:
    source = line.run_id or line.booking_id or line.site_month_id or line.sample_batch_id
    return OrderLineView(
        id=line.id,
        offering=line.offering,
        title=line.title,
        quantity=line.quantity,
        gross_fen=line.gross_fen,
        subsidy_fen=line.subsidy_fen,
        payable_fen=line.payable_fen,
        awards=tuple(line.awards),
        included=line.included,
        discount_fen=line.discount_fen,
        agreed_discount_fen=line.agreed_discount_fen,
        repeats=line.repeats,
        status=LineStatus(line.status),
        failure_code=line.failure_code,
        result_sha256=line.result_sha256,
        run=runs.read_run(work, run_id=line.run_id) if line.run_id else None,
        booking=bookings.read_booking(work, booking_id=line.booking_id) if line.booking_id else None,
        site_month=site_months.read_month(work, site_month_id=line.site_month_id) if line.site_month_id else None,
        samples=sample_views.read_batch(work, batch_id=line.sample_batch_id) if line.sample_batch_id else None,
        artefacts=tuple(artefacts.list_artefacts(work, source_id=source)) if source else (),
        returns=returns,
        clawbacks=cases,
        fees=fees,
        unused=unused,
    )
