"""The demo's monitored site: a building whose air conditioning is metered, with a fault that was found and an alarm that rings.

Readings are made from physics (``services/rules/monitoring/demo_office``) and say so in the site's name; everything else is real: the
months are rented, the baseline is fitted, the work order comes from the evaluation.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np

from marketplace.demo import world
from marketplace.demo.seeder import SEED, Seeder
from marketplace.rules.orders import PaymentMethod
from marketplace.usecases import checkout, monitoring, renewals, standing_orders
from services.formats.readings import Batch
from services.rules.monitoring.demo_office import Office, office_cooling
from services.usecases import alarm_rules, readings, site_alarms, site_meters, sites
from services.usecases.workdays import usual_days
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Actor, system_actor
from tenants.kernel.work import Work

PARK = "park01"
LEARNED, BEFORE, FAULTY = 63, 12, 9
"""Days of readings to learn from, the days since, and for how many of them the chillers have used more."""
FAULT = 1.28
BALANCE_C = -12.0
"""So warm inside that it is cooled all year: the demo shows the same whenever it is seeded."""
METERS: tuple[dict[str, Any], ...] = (
    {
        "code": "AC-01",
        "name": "空调机组电表",
        "measures": "electricity",
        "unit": "kWh",
        "is_main": True,
        "highest": 500.0,
    },
    {"code": "AC-T", "name": "室外温度", "measures": "temperature", "unit": "°C", "readings": "instant"},
    {"code": "AC-H", "name": "室外湿度", "measures": "humidity", "unit": "%", "readings": "instant"},
)


def seed_monitoring(seeder: Seeder, now: datetime) -> None:
    """Rent monitoring and alarms for the park's laboratories, live through the last weeks, and find the fault."""
    admin = seeder.person(PARK, world.PASSWORD)
    worker = replace(system_actor("seed", tenant_id=admin.tenant_id), organisation_id=SEED)
    midnight = now.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight - timedelta(days=LEARNED + BEFORE)
    with seeder.workshop.work(worker) as work:
        is_worked = usual_days(work)
    made = office_cooling(
        int(first.timestamp()), LEARNED + BEFORE + 1, seed=11, is_workday=is_worked, balance_c=BALANCE_C
    )
    seeder.clock.instant = midnight - timedelta(days=BEFORE) + timedelta(hours=9)
    site_id = UUID(seeder.step("monitored site", admin, _enter)["id"])
    seeder.step("monitored site rented", admin, partial(_rent, site_id=site_id))
    _send(seeder, admin, made, first, seeder.clock.now(), "learned")
    seeder.step("monitored site learned", worker, partial(_evaluate, site_id=site_id))
    seeder.clock.instant = now - timedelta(hours=6)
    seeder.step("monitored site renewed", worker, _renew)
    faulty = replace(
        made, kwh=np.where(made.at >= (midnight - timedelta(days=FAULTY)).timestamp(), FAULT, 1.0) * made.kwh
    )
    _send(seeder, admin, faulty, midnight - timedelta(days=BEFORE), seeder.clock.now(), "faulty")
    seeder.step("monitored site alarm", admin, _add_rules)
    seeder.clock.instant = now
    _send(seeder, admin, faulty, now - timedelta(hours=8), now, "today")
    seeder.step("monitored site looked at", worker, partial(_look, site_id=site_id))


def _enter(work: Work) -> dict[str, Any]:
    wish = sites.SiteWish("研发检测楼（演示数据）", "卢氏县产业大道 1 号", 34.05, 111.04, 5200.0)
    site = sites.add_site(work, wish=wish)
    for each in METERS:
        site_meters.add_meter(work, site_id=site.id, wish=site_meters.MeterWish(**each))
    return {"id": str(site.id)}


def _rent(work: Work, *, site_id: UUID) -> dict[str, Any]:
    request = {"site_id": str(site_id), "months": None}
    lines = [checkout.LineWish(slug, request) for slug in ("energy-monitoring", "simple-alarms")]
    quote = checkout.ask_quote(work, lines=lines)
    order = checkout.place_order(work, quote_id=quote.id, payment_method=PaymentMethod.INVOICE)
    return {"order": str(order.id)}


def _renew(work: Work) -> dict[str, Any]:
    """Do what the clock has done meanwhile when a month has begun."""
    due = [each for each in standing_orders.list_standing_orders(work) if each.status == standing_orders.RUNNING]
    return {"renewed": [renewals.renew(work, standing_order_id=each.id) for each in due]}


def _send(seeder: Seeder, admin: Actor, made: Office, start: datetime, end: datetime, name: str) -> None:
    part = (made.at >= start.timestamp()) & (made.at <= end.timestamp() - 900)
    columns = {"AC-01": made.kwh, "AC-T": made.temperature, "AC-H": made.humidity}

    def take(work: Work) -> dict[str, Any]:
        batch = Batch()
        for code, values in columns.items():
            for at, value in zip(made.at[part].tolist(), values[part].tolist(), strict=True):
                batch.add(code, at * 1_000_000, round(value, 3), False)
        return {"accepted": readings.take_in(work, batch=batch).accepted}

    seeder.step(f"monitored site {name} readings", admin, take)


def _evaluate(work: Work, *, site_id: UUID) -> dict[str, Any]:
    return {"orders": monitoring.evaluate_site(work, site_id=site_id)}


def _add_rules(work: Work) -> dict[str, Any]:
    meter = site_meters.meters_by_code(work, codes=["AC-01"])["AC-01"]
    wishes = (
        alarm_rules.RuleWish("空调机组用电过高", "above", 5.0, 0.5, 0, None, None, (15, 60)),
        alarm_rules.RuleWish("电表无数据", "silent", None, 0.0, 240, None, None, (60,)),
    )
    return {"rules": [str(alarm_rules.add_rule(work, meter_id=meter.id, wish=wish).id) for wish in wishes]}


def _look(work: Work, *, site_id: UUID) -> dict[str, Any]:
    raised = site_alarms.look_at_site(work, site_id=site_id)
    for alarm in raised:
        monitoring.tell_alarm(work, alarm_id=alarm.id)
    return {"orders": monitoring.evaluate_site(work, site_id=site_id), "alarms": len(raised)}
