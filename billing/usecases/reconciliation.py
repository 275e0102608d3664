"""Reconciliation of a month: usage = rated = invoiced = paid or still open, subsidy captured = claimed = booked.

Usage is worked out anew from the events and the prices of the time. What is not on an invoice yet is a break once the
month is over. Rows written by others while it runs may show as breaks that are gone when it is run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from billing.rules.charges import Charge
from billing.rules.discounts import Discount
from billing.rules.minimums import shortfall
from billing.rules.part_use import PartUse
from billing.rules.periods import DEFAULT_ZONE, local_day, month_name, parse_month
from billing.rules.rating import rate_after
from billing.rules.reconciliation import Break, BreakKind, Chain, compare
from billing.rules.reconciliation import reconcile as find_breaks
from billing.store import invoice_queries, settlements
from billing.store import reconciliation_queries as queries
from billing.store.adjustments import amounts_of_month
from billing.store.attendance_fees import amounts_of_month as attendance_of_month
from billing.store.books import balances
from billing.store.discounts import discounts_of_month
from billing.store.invoices import Invoice
from billing.store.joint_true_ups import amounts_of_month as joint_of_month
from billing.store.minimums import amounts_of_month as minimums_of_month
from billing.store.plans import fees_of_month
from billing.store.statement_queries import unmatched_lines
from billing.store.unused_parts import UnusedPart
from billing.store.unused_parts import parts_of_month as unused_of_month
from billing.store.usage import RatedUsage
from billing.usecases.arrears_anew import metered_anew
from billing.usecases.invoice_drafts import check_period
from billing.usecases.ledger import BalanceRow, TrialBalance
from billing.usecases.payments import Payers
from billing.usecases.rated import charge_of, quantity_of
from billing.usecases.subscription_fees import worked_out
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding


@dataclass(frozen=True)
class ParkReconciliation:
    """One park's month in fen. Used, rated and invoiced are list prices of the month's usage; what is payable, paid
    and open are of the month's invoice, so late usage stands on the next one.
    """

    park_id: UUID
    park_name: str
    metered_fen: int
    rated_fen: int
    invoiced_fen: int
    payable_fen: int
    paid_fen: int
    open_fen: int


@dataclass(frozen=True)
class FundReconciliation:
    """One fund in fen: captured and claimed of the month's deliveries; the other two over all time."""

    fund_id: UUID
    fund: str
    fund_name: str
    captured_fen: int
    claimed_fen: int
    register_fen: int
    books_fen: int


@dataclass(frozen=True)
class ReconciliationView:
    """A month's reconciliation; no breaks means that every fen is where it should be."""

    period: str
    parks: tuple[ParkReconciliation, ...]
    funds: tuple[FundReconciliation, ...]
    breaks: tuple[Break, ...]
    trial_balance: TrialBalance

    @property
    def metered_fen(self) -> int:
        """Return the month's usage at its prices."""
        return sum(row.metered_fen for row in self.parks)

    @property
    def rated_fen(self) -> int:
        """Return what was charged for it."""
        return sum(row.rated_fen for row in self.parks)

    @property
    def invoiced_fen(self) -> int:
        """Return what of it is on invoices."""
        return sum(row.invoiced_fen for row in self.parks)

    @property
    def payable_fen(self) -> int:
        """Return what the month's invoices ask for."""
        return sum(row.payable_fen for row in self.parks)

    @property
    def paid_fen(self) -> int:
        """Return what of it was paid."""
        return sum(row.paid_fen for row in self.parks)

    @property
    def open_fen(self) -> int:
        """Return what of it is open."""
        return sum(row.open_fen for row in self.parks)

    @property
    def captured_fen(self) -> int:
        """Return the subsidy that the month's deliveries captured."""
        return sum(row.captured_fen for row in self.funds)

    @property
    def claimed_fen(self) -> int:
        """Return what of it is claimed."""
        return sum(row.claimed_fen for row in self.funds)


@dataclass
class _Sums:
    """A park's sums while they grow."""

    metered_fen: int = 0
    rated_fen: int = 0
    invoiced_fen: int = 0
    payable_fen: int = 0
    paid_fen: int = 0
    open_fen: int = 0


@dataclass
class _Month:
    """What the steps of a month know, by the key that neighbours share."""

    parks: dict[UUID, _Sums] = field(default_factory=dict)
    metered: dict[str, int] = field(default_factory=dict)
    rated: dict[str, int] = field(default_factory=dict)
    rated_lines: dict[str, int] = field(default_factory=dict)
    invoiced_lines: dict[str, int] = field(default_factory=dict)
    noted: dict[str, int] = field(default_factory=dict)
    allocated: dict[str, int] = field(default_factory=dict)

    def of(self, park_id: UUID) -> _Sums:
        """Return a park's sums."""
        return self.parks.setdefault(park_id, _Sums())


def reconcile(work: Work, *, period: str) -> ReconciliationView:
    """Return a month's reconciliation with every break. Raises Invalid for a text that is no month."""
    work.actor.require(Permission.RECONCILE)
    check_period(period)
    month = _Month()
    _follow_usage(work, period, month, over=period < month_name(work.now))
    _follow_invoices(work, period, month)
    holds = queries.holds_of_month(work.session, period)
    captured = {str(hold.hold_id): hold.captured_fen for hold in holds}
    claimed = {str(hold.hold_id): hold.claimed_fen for hold in holds if hold.claimed_fen is not None}
    chain = Chain(
        month.metered, month.rated, month.rated_lines, month.invoiced_lines, month.noted, month.allocated, captured,
        claimed,
    )  # fmt: skip
    funds = _funds(work, holds)
    balance = TrialBalance(None, tuple(BalanceRow(*row) for row in balances(work.session, None)))
    return ReconciliationView(
        period=period,
        parks=_park_rows(work, month),
        funds=funds,
        breaks=(*find_breaks(chain), *_other_breaks(work, period, funds, balance)),
        trial_balance=balance,
    )


def _follow_usage(work: Work, period: str, month: _Month, *, over: bool) -> None:
    """Rate the month's events anew, and look for the invoice line of each."""
    charges = {key: charge_of(price) for key, price in queries.prices_of_month(work.session, period).items()}
    fees = fees_of_month(work.session, period)
    adjusted = amounts_of_month(work.session, period) | joint_of_month(work.session, period)
    adjusted |= attendance_of_month(work.session, period)
    agreed = discounts_of_month(work.session, period)
    unused = unused_of_month(work.session, period)
    minimums = minimums_of_month(work.session, period)
    arrears = metered_anew(work, period)
    meters = {}
    for usage, event, price_id, invoiced_fen in queries.rated_of_month(work.session, period):
        if event.type not in meters:
            meters[event.type] = settlements.meter_of_type(work.session, event.type)
        quantity = quantity_of(event, meters[event.type])
        if usage.id in fees:
            metered_fen = worked_out(*fees[usage.id])
        elif usage.id in adjusted:
            metered_fen = adjusted[usage.id]
        elif usage.id in minimums:
            metered_fen = shortfall(*minimums[usage.id])
        elif usage.id in arrears:
            metered_fen = arrears[usage.id]
        else:
            metered_fen = _rated_anew(usage, quantity, charges.get(price_id), agreed, unused.get(usage.id))
        key = f"{usage.tenant_id}/{event.source}/{event.id}"
        month.metered[key], month.rated[key] = metered_fen, usage.gross_fen
        if over or invoiced_fen is not None:
            month.rated_lines[str(usage.id)] = usage.gross_fen
        if invoiced_fen is not None:
            month.invoiced_lines[str(usage.id)] = invoiced_fen
        sums = month.of(usage.tenant_id)
        sums.metered_fen += metered_fen
        sums.rated_fen += usage.gross_fen
        sums.invoiced_fen += invoiced_fen or 0


def _rated_anew(
    usage: RatedUsage,
    quantity: Decimal | None,
    charge: Charge | None,
    agreed: Mapping[UUID, Discount],
    unused: UnusedPart | None,
) -> int:
    """Return what a quantity costs by the price and the discount of its order; of what was used in part, its part."""
    if quantity is None or charge is None or (unused is not None and quantity != unused.used_units):
        return 0
    ordered = quantity if unused is None else Decimal(unused.booked_units)
    included = usage.included if unused is None else usage.included + unused.included
    charge_fen = rate_after(charge, ordered, Decimal(included))
    discount = agreed.get(usage.agreed_discount_id) if usage.agreed_discount_id else None
    ordered_fen = charge_fen if discount is None else charge_fen - discount.taken_off(charge_fen)
    if unused is None:
        return ordered_fen
    return PartUse(unused.booked_units, included, unused.used_units).price(ordered_fen)


def _follow_invoices(work: Work, period: str, month: _Month) -> None:
    """Compare what the month's invoices say was paid with the payments allocated to them."""
    found: list[Invoice] = [
        invoice
        for invoice in invoice_queries.invoice_page(
            work.session, period=period, park_id=None, status=None, before=None, limit=None
        )
        if invoice.status != "void"
    ]
    allocated = invoice_queries.allocated(work.session, [invoice.id for invoice in found])
    for invoice in found:
        sums = month.of(invoice.tenant_id)
        paid_fen = allocated.get(invoice.id, 0)
        sums.payable_fen += invoice.payable_fen
        sums.paid_fen += paid_fen
        sums.open_fen += invoice.payable_fen - paid_fen
        month.noted[invoice.number or str(invoice.id)] = invoice.paid_fen
        month.allocated[invoice.number or str(invoice.id)] = paid_fen


def _park_rows(work: Work, month: _Month) -> tuple[ParkReconciliation, ...]:
    names = onboarding.park_names(work, park_ids=set(month.parks))
    rows = (ParkReconciliation(park_id, names.get(park_id, ""), **vars(sums)) for park_id, sums in month.parks.items())
    return tuple(sorted(rows, key=lambda row: (row.park_name, row.park_id)))


def _funds(work: Work, holds: Sequence[queries.HoldAmounts]) -> tuple[FundReconciliation, ...]:
    return tuple(
        FundReconciliation(
            fund_id=fund.id,
            fund=fund.slug,
            fund_name=fund.name,
            captured_fen=sum(hold.captured_fen for hold in holds if hold.fund_id == fund.id),
            claimed_fen=sum(hold.claimed_fen or 0 for hold in holds if hold.fund_id == fund.id),
            register_fen=fund.register_fen,
            books_fen=fund.books_fen,
        )
        for fund in queries.fund_balances(work.session)
    )


def _other_breaks(
    work: Work, period: str, funds: tuple[FundReconciliation, ...], balance: TrialBalance
) -> Iterator[Break]:
    register = {fund.fund: fund.register_fen for fund in funds}
    yield from compare(BreakKind.FUND_BOOKS, register, {fund.fund: fund.books_fen for fund in funds})
    span = parse_month(period)
    assert span is not None, "the caller has checked it"  # noqa: S101 - for the type checker
    since, until = local_day(span.start, DEFAULT_ZONE), local_day(span.end, DEFAULT_ZONE)
    unmatched = unmatched_lines(work.session, since, until)
    payers = Payers(work, [line.arrived_on for line in unmatched])
    for line in unmatched:
        kind = BreakKind.PAYER_DISAGREES if payers.of(line).disagree else BreakKind.UNKNOWN_PAYER
        yield Break(kind, line.bank_reference, 0, line.amount_fen)
    if balance.difference_fen:
        yield Break(BreakKind.TRIAL_BALANCE, "", 0, balance.difference_fen)
