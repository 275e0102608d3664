"""Load for measuring: numbered parks with three months of meter readings.

Everything follows from a number, so a seed that was killed goes on where it stopped, and one with greater numbers adds
the difference. Readings are monitoring: nothing is charged for them, and the books stay as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from time import monotonic
from typing import Any
from uuid import UUID, uuid5

from stdnum.cn import uscc

from billing.rules.meters import Aggregation
from billing.usecases import bulk as usage
from billing.usecases.bulk import Reading
from marketplace.composition import Marketplace
from marketplace.demo import world
from marketplace.demo.province import credit_code, first_of_history
from marketplace.demo.seeder import SEED, Seeder
from tenants.kernel.identifiers import new_secret
from tenants.kernel.outbox import Silent
from tenants.kernel.vocabulary import OrganisationKind, ParkSize, Role, Tier
from tenants.rules.regions import Level, regions
from tenants.rules.uscc import inner_check_digit
from tenants.usecases import bulk, onboarding
from tenants.usecases.bulk import ParkEntry

PROVINCE = "41"
SIZES = (ParkSize.SMALL,) * 8 + (ParkSize.MEDIUM, ParkSize.LARGE)
SOURCE = "scale"
READING = "energy.reading"
METERS_OF_A_PARK = 4
PARKS_AT_ONCE = 250
EVENTS_AT_ONCE = 10_000
HISTORY_SECONDS = 88 * 86_400
"""A little less than the shortest three months, so that no reading lies ahead of the clock."""
STRIDE = 4_699_043
"""Prime and about 0.618 of the history's seconds: readings in this step lie evenly over it, however many there are."""
SECONDS_BETWEEN_LINES = 2.0


def seed_scale(market: Marketplace, *, parks: int, events: int, say: Callable[[str], object] | None = None) -> str:
    """Bring the numbered parks to ``parks`` and their readings to ``events``, shared out evenly, and return a summary.

    What is there already stays. Memory does not grow with the numbers; each batch is committed by itself. ``say`` is
    told how far it is (stderr if None). Outside demo mode nobody knows the parks' password.
    """
    report = _Progress(say or _to_stderr)
    seeder = Seeder(market.engine, Silent(), first_of_history(market.clock.now()))
    password = world.PASSWORD if market.settings.is_demo else new_secret()
    start = seeder.clock.now()
    wanted = max(parks, 1 if events else 0)
    new_parks = _enter_parks(seeder, wanted, password, report)
    seeder.clock.instant = market.clock.now()
    new_events = _send_readings(seeder, wanted, events, start, report) if events else 0
    return f"{wanted} parks ({new_parks} new), {events} readings ({new_events} new) in {report.seconds:.0f} s"


def numbered_park(number: int) -> ParkEntry:
    """Return the park of a number, from 0."""
    counties = _counties()
    region_code = counties[number % len(counties)]
    organisation_code = f"{90_000_000 + number}"
    code = f"91{region_code}{organisation_code}{inner_check_digit(organisation_code)}"
    return ParkEntry(
        id=uuid5(SEED, f"scale park {number}"),
        name=f"{regions()[region_code].county} {number + 1} 号产业园",
        uscc=code + uscc.calc_check_digit(code),
        region_code=region_code,
        size=SIZES[number % len(SIZES)],
        tier=tuple(Tier)[number % len(Tier)],
        login=f"scale{number + 1:05d}",
    )


def reading(number: int, start: datetime) -> Reading:
    """Return a park's reading of a number, from 0."""
    return Reading(
        event_id=str(number),
        subject=f"meter-{number % METERS_OF_A_PARK + 1}",
        time=start + timedelta(seconds=number * STRIDE % HISTORY_SECONDS),
        data=f'{{"kwh":{number * 37 % 400 / 8}}}',
    )


def _enter_parks(seeder: Seeder, wanted: int, password: str, report: _Progress) -> int:
    if not wanted:
        return 0
    verifier = _verifier(seeder, password)
    new = 0
    for first in range(0, wanted, PARKS_AT_ONCE):
        batch = [numbered_park(number) for number in range(first, min(first + PARKS_AT_ONCE, wanted))]
        with seeder.workshop.work(seeder.system()) as work:
            new += bulk.enter_parks(work, parks=batch, decided_by=verifier, password=password)
        report.tell("parks", first + len(batch), wanted)
    return new


def _verifier(seeder: Seeder, password: str) -> UUID:
    """Return who has verified the parks: a person of an operator of its own."""
    name = "规模数据运营中心"

    def enter(work: Any) -> dict[str, Any]:
        operator = onboarding.register_organisation(
            work,
            kind=OrganisationKind.OPERATOR,
            name=name,
            uscc=credit_code(name, f"{PROVINCE}0105"),
            region_code=f"{PROVINCE}0105",
        )
        person = onboarding.add_person(
            work,
            organisation_id=operator.id,
            login="scale",
            password=password,
            name="规模数据审核人",
            roles=[Role.OPERATOR],
        )
        return {"id": person.id}

    return UUID(str(seeder.step("scale verifier", seeder.system(), enter)["id"]))


def _send_readings(seeder: Seeder, parks: int, events: int, start: datetime, report: _Progress) -> int:
    with seeder.workshop.work(seeder.system()) as work:
        usage.provide_meter(
            work,
            slug="energy-readings",
            name="电量读数",
            event_type=READING,
            aggregation=Aggregation.SUM,
            value_property="$.kwh",
            group_by={},
            unit="kWh",
        )
        present = usage.count_events(work, source=SOURCE)
    each, rest = divmod(events, parks)
    new = done = 0
    for number in range(parks):
        park_id = numbered_park(number).id
        wanted = each + (number < rest)
        for batch in _batches(present.get(park_id, 0), wanted):
            readings = [reading(index, start) for index in batch]
            with seeder.workshop.work(seeder.system()) as work:
                new += usage.add_readings(work, park_id=park_id, source=SOURCE, event_type=READING, readings=readings)
            report.tell("readings", done + batch.stop, events)
        done += wanted
    return new


def _batches(first: int, wanted: int) -> Iterator[range]:
    for begin in range(first, wanted, EVENTS_AT_ONCE):
        yield range(begin, min(begin + EVENTS_AT_ONCE, wanted))


@cache
def _counties() -> tuple[str, ...]:
    return tuple(sorted(c for c, r in regions().items() if r.level is Level.COUNTY and c.startswith(PROVINCE)))


class _Progress:
    """Says how far the seed is, every few seconds."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._began = self._last = monotonic()

    @property
    def seconds(self) -> float:
        """Return how long the seed has been at work."""
        return monotonic() - self._began

    def tell(self, what: str, done: int, wanted: int) -> None:
        """Say that ``done`` of ``wanted`` are there, if nothing was said for a while or they are all there."""
        now = monotonic()
        if done >= wanted or now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            self._say(f"{what}: {done:,} of {wanted:,} ({self.seconds:.0f} s)")


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
