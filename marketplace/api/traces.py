"""Traces: from an invoice line to its event, rules and files, and from an event to its line."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import traces as billing
from billing.usecases.traces import Standing
from marketplace.api.artefacts import Artefact
from marketplace.api.calls import call, noun, read
from marketplace.api.fields import Amount, Answer, Document, Moment, Paged, Parameters, PathParameters, Quantity
from marketplace.api.quotes import Award
from marketplace.usecases import traces as use_cases
from tenants.kernel.work import Work

traces = noun("traces", "From an invoice line to what it was made from, and back.")


class TracedEvent(Answer):
    """What was used, as it was told; ``sha256`` is the hash of what it says."""

    source: str
    event_id: str
    type: str
    subject: str
    time: Moment
    received_at: Moment
    data: Any
    sha256: str
    meters: list[str]
    late: bool


class TracedPrice(Answer):
    """The price that counted for the order."""

    id: UUID
    charge: Document
    vat_bp: int
    valid_from: Moment
    valid_to: Moment | None


class TracedHold(Answer):
    """Public money that paid a part, by the version of the programme that gave it."""

    id: UUID
    fund_id: UUID
    envelope: str
    programme: str
    version: int
    status: str
    amount_fen: Amount
    captured_fen: Amount


class TracedJournal(Answer):
    """A journal of the books."""

    id: UUID
    source_kind: str
    period: str
    occurred_at: Moment


class TracedFee(Answer):
    """A subscription's fee: its period, the plan's version and the days, both ends included, that it is for."""

    period_id: UUID
    tier: str
    plan_id: UUID
    plan_version: int
    plan_name: str
    plan_name_en: str
    billed_every: str
    whole_first_day: date
    whole_last_day: date
    whole_days: int
    first_day: date
    last_day: date
    days: int
    fee_fen: Amount
    due_fen: Amount
    credit_fen: Amount
    replaces_id: UUID | None
    carried_in_fen: Amount
    charged_fen: Amount
    moved_fen: Amount
    returned_fen: Amount


class TracedMeter(Answer):
    """What a line of metered use was charged from: what the meter counted in one snapshot, and what was charged before.

    ``GET /meters/{meter}/query`` from ``span_from`` to ``span_to`` tells what it counts now.
    """

    meter: str
    span_from: Moment
    span_to: Moment
    snapshot: str = Field(description="PostgreSQL's name of the snapshot whose events were counted")
    taken_at: Moment
    events: int
    quantity: Quantity
    already_units: Quantity
    already_fen: Amount
    charged_fen: Amount
    lowered_fen: Amount = Field(description="Asked back since by credit notes, as a correction lowered it")


class TracedCount(Answer):
    """A charge of metered use that counted the event: trace its own event to go on."""

    meter: str
    period: str
    event_source: str
    event_id: str
    invoice_id: UUID | None
    invoice_number: str | None
    invoice_line: int | None


class TracedCharge(Answer):
    """What the event came to."""

    rated_usage_id: UUID
    order_line_id: UUID
    offering: str
    title: str
    quantity: Quantity
    gross_fen: Amount
    subsidy_fen: Amount
    payable_fen: Amount
    payment_method: str
    period: str
    rated_at: Moment
    awards: list[Award]
    price: TracedPrice
    fee: TracedFee | None
    metered: TracedMeter | None
    holds: list[TracedHold]
    journals: list[TracedJournal]


class TracedLine(Answer):
    """The invoice line."""

    invoice_id: UUID
    number: str
    period: str
    status: str
    line: int
    vat_fen: Amount


class TracedDelivery(Answer):
    """The order line that was delivered, the job that did it, and its files."""

    order_id: UUID
    order_number: str
    quote_id: UUID
    run_id: UUID | None
    booking_id: UUID | None
    site_month_id: UUID | None
    sample_batch_id: UUID | None
    result_sha256: str | None
    artefacts: list[Artefact]


class Trace(Answer):
    """One way from an event to an invoice line, as far as it goes."""

    park_id: UUID
    park_name: str
    standing: Standing
    event: TracedEvent
    charge: TracedCharge | None
    line: TracedLine | None
    delivery: TracedDelivery | None
    counted_by: list[TracedCount]

    @classmethod
    def of(cls, view: object) -> Trace:
        """Return the answer that shows ``view``, a FullTrace."""
        assert isinstance(view, use_cases.FullTrace)  # noqa: S101 - for the type checker
        found = view.trace
        done = view.delivery
        shown = None if done is None else TracedDelivery(
            **{**vars(done), "artefacts": [Artefact.of(each) for each in done.artefacts]}
        )  # fmt: skip
        return cls(
            park_id=found.park_id,
            park_name=view.park_name,
            standing=found.standing,
            event=TracedEvent.of(found.event),
            charge=None if found.charge is None else TracedCharge.of(found.charge),
            line=None if found.line is None else TracedLine.of(found.line),
            delivery=shown,
            counted_by=[TracedCount.of(each) for each in found.counted_by],
        )


class InvoiceLinePath(PathParameters):
    """A line of an invoice."""

    id: UUID
    line: Annotated[int, Field(ge=1, le=10**6)]


Named = Annotated[str, Field(min_length=1, max_length=200)]


class EventQuestion(Parameters):
    """Which event: its source and id as they were told. A source may contain slashes, so both are asked, not a path."""

    source: Named
    id: Named
    park_id: UUID | None = Field(None, description="For staff: the park whose event it is")


class Charged(Answer):
    """A delivered service that was charged, with the line it stands on where it has one."""

    park_id: UUID
    event_source: str
    event_id: str
    title: str
    quantity: Quantity
    gross_fen: Amount
    subsidy_fen: Amount
    payable_fen: Amount
    period: str
    used_at: Moment
    rated_at: Moment
    invoice_id: UUID | None
    invoice_number: str | None
    invoice_line: int | None


class ChargedList(Answer):
    """Charged deliveries, newest first, a part of the list."""

    items: list[Charged]
    next_cursor: str | None = None


class ChargedQuery(Paged):
    """Whose."""

    park_id: UUID | None = Field(None, description="For staff: one park's")


@traces.get("/usage/deliveries", **call(ChargedList))
def list_charged(query: ChargedQuery) -> Response:
    """List what was delivered and charged, each with the event it came from and the invoice line it stands on."""
    return read(ChargedList, lambda work: billing.list_charged(work, **query.model_dump()))


@traces.get("/invoices/<id>/lines/<line>/trace", **call(Trace))
def trace_invoice_line(path: InvoiceLinePath) -> Response:
    """Show what an invoice line was made from: event, price, programme versions, money, order and files."""

    def find(work: Work) -> use_cases.FullTrace:
        return use_cases.trace_invoice_line(work, invoice_id=path.id, line=path.line)

    return read(Trace, find)


@traces.get("/events/trace", **call(Trace))
def trace_event(query: EventQuestion) -> Response:
    """Show what an event has led to, up to its invoice line."""

    def find(work: Work) -> use_cases.FullTrace:
        return use_cases.trace_event(work, source=query.source, event_id=query.id, park_id=query.park_id)

    return read(Trace, find)
