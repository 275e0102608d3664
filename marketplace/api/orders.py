"""Orders: a quote becomes one, with its money and capacity; what it delivered; and cancelling it."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.rules.returns import ReturnCause
from marketplace.api.artefacts import Artefact, Artefacts
from marketplace.api.bookings import Booking
from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.clawbacks import ClawbackRow, Return, upload
from marketplace.api.fields import (
    Amount,
    Answer,
    Body,
    ById,
    Fen,
    Idempotent,
    Moment,
    Name,
    Paged,
    PathParameters,
    SentFile,
)
from marketplace.api.quotes import Award
from marketplace.api.runs import Run
from marketplace.api.samples import SampleBatch
from marketplace.doors.identity import working
from marketplace.doors.requests import takes_files
from marketplace.rules.orders import LineStatus, OrderStatus, PaymentMethod
from marketplace.usecases import checkout, fulfilment, returns
from marketplace.usecases import orders as use_cases

orders = noun("orders", "What was bought, how far it is, and what was delivered.")


class ReturnWish(Body):
    """What is returned of a delivered line, and who agreed to it for the provider."""

    cause: ReturnCause
    reason: Name
    agreement: Annotated[Name, Field(description="Who agreed for the provider, or the document that says so")]
    amount_fen: Annotated[Fen | None, Field(description="Of the line's price; null for all that is left")] = None
    evidence: SentFile | None = None


class OrderLinePath(PathParameters):
    """A line of an order."""

    id: UUID
    line_id: UUID


class OrderWish(Body):
    """The quote to buy, and how the park pays its part."""

    quote_id: UUID
    payment_method: PaymentMethod = PaymentMethod.INVOICE


class SiteMonth(Answer):
    """A service for one site in one month. It is delivered when it worked on at least one day of it."""

    id: UUID
    site_id: UUID
    site_name: str
    delivery: str
    month: date
    starts_at: Moment
    ends_at: Moment
    status: str
    active_days: int
    record_sha256: str | None
    closed_at: Moment | None


class BookingFee(Answer):
    """What a booking was charged beside its price; the park pays it alone."""

    id: UUID
    kind: str
    amount_fen: Amount
    rule_version: int
    base_fen: Amount
    rate_bp: int
    units: int
    unit_fen: Amount
    charged_at: Moment


class UnusedPart(Answer):
    """What of a booking by actual use was not used: units booked and used, and what both payers got back."""

    booked_units: int
    used_units: int
    gross_fen: Amount = Field(description="Given back of the line's price; likewise of both payers' parts")
    subsidy_fen: Amount
    payable_fen: Amount
    given_back_at: Moment


class Payers(Answer):
    """An amount, and what of it public funds and the park pay."""

    gross_fen: Amount
    subsidy_fen: Amount
    payable_fen: Amount


class OrderLine(Answer):
    """One rented service; its amounts are those that were ordered, ``settled`` what is left of them."""

    id: UUID
    offering: str
    title: str
    quantity: int
    gross_fen: Amount
    subsidy_fen: Amount
    payable_fen: Amount
    included: int = Field(
        description="Units that cost nothing: the park's plan includes them, or they repeat a delivery"
    )
    discount_fen: Amount = Field(description="What they would have cost; gross_fen is without it")
    agreed_discount_fen: Amount = Field(description="What a discount takes off before any subsidy; likewise")
    list_fen: Amount = Field(description="The list price: gross_fen and both of these")
    repeats: UUID | None = Field(description="The park's earlier run with the same answer, delivered again for nothing")
    awards: list[Award]
    status: LineStatus
    failure_code: str | None
    result_sha256: str | None
    run: Run | None
    booking: Booking | None
    site_month: SiteMonth | None
    samples: SampleBatch | None
    returns: list[Return]
    clawbacks: list[ClawbackRow]
    fees: list[BookingFee]
    unused: UnusedPart | None = Field(description="Null where all that was ordered is charged")
    back: Payers = Field(description="What went back: cancelled, failed, not used or returned")
    settled: Payers = Field(description="What was ordered less what went back")


class Order(Answer):
    """An order with its lines."""

    id: UUID
    number: str
    quote_id: UUID
    contract_no: str | None
    status: OrderStatus
    payment_method: PaymentMethod
    gross_fen: Amount
    subsidy_fen: Amount
    payable_fen: Amount
    park_id: UUID
    park_name: str
    placed_at: Moment
    closed_at: Moment | None
    back: Payers = Field(description="What of the ordered amounts went back")
    settled: Payers = Field(description="What is left of them")
    fees_fen: Amount = Field(description="Beside them: fees of bookings, less what of them came back")
    lines: list[OrderLine]


class OrderRow(Answer):
    """An order in a list."""

    id: UUID
    number: str
    status: OrderStatus
    park_id: UUID
    park_name: str
    titles: list[str]
    gross_fen: Amount
    subsidy_fen: Amount
    payable_fen: Amount
    back: Payers = Field(description="What of the ordered amounts went back")
    settled: Payers = Field(description="What is left of them")
    fees_fen: Amount = Field(description="Beside them: fees of bookings, less what of them came back")
    placed_at: Moment


class Orders(Answer):
    """Orders, newest first, a part of the list."""

    items: list[OrderRow]
    next_cursor: str | None


class OrderQuery(Paged):
    """Whose orders."""

    park_id: UUID | None = Field(None, description="For staff: one park's orders")


@orders.post("/orders", **call(Order, status=201))
def place_order(body: OrderWish, header: Idempotent) -> Response:
    """Buy what a quote offers: subsidy, wallet and capacity are taken together or not at all."""
    return command(
        "order.place",
        header,
        body,
        lambda work: Order.of(checkout.place_order(work, quote_id=body.quote_id, payment_method=body.payment_method)),
        status=201,
    )


@orders.get("/orders", **call(Orders))
def list_orders(query: OrderQuery) -> Response:
    """List orders."""
    return read(
        Orders,
        lambda work: use_cases.list_orders(work, park_id=query.park_id, limit=query.limit, cursor=query.cursor),
    )


@orders.get("/orders/<id>", **call(Order))
def read_order(path: ById) -> Response:
    """Read an order."""
    return read(Order, lambda work: use_cases.read_order(work, order_id=path.id))


@orders.post("/orders/<id>/cancel", **call(Order))
def cancel_order(path: ById, header: Idempotent) -> Response:
    """Cancel what is not delivered yet; everything held for it is given back."""
    return command(
        "order.cancel",
        header,
        None,
        lambda work: Order.of(fulfilment.cancel_order(work, order_id=path.id)),
        about={"order": str(path.id)},
    )


@orders.post("/orders/<id>/lines/<line_id>/return", **call(Return, status=201))
@takes_files
def return_order_line(path: OrderLinePath, body: ReturnWish, header: Idempotent) -> Response:
    """Take a delivered line back, wholly or in part: each payer gets back its own share.

    The park's share pays its open invoice or goes to its wallet, the public share goes back to its funds; what had been
    paid out is asked of the provider by a clawback that is opened with it.
    """
    wish = returns.LineReturn(body.cause, body.reason, body.agreement, body.amount_fen, upload(body.evidence))
    return command(
        "delivery.return",
        header,
        body,
        lambda work: Return.of(returns.return_line(work, order_id=path.id, line_id=path.line_id, wish=wish)),
        status=201,
        about={"order": str(path.id), "line": str(path.line_id)},
    )


@orders.get("/orders/<id>/artefacts", **call(Artefacts))
def list_order_artefacts(path: ById) -> Response:
    """List the files that an order delivered."""
    with working() as work:
        order = use_cases.read_order(work, order_id=path.id)
    return show(Artefacts(items=[Artefact.of(each) for line in order.lines for each in line.artefacts]))
