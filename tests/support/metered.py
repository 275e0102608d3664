"""Meters that something is charged by, and parks that use it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text

from billing.rules.prices import EVERYBODY, PriceScope
from billing.usecases import meter_definitions, metered_charges, metering, rollups
from billing.usecases.pricing import PriceView
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.identifiers import new_id
from tenants.kernel.vocabulary import Tier
from tenants.kernel.work import WorkShop
from tests.support import parks

OPERATOR = system_actor("operator", on_behalf_of=new_id())
_NEWEST = text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
_REACHED = text("SELECT upto::text::bigint FROM meter_progress WHERE meter = :meter")


def make_meter(shop: WorkShop, slug: str = "energy", aggregation: str = "sum", **fields: Any) -> None:
    """Make a meter of events ``energy.read`` by their ``kwh``."""
    definition: dict[str, Any] = {
        "slug": slug,
        "event_type": "energy.read",
        "aggregation": aggregation,
        "value_property": None if aggregation == "count" else "$.kwh",
        "group_by": {},
        "filters": {},
    }
    with shop.work(OPERATOR) as work:
        meter_definitions.create_meter(work, definition=definition | fields, name="用电量")


def charge(
    shop: WorkShop,
    slug: str = "energy",
    price: Mapping[str, Any] | str = "0.5",
    valid_from: datetime | None = None,
    scope: PriceScope = EVERYBODY,
) -> PriceView:
    """Let a meter cost something per unit, or what a model says."""
    model = {"model": "per_unit", "unit_price": price} if isinstance(price, str) else price
    with shop.work(OPERATOR) as work:
        return metered_charges.set_charge(
            work, meter=slug, charge=model, vat_bp=600, valid_from=valid_from, scope=scope
        )  # fmt: skip


def subscriber(shop: WorkShop, number: int = 1, tier: Tier = Tier.BASIC, **fields: str) -> Actor:
    """Enter a verified park with a tier and return its person, with every permission."""
    view = parks.verified_park(shop, number, tier, **fields)
    return system_actor("park", tenant_id=view.id, on_behalf_of=new_id())


def use(shop: WorkShop, park: Actor, readings: Iterable[tuple[str, datetime, Any]], **fields: Any) -> None:
    """Send readings (id, time, kWh) of a park."""
    events = [
        {
            "specversion": "1.0",
            "id": event_id,
            "source": "meter-1",
            "type": "energy.read",
            "time": time.isoformat(),
            "data": {"kwh": kwh},
            **fields,
        }
        for event_id, time, kwh in readings
    ]
    with shop.work(park) as work:
        metering.ingest_events(work, events=events)


def roll(shop: WorkShop, slug: str = "energy") -> None:
    """Bring roll-ups up to date until all that was written before is in.

    A step stops before what the oldest open transaction may still write, and that may be one of another database on the
    same server, such as another test's: it is waited for.
    """
    with shop.work(OPERATOR) as work:
        rollups.meters_to_roll(work)
        written = work.session.execute(_NEWEST).scalar_one()
    for _ in range(1200):
        more = True
        while more:
            with shop.work(OPERATOR) as work:
                more = rollups.roll_up(work, slug=slug)
        with shop.work(OPERATOR) as work:
            if work.session.execute(_REACHED, {"meter": slug}).scalar_one() >= written:
                return
        time.sleep(0.05)
    raise AssertionError("some transaction stayed open")
