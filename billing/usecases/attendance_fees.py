"""Fees for late cancellations, no-shows and overruns of bookings, which no programme subsidises.

A fee is usage like any other: an event, rated usage and a journal, so invoices, VAT, credit notes and reconciliation
know it without rules of their own. It is charged on the park's invoice, however the order itself was paid.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.rules import ledger
from billing.rules.attendance_fees import FeeKind, fee_of
from billing.rules.periods import month_name
from billing.store import attendance_fees as store
from billing.store import settlements
from billing.store.attendance_fees import ATTENDANCE, AttendanceFee
from billing.store.books import post_journal
from billing.store.return_queries import amounts_returned
from billing.usecases.metering import note_event
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import audit

SOURCE = "marketplace/attendance"
EVENT_TYPE = "inspection.fee"
TITLES = {FeeKind.LATE_CANCEL: "临时取消费", FeeKind.NO_SHOW: "爽约费", FeeKind.OVERRUN: "超时费"}


@dataclass(frozen=True)
class BookingFee:
    """What a booking is charged for, and by what: ``rate_bp`` of ``base_fen``, or ``units`` at ``unit_fen`` each."""

    booking_id: UUID
    order_line_id: UUID
    kind: FeeKind
    title: str
    vat_bp: int
    rule_version: int
    dispute_days: int
    base_fen: int
    rate_bp: int = 0
    units: int = 0
    unit_fen: int = 0

    @property
    def amount_fen(self) -> int:
        """Return what it comes to, VAT included."""
        return fee_of(self.kind, base_fen=self.base_fen, rate_bp=self.rate_bp, units=self.units, unit_fen=self.unit_fen)


@dataclass(frozen=True)
class BookingFeeView:
    """A fee that was charged."""

    id: UUID
    booking_id: UUID
    kind: FeeKind
    amount_fen: int
    rule_version: int
    base_fen: int
    rate_bp: int
    units: int
    unit_fen: int
    charged_at: datetime
    returned_fen: int
    """What of it came back."""


def charge_fee(work: Work, *, fee: BookingFee) -> int:
    """Charge the acting park a fee, which ends or follows a booking, and return the fen.

    A repeat, or a fee of nothing, charges nothing and returns 0.
    """
    work.actor.require(Permission.CANCEL_ORDER)
    tenant = work.actor.require_tenant()
    amount_fen, fee_id = fee.amount_fen, new_id()
    facts = {
        "kind": fee.kind.value,
        "rule_version": fee.rule_version,
        "base_fen": fee.base_fen,
        "rate_bp": fee.rate_bp,
        "units": fee.units,
        "unit_fen": fee.unit_fen,
        "amount_fen": amount_fen,
    }
    row = {
        **facts,
        "tenant_id": tenant,
        "id": fee_id,
        "booking_id": fee.booking_id,
        "order_line_id": fee.order_line_id,
        "vat_bp": fee.vat_bp,
        "dispute_days": fee.dispute_days,
        "charged_at": work.now,
    }
    if not amount_fen or not store.insert_fee(work.session, row):
        return 0
    _let_it_be_usage(work, tenant, fee, fee_id, {"quantity": 1, "booking_id": str(fee.booking_id), **facts})
    audit.record(work, "attendance.fee", "booking", fee.booking_id, kind=fee.kind.value, amount_fen=amount_fen)
    return amount_fen


def fees_by_booking(work: Work, *, booking_ids: Collection[UUID]) -> dict[UUID, tuple[BookingFeeView, ...]]:
    """Return the fees of bookings that the acting person's rows show."""
    work.actor.require(Permission.READ_ORDER)
    found: dict[UUID, tuple[BookingFeeView, ...]] = {}
    rows = store.fees_of_bookings(work.session, booking_ids) if booking_ids else ()
    returned = amounts_returned(work.session, [row.id for row in rows])
    for row in rows:
        found[row.booking_id] = (*found.get(row.booking_id, ()), _view(row, returned.get(row.id, 0)))
    return found


def _let_it_be_usage(work: Work, tenant: UUID, fee: BookingFee, fee_id: UUID, data: dict[str, object]) -> None:
    event_id = f"{fee.booking_id}/{fee.kind}"
    note_event(
        work,
        tenant,
        source=SOURCE,
        event_id=event_id,
        event_type=EVENT_TYPE,
        subject=str(tenant),
        time=work.now,
        data=data,
    )
    settlements.insert_rated(
        work.session,
        {
            "tenant_id": tenant,
            "id": new_id(),
            "event_source": SOURCE,
            "event_id": event_id,
            "order_line_id": fee_id,
            "offering": ATTENDANCE,
            "title": f"{TITLES[fee.kind]}：{fee.title}"[:200],
            "price_id": fee_id,
            "quantity": 1,
            "vat_bp": fee.vat_bp,
            "gross_fen": fee.amount_fen,
            "subsidy_fen": 0,
            "payable_fen": fee.amount_fen,
            "awards": [],
            "payment_method": "invoice",
            "period": month_name(work.now),
            "rated_at": work.now,
        },
    )
    journal = ledger.delivery(
        park_id=tenant,
        source_id=str(fee_id),
        occurred_at=work.now,
        payable_fen=fee.amount_fen,
        by_fund={},
        vat_bp=fee.vat_bp,
    )
    assert journal is not None, "it is above zero"  # noqa: S101 - for the type checker
    post_journal(work.session, journal, user_id=work.actor.user_id)


def _view(row: AttendanceFee, returned_fen: int) -> BookingFeeView:
    return BookingFeeView(
        id=row.id,
        booking_id=row.booking_id,
        kind=FeeKind(row.kind),
        amount_fen=row.amount_fen,
        rule_version=row.rule_version,
        base_fen=row.base_fen,
        rate_bp=row.rate_bp,
        units=row.units,
        unit_fen=row.unit_fen,
        charged_at=row.charged_at,
        returned_fen=returned_fen,
    )
