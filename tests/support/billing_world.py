"""A small world of money: a fund, a programme, a price, and parks that are entered with their payment references."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from billing.usecases import invoicing, ledger, payments, wallets
from billing.usecases.invoice_views import InvoiceRow
from billing.usecases.payments import StatementView
from tenants.kernel.clock import ManualClock
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support import deliveries, parks, subsidies

FINANCE = system_actor("finance", on_behalf_of=new_id())
HEADER = "交易日期,交易流水号,贷方金额,对方户名,摘要"


@dataclass
class World:
    """A database with a fund of a million yuan that gives 60 % of ``twin`` (10,000 yuan) and of ``leads``."""

    shop: WorkShop
    clock: ManualClock
    fund: UUID

    def park(self, number: int = 1) -> Actor:
        """Enter a park and return its person, with every permission."""
        view = parks.sign_up(self.shop, number)
        return system_actor("park", tenant_id=view.id, on_behalf_of=new_id())

    def deliver(self, park: Actor, *offerings: str, payment_method: str = "invoice", quantity: int = 1) -> None:
        """Order and settle offerings now."""
        deliveries.deliver(self.shop, park, *offerings, payment_method=payment_method, quantity=quantity)

    def go_to(self, day: date) -> None:
        """Move the clock to nine in the morning of a day in Shanghai."""
        self.clock.instant = self.clock.instant.replace(year=day.year, month=day.month, day=day.day, hour=1)

    def issue(self, period: str) -> tuple[InvoiceRow, ...]:
        """Issue a month's invoices."""
        with self.shop.work(FINANCE) as work:
            return invoicing.issue_invoices(work, period=period)

    def invoice(self, invoice_id: UUID) -> invoicing.InvoiceView:
        """Return an invoice as it is."""
        with self.shop.work(FINANCE) as work:
            return invoicing.read_invoice(work, invoice_id=invoice_id)

    def bank(self, *rows: tuple[str, str, str], name: str = "bank.csv") -> StatementView:
        """Take in a statement with rows of (reference, yuan, text)."""
        with self.shop.work(FINANCE) as work:
            return payments.import_statement(work, name=name, content=statement(rows))

    def balances(self) -> dict[str, int]:
        """Return the accounts' balances, debits less credits; the books must balance."""
        with self.shop.work(FINANCE) as work:
            found = ledger.trial_balance(work)
        assert found.difference_fen == 0
        return {row.account: row.balance_fen for row in found.rows}

    def wallet(self, park: Actor) -> tuple[int, int]:
        """Return what is available in a park's wallet, and what is held."""
        with self.shop.work(park) as work:
            found = wallets.read_wallet(work, park_id=park.require_tenant())
        return found.available_fen, found.held_fen


def make_world(shop: WorkShop, clock: ManualClock) -> World:
    """Open the fund, approve the programme, set the prices."""
    fund = subsidies.fill_fund(shop, "province", 100_000_000)
    subsidies.approve_programme(shop, "tech", subsidies.policy())
    subsidies.price(shop, "twin")
    subsidies.price(shop, "leads", "33.33")
    return World(shop, clock, fund)


def statement(rows: Iterable[tuple[str, str, str]], header: str = HEADER) -> bytes:
    """Return a statement with rows of (reference, yuan, text), all of 5 April 2026."""
    lines = [f'2026-04-05,{reference},"{yuan}",某园区,{text}' for reference, yuan, text in rows]
    return "\r\n".join([header, *lines, ""]).encode()
