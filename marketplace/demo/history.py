"""Three months of the demo province's life, lived through the same use cases as everybody else's.

Engines really run (on a week instead of a year, to be quick), inspections are really booked and reported, invoices are
issued and most of them paid by a bank statement, and what is paid is claimed from the fund.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from billing.usecases import invoicing, payments
from marketplace.demo import world
from marketplace.demo.claims import claim_month
from marketplace.demo.documents import bank_statement, leads_brief, week_of_park
from marketplace.demo.seeder import Seeder, derived
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import checkout, fulfilment
from services.usecases import bookings, execution, slot_search
from services.usecases.execution import RunLimits
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.errors import Problem
from tenants.kernel.vocabulary import Tier
from tenants.kernel.work import Work

TWINS = {("park01", 1), ("park05", 0)}
SCHEDULES = {("park01", 2), ("park06", 1)}
LEADS = {("park01", 2), ("park03", 1)}
"""Whose engines ran, and in which of the months: each takes seconds, and the seed should not take minutes."""
INVOICE_DAY = 3
PAYMENT_DAY = 15


def seed_history(seeder: Seeder, limits: RunLimits, *, until: datetime) -> None:
    """Live from the seeder's present to ``until``."""
    for number, first in enumerate(_months(seeder.clock.now(), until)):
        for park in world.PARKS:
            if park.tier is not None and park.verified:
                _month_of_park(seeder, park, first, number, limits)
        following = _next_month(first)
        if following + timedelta(days=INVOICE_DAY) < until:
            _close_month(seeder, first, following, until)
            claim_month(seeder, f"{first:%Y-%m}", following, until)


def _months(start: datetime, until: datetime) -> Iterator[datetime]:
    month = start.astimezone(CHINA).replace(day=1, hour=9, minute=0, second=0, microsecond=0)
    while _next_month(month) <= until:
        yield month
        month = _next_month(month)


def _next_month(first: datetime) -> datetime:
    return (first + timedelta(days=32)).replace(day=1)


def _month_of_park(seeder: Seeder, park: world.DemoPark, first: datetime, number: int, limits: RunLimits) -> None:
    name = f"{park.login} {first:%Y-%m}"
    admin = seeder.person(park.login, world.PASSWORD)
    if (park.login, number) in TWINS:
        seeder.clock.instant = first + timedelta(days=2 + derived(name, 8), hours=1)
        _rent_run(seeder, admin, f"twin {name}", "digital-twin-run", {"park": week_of_park(park.name)}, limits)
    if (park.login, number) in SCHEDULES:
        seeder.clock.instant = first + timedelta(days=4 + derived(name, 7), hours=1)
        request = {"demo": True, "demand": {"so_far_kw": 1300}}
        _rent_run(seeder, admin, f"schedule {name}", "energy-optimisation", request, limits)
    if (park.login, number) in LEADS:
        seeder.clock.instant = first + timedelta(days=4 + derived(name, 9), hours=2)
        _rent_run(seeder, admin, f"leads {name}", "ai-leads", leads_brief(park.region_code), limits)
    if park.tier is not Tier.BASIC:
        for visit in range(1 + derived(f"slots {name}", 2)):
            seeder.clock.instant = first + timedelta(days=3 + visit * 9, hours=derived(f"{name} {visit}", 6))
            _rent_slot(seeder, admin, f"slot {name} {visit}")


def _order(seeder: Seeder, admin: Actor, key: str, offering: str, request: dict[str, Any]) -> dict[str, Any]:
    def place(work: Work) -> dict[str, Any]:
        quote = checkout.ask_quote(work, lines=[checkout.LineWish(offering, request)])
        order = checkout.place_order(work, quote_id=quote.id, payment_method=PaymentMethod.INVOICE)
        line = order.lines[0]
        return {
            "run": str(line.run.id) if line.run else None,
            "booking": str(line.booking.id) if line.booking else None,
            "ends_at": line.booking.ends_at.isoformat() if line.booking else None,
        }

    return seeder.step(f"order {key}", admin, place)


def _rent_run(
    seeder: Seeder, admin: Actor, key: str, offering: str, request: dict[str, Any], limits: RunLimits
) -> None:
    run_id = UUID(_order(seeder, admin, key, offering, request)["run"])
    job = system_actor("seed", tenant_id=admin.tenant_id, on_behalf_of=admin.user_id)
    seeder.clock.advance(timedelta(minutes=3))
    execution.execute_run(seeder.workshop, job, run_id=run_id, limits=limits)
    with seeder.workshop.work(job) as work:
        fulfilment.complete_run(work, run_id=run_id)


def _rent_slot(seeder: Seeder, admin: Actor, key: str) -> None:
    request = _free_slot(seeder, admin, key)
    if request is None:
        return
    said = _order(seeder, admin, key, "shared-inspection", request)
    booking_id = UUID(said["booking"])
    seeder.clock.instant = datetime.fromisoformat(said["ends_at"]) + timedelta(hours=3)
    lab = seeder.person("lab", world.PASSWORD)
    report = f"检测项目:拉伸强度\n结果:{380 + derived(key, 120)} MPa\n结论:合格\n".encode()
    seeder.step(
        f"report {key}",
        lab,
        lambda work: {
            "id": bookings.report_inspection(
                work,
                booking_id=booking_id,
                file_name="检测报告.txt",
                media_type="text/plain",
                content=report,
                passed=True,
            ).id
        },
    )
    with seeder.workshop.work(system_actor("seed", tenant_id=admin.tenant_id, on_behalf_of=admin.user_id)) as work:
        fulfilment.complete_inspection(work, booking_id=booking_id)


def _free_slot(seeder: Seeder, admin: Actor, key: str) -> dict[str, Any] | None:
    """Return a request for a free slot of the coming days, or None where no calendar tells the working days."""

    def look(work: Work) -> dict[str, Any]:
        now = seeder.clock.now()
        try:
            free = slot_search.search_slots(
                work, offering="shared-inspection", from_=now + timedelta(days=1), to=now + timedelta(days=8)
            )
        except Problem:
            return {}
        if not free:
            return {}
        chosen = free[derived(key, len(free))]
        return {"instrument_id": str(chosen.instrument_id), "starts_at": chosen.starts_at.isoformat()}

    found = seeder.step(f"look {key}", admin, look)
    return {**found, "slots": 1, "purpose": "出厂抽检"} if found else None


def _close_month(seeder: Seeder, first: datetime, following: datetime, until: datetime) -> None:
    """Issue the month's invoices and, when the day has come, take in the parks' transfers for most of them."""
    period = f"{first:%Y-%m}"
    finance = seeder.person("finance", world.PASSWORD)
    seeder.clock.instant = following + timedelta(days=INVOICE_DAY)
    seeder.step(
        f"invoices {period}",
        finance,
        lambda work: {"count": len(invoicing.issue_invoices(work, period=period))},
    )
    if following + timedelta(days=PAYMENT_DAY) >= until:
        return
    seeder.clock.instant = following + timedelta(days=PAYMENT_DAY)

    def pay(work: Work) -> dict[str, Any]:
        issued = invoicing.list_invoices(work, period=period, limit=200).items
        open_ = [invoice for invoice in issued if invoice.payable_fen and derived(f"pays {invoice.number}", 6)]
        if not open_:
            return {}
        statement = bank_statement(
            (f"{period}-{index:03d}", invoice.payable_fen, invoice.park_name, invoice.payment_reference)
            for index, invoice in enumerate(open_, start=1)
        )
        day = f"{seeder.clock.now().astimezone(CHINA):%Y%m%d}"
        return {"matched": payments.import_statement(work, name=f"{day}.csv", content=statement(day)).matched}

    seeder.step(f"payments {period}", finance, pay)
