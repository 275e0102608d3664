"""From an invoice line to what it was made from, and from an event to the line it stands on.

Both ways give the same answer: the event, the meters that read it, the price and the programme versions that rated it,
the money that moved for it, and its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from billing.store import adjustments, minimums, plans, settlements, trace_queries
from billing.store.adjustments import ADJUSTMENT
from billing.store.attendance_fees import ATTENDANCE, fee_of_usage
from billing.store.joint_true_ups import JOINT
from billing.store.lateness import closed_of
from billing.store.minimums import MINIMUM
from billing.store.plans import SUBSCRIPTION
from billing.store.trace_queries import ChargedRow
from billing.store.usage import RatedUsage, UsageEvent
from billing.usecases.event_views import EventBilling, read_event
from billing.usecases.joint_true_up_views import traced_share
from billing.usecases.traced_fees import TracedFee, traced_fee
from billing.usecases.traced_meter import TracedCount, TracedMeter, traced_counts, traced_meter
from tenants.kernel.errors import Conflict, NotFound
from tenants.kernel.messages import msg
from tenants.kernel.paging import Page, check_limit, decode_cursor, page_of
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work


class Standing(StrEnum):
    """How far an event has come on its way to an invoice."""

    NOT_CHARGED = "not_charged"
    """It is counted at most: neither a delivered service nor metered use was charged from it."""
    NOT_INVOICED = "not_invoiced"
    """It was charged and stands on the next invoice, or a meter with a price counts it and will be charged with that."""
    INVOICED = "invoiced"


@dataclass(frozen=True)
class TracedEvent:
    """What was used, as it was told, with the hash of what it says."""

    source: str
    event_id: str
    type: str
    subject: str
    time: datetime
    received_at: datetime
    data: Any
    sha256: str
    meters: tuple[str, ...]
    late: bool
    """It came after the days of grace of its month, or after the invoice that would have held it."""


@dataclass(frozen=True)
class TracedPrice:
    """The price that counted for the order, and from when until when it is asked.

    For what is no order it is the rule that charged it: a plan's version, a month's minimum, an adjustment
    that people decided.
    """

    id: UUID
    charge: Mapping[str, Any]
    vat_bp: int
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True)
class TracedHold:
    """Public money that paid a part, by the programme's version that gave it."""

    id: UUID
    fund_id: UUID
    envelope: str
    programme: str
    version: int
    status: str
    amount_fen: int
    captured_fen: int


@dataclass(frozen=True)
class TracedJournal:
    """A journal of the books."""

    id: UUID
    source_kind: str
    period: str
    occurred_at: datetime


@dataclass(frozen=True)
class TracedCharge:
    """What the event came to: one delivered service, its price, its awards and what was booked."""

    rated_usage_id: UUID
    order_line_id: UUID
    offering: str
    title: str
    quantity: Decimal
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    payment_method: str
    period: str
    rated_at: datetime
    awards: tuple[Mapping[str, Any], ...]
    price: TracedPrice
    fee: TracedFee | None
    metered: TracedMeter | None
    holds: tuple[TracedHold, ...]
    journals: tuple[TracedJournal, ...]


@dataclass(frozen=True)
class TracedLine:
    """The invoice line."""

    invoice_id: UUID
    number: str
    period: str
    status: str
    line: int
    vat_fen: int


@dataclass(frozen=True)
class Trace:
    """One way from an event to an invoice line, as far as it goes."""

    park_id: UUID
    standing: Standing
    event: TracedEvent
    charge: TracedCharge | None
    line: TracedLine | None
    counted_by: tuple[TracedCount, ...] = ()
    """Charges of metered use that counted the event; its own ``charge`` is then none."""


@dataclass(frozen=True)
class Charged:
    """A delivered service that was charged, with the line it stands on where it has one: for lists that lead to it."""

    park_id: UUID
    event_source: str
    event_id: str
    title: str
    quantity: Decimal
    gross_fen: int
    subsidy_fen: int
    payable_fen: int
    period: str
    used_at: datetime
    rated_at: datetime
    invoice_id: UUID | None
    invoice_number: str | None
    invoice_line: int | None


def list_charged(
    work: Work, *, park_id: UUID | None = None, limit: int = 50, cursor: str | None = None
) -> Page[Charged]:  # fmt: skip
    """Return charged deliveries, newest first: a park's own, for staff those of ``park_id`` or of all parks."""
    work.actor.require(Permission.READ_USAGE)
    found = trace_queries.charged_page(
        work.session,
        tenant_id=work.actor.tenant_id or park_id,
        before=decode_cursor(cursor),
        limit=check_limit(limit) + 1,
    )
    return page_of(found, limit, _charged, lambda row: (row.usage.rated_at, row.usage.id))


def trace_invoice_line(work: Work, *, invoice_id: UUID, line: int) -> Trace:
    """Return what an invoice line was made from; NotFound for a line that is not there, or another park's."""
    work.actor.require(Permission.READ_INVOICE)
    found = trace_queries.usage_of_invoice_line(work.session, invoice_id, line)
    if found is None:
        raise NotFound("invoice.line_not_found", msg("没有找到该账单行。请从账单中重新打开。"))
    _, usage = found
    return _trace(work, trace_queries.event_of_usage(work.session, usage), usage)


def trace_event(work: Work, *, source: str, event_id: str, park_id: UUID | None = None) -> Trace:
    """Return where an event has led to.

    Raises NotFound for an unknown event, and for staff Conflict when several parks have one of that name and
    ``park_id`` does not say which is meant.
    """
    work.actor.require(Permission.READ_USAGE)
    found = trace_queries.events_named(work.session, source, event_id, work.actor.tenant_id or park_id)
    if not found:
        raise NotFound("event.not_found", msg("没有找到该用量事件。请核对来源与编号。"))
    if len(found) > 1:
        raise Conflict("event.ambiguous", msg("多个园区有同名事件。请用 park_id 指明园区。"))
    return _trace(work, found[0], trace_queries.usage_of_event(work.session, found[0]))


def _charged(row: ChargedRow) -> Charged:
    usage = row.usage
    return Charged(
        park_id=usage.tenant_id,
        event_source=usage.event_source,
        event_id=usage.event_id,
        title=usage.title,
        quantity=usage.quantity,
        gross_fen=usage.gross_fen,
        subsidy_fen=usage.subsidy_fen,
        payable_fen=usage.payable_fen,
        period=usage.period,
        used_at=row.used_at,
        rated_at=usage.rated_at,
        invoice_id=row.invoice_id,
        invoice_number=row.number,
        invoice_line=row.line,
    )


def _trace(work: Work, event: UsageEvent, usage: RatedUsage | None) -> Trace:
    place = None if usage is None else trace_queries.place_of_usage(work.session, usage)
    counted = () if usage is not None else traced_counts(work, event)
    invoiced = place is not None or any(each.invoice_id is not None for each in counted)
    charged = bool(usage or counted) or _waits(work, event)
    standing = Standing.INVOICED if invoiced else Standing.NOT_INVOICED if charged else Standing.NOT_CHARGED
    return Trace(
        park_id=event.tenant_id,
        standing=standing,
        event=TracedEvent(
            source=event.source,
            event_id=event.event_id,
            type=event.type,
            subject=event.subject,
            time=event.time,
            received_at=event.received_at,
            data=event.data,
            sha256=event.body_hash,
            meters=tuple(trace_queries.meters_of_type(work.session, event.type)),
            late=closed_of(work.session, event.tenant_id).is_late(
                event.time, event.received_at, None if place is None else place.period
            ),
        ),
        charge=None if usage is None else _charge(work, usage),
        line=None if place is None else TracedLine(**vars(place) | {"number": place.number or ""}),
        counted_by=counted,
    )


def _waits(work: Work, event: UsageEvent) -> bool:
    """Tell whether a meter's price will charge an event that nothing was charged for yet."""
    found = read_event(work, source=event.source, event_id=event.event_id, park_id=event.tenant_id)
    return found.billing is EventBilling.NEXT_INVOICE


def _charge(work: Work, usage: RatedUsage) -> TracedCharge:
    return TracedCharge(
        rated_usage_id=usage.id,
        order_line_id=usage.order_line_id,
        offering=usage.offering,
        title=usage.title,
        quantity=usage.quantity,
        gross_fen=usage.gross_fen,
        subsidy_fen=usage.subsidy_fen,
        payable_fen=usage.payable_fen,
        payment_method=usage.payment_method,
        period=usage.period,
        rated_at=usage.rated_at,
        awards=tuple(usage.awards),
        price=_price(work, usage),
        fee=traced_fee(work, usage),
        metered=traced_meter(work, usage),
        holds=tuple(
            TracedHold(
                id=hold.id,
                fund_id=hold.fund_id,
                envelope=hold.envelope,
                programme=hold.programme,
                version=hold.version,
                status=hold.status,
                amount_fen=hold.amount_fen,
                captured_fen=hold.captured_fen,
            )
            for hold in trace_queries.holds_of_usage(work.session, usage)
        ),
        journals=tuple(
            TracedJournal(each.id, each.source_kind, each.period, each.occurred_at)
            for each in trace_queries.journals_of_usage(work.session, usage)
        ),
    )


def _price(work: Work, usage: RatedUsage) -> TracedPrice:
    if usage.offering == SUBSCRIPTION:
        return _plan(work, usage)
    if usage.offering == ADJUSTMENT:
        return _adjustment(work, usage)
    if usage.offering == ATTENDANCE:
        return _attendance(work, usage)
    if usage.offering == MINIMUM:
        return _minimum(work, usage)
    if usage.offering == JOINT:
        return TracedPrice(*traced_share(work, usage))
    price = settlements.price_of(work.session, usage.price_id)
    assert price is not None, "prices are never removed"  # noqa: S101 - for the type checker
    return TracedPrice(price.id, price.charge, price.vat_bp, price.valid_from, price.valid_to)


def _plan(work: Work, usage: RatedUsage) -> TracedPrice:
    plan = plans.plans_by_id(work.session, [usage.price_id])[usage.price_id]
    charge = {
        "model": "plan",
        "tier": plan.tier,
        "version": plan.version,
        "monthly_fee_fen": plan.monthly_fee_fen,
        "yearly_fee_fen": plan.yearly_fee_fen,
    }
    return TracedPrice(plan.id, charge, plan.vat_bp, plan.valid_from, None)


def _minimum(work: Work, usage: RatedUsage) -> TracedPrice:
    row = minimums.charge_of_usage(work.session, usage)
    charge = {
        "model": "minimum",
        "period": row.period,
        "minimum_fen": row.minimum_fen,
        "charges_fen": row.charges_fen,
        "charged_fen": row.charged_fen,
    }
    return TracedPrice(row.id, charge, row.vat_bp, row.charged_at, None)


def _attendance(work: Work, usage: RatedUsage) -> TracedPrice:
    row = fee_of_usage(work.session, usage)
    charge = {
        "model": "attendance",
        "kind": row.kind,
        "booking_id": str(row.booking_id),
        "rule_version": row.rule_version,
        "base_fen": row.base_fen,
        "rate_bp": row.rate_bp,
        "units": row.units,
        "unit_fen": row.unit_fen,
        "amount_fen": row.amount_fen,
    }
    return TracedPrice(row.id, charge, row.vat_bp, row.charged_at, None)


def _adjustment(work: Work, usage: RatedUsage) -> TracedPrice:
    ((row, invoice, line, period),) = adjustments.adjustments_page(work.session, adjustment_id=usage.order_line_id)
    charge = {
        "model": "adjustment",
        "invoice_id": str(invoice.id),
        "invoice": invoice.number,
        "line": row.invoice_line,
        "period": period,
        "title": line.title,
        "reason": row.reason,
        "amount_fen": row.amount_fen,
    }
    return TracedPrice(row.id, charge, line.vat_bp, row.decided_at or row.asked_at, None)
