"""Sites and standing services of a play's park."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from marketplace.demo.theatre import Play
from services.rules.catalogue import Delivery
from services.usecases import site_months, sites
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
