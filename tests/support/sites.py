"""Sites and standing services of a play's park."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from marketplace.demo.theatre import Play
from marketplace.usecases import monitoring
from services.formats.readings import Batch
from services.gateways.workdays import is_workday
from services.rules.catalogue import Delivery
from services.rules.monitoring.demo_office import Office, office_cooling
from services.usecases import readings, site_meters, site_months, sites
from tenants.kernel.clock import CHINA
from tenants.kernel.context import Actor
from tests.support import plays

MONITORING, ALARMS = "energy-monitoring", "simple-alarms"


def add_site(play: Play, park: Actor, name: str = "一号厂房") -> UUID:
    """Enter a site."""
    return play.do(park, lambda work: sites.add_site(work, wish=sites.SiteWish(name))).id


def month_wish(site_id: UUID, offering: str = MONITORING, **more: Any) -> plays.Wish:
    """Return the wish for a site's month."""
    return plays.Wish(offering, {"site_id": str(site_id), **more})


def work_for(play: Play, park: Actor, site_id: UUID, delivery: Delivery = Delivery.MONITORING) -> None:
    """Let a service work for a site once."""
    play.do(
        plays.worker_of(park), lambda work: site_months.note_activity(work, site_id=site_id, delivery=delivery)
    )  # fmt: skip


def go_to(play: Play, year: int, month: int, day: int, hour: int = 9, minute: int = 0) -> None:
    """Move the clock to a moment as China's clocks show it."""
    play.clock.instant = datetime(year, month, day, hour, minute, tzinfo=CHINA)


def add_meter(play: Play, park: Actor, site_id: UUID, code: str, **more: Any) -> site_meters.MeterView:
    """Enter a meter."""
    wish = site_meters.MeterWish(**({"code": code, "name": f"仪表 {code}", "unit": "kWh"} | more))
    return play.do(park, lambda work: site_meters.add_meter(work, site_id=site_id, wish=wish))


def send(play: Play, park: Actor, code: str, at: Sequence[int], values: Sequence[float]) -> readings.Intake:
    """Send readings of stamps in seconds since 1970."""
    batch = Batch()
    for stamp, value in zip(at, values, strict=True):
        batch.add(code, int(stamp) * 1_000_000, float(value), False)
    return play.do(park, lambda work: readings.take_in(work, batch=batch))


@dataclass
class CooledOffice:
    """A site whose cooling and weather are metered, from 15 April 2026 on, and sent as the clock goes."""

    play: Play
    park: Actor
    site_id: UUID
    meter_id: UUID
    made: Office
    sent: int = 0

    def send_until_now(self, factor: float = 1.0) -> None:
        """Send what has been measured since the last time."""
        now = self.play.clock.now().timestamp()
        end = int(np.searchsorted(self.made.at, now - 900, side="right"))
        part = slice(self.sent, end)
        series = {
            "cool": self.made.kwh[part] * factor,
            "temp": self.made.temperature[part],
            "hum": self.made.humidity[part],
        }
        for code, values in series.items():
            send(self.play, self.park, code, self.made.at[part].tolist(), values.tolist())
        self.sent = end

    def evaluate(self) -> int:
        """Evaluate the site as a worker does; return the work orders that are new."""
        worker = plays.worker_of(self.park)
        return self.play.do(worker, lambda work: monitoring.evaluate_site(work, site_id=self.site_id))


def cooled_office(play: Play, park: Actor) -> CooledOffice:
    """Rent monitoring in August for an office whose cooling has been metered since April (one transaction a meter)."""
    go_to(play, 2026, 8, 3)
    site_id = add_site(play, park, "行政办公楼")
    plays.order(play, park, month_wish(site_id))
    cool = add_meter(play, park, site_id, "cool", measures="cooling", is_main=True)
    level = {"readings": "instant"}
    add_meter(play, park, site_id, "temp", measures="temperature", unit="°C", **level)
    add_meter(play, park, site_id, "hum", measures="humidity", unit="%", **level)
    first = int(datetime(2026, 4, 15, tzinfo=CHINA).timestamp())
    made = office_cooling(first, 139, seed=5, is_workday=is_workday)
    return CooledOffice(play, park, site_id, cool.id, made)
