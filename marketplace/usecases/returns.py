"""Returning and clawing back: where an order line meets the provider that delivered it and the money that paid it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from billing.rules.clawbacks import Bearer, ClawbackCause
from billing.rules.returns import ReturnCause
from billing.usecases import clawbacks, returns
from billing.usecases.clawback_cases import ClawbackView
from billing.usecases.evidence import Upload
from billing.usecases.return_views import ReturnView
from marketplace.store.order_queries import line_of, lines_of, locked_order, order_of
from marketplace.store.orders import Order, OrderLine
from marketplace.usecases.orders import order_not_found
from services.usecases import catalogue
from services.usecases.lead_repeats import end_free_repeats
from tenants.kernel.errors import NotFound
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


@dataclass(frozen=True)
class LineReturn:
    """What is returned of an order line. ``amount_fen`` of its price, None for all that is left."""

    cause: ReturnCause
    reason: str
    agreement: str
    amount_fen: int | None = None
    file: Upload | None = None


@dataclass(frozen=True)
class CaseWish:
    """What is asked back of an order line's subsidy, or of one programme's; ``bearer`` is named for fraud only."""

    cause: ClawbackCause
    reason: str
    due_on: date
    amount_fen: int | None = None
    bearer: Bearer | None = None
    file: Upload | None = None
    programme: str | None = None


def return_line(work: Work, *, order_id: UUID, line_id: UUID, wish: LineReturn) -> ReturnView:
    """Take a delivered line back, wholly or in part, as its provider agreed; each payer gets its share.

    The order's row is the lock of what becomes of its lines. Raises NotFound for a line that the order does not have.
    """
    work.actor.require(Permission.RETURN_DELIVERY)
    order = locked_order(work.session, order_id)
    if order is None:
        raise order_not_found()
    line = next((each for each in lines_of(work.session, order.tenant_id, [order.id]) if each.id == line_id), None)
    if line is None:
        raise line_not_found()
    made = returns.return_delivery(
        work,
        order_line_id=line.id,
        provider_id=catalogue.read_offering(work, slug=line.offering).provider_id,
        wish=returns.ReturnWish(
            cause=wish.cause,
            reason=wish.reason,
            agreement=wish.agreement,
            subject=subject_of(order, line),
            amount_fen=wish.amount_fen,
            file=wish.file,
        ),
    )
    end_free_repeats(work, order_line_ids=[line.id] if made.whole else [])
    return made


def open_case(work: Work, *, order_line_id: UUID, wish: CaseWish) -> ClawbackView:
    """Open a clawback about an order line. Raises NotFound for a line that is not there."""
    work.actor.require(Permission.OPEN_CLAWBACK)
    line = line_of(work.session, order_line_id)
    order = None if line is None else order_of(work.session, line.order_id)
    if line is None or order is None:
        raise line_not_found()
    return clawbacks.open_clawback(
        work,
        order_line_id=line.id,
        provider_id=catalogue.read_offering(work, slug=line.offering).provider_id,
        wish=clawbacks.ClawbackWish(
            cause=wish.cause,
            reason=wish.reason,
            due_on=wish.due_on,
            subject=subject_of(order, line),
            amount_fen=wish.amount_fen,
            bearer=wish.bearer,
            file=wish.file,
            programme=wish.programme,
        ),
    )


def order_of_line(work: Work, *, order_line_id: UUID) -> UUID:
    """Return the order that a line belongs to; NotFound for another park's."""
    work.actor.require(Permission.READ_ORDER)
    line = line_of(work.session, order_line_id)
    if line is None:
        raise line_not_found()
    return line.order_id


def subject_of(order: Order, line: OrderLine) -> str:
    """Return what people call the line: the order's number and the service."""
    return f"{order.number} · {line.title}"


def line_not_found() -> NotFound:
    """Return the refusal for an order line that is not there, or not the caller's."""
    return NotFound("order.line_not_found", msg("没有找到该订单项。请从订单页重新打开。"))
