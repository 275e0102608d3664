"""What a meter query takes beside reading the events themselves, and how fast roll-ups follow, among many events.

``METER_EVENTS`` sets how many there are (one million; ten millions take some minutes and gigabytes).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from billing.rules.meters import Aggregation, Meter, WindowSize
from billing.rules.periods import DEFAULT_ZONE, month_period
from billing.store import meter_queries
from billing.usecases import bulk, metering, rollups
from marketplace.usecases import invariants
from tenants.kernel.context import Actor, system_actor
from tests.benchmarks.figures import Figure
from tests.benchmarks.installation import Installation

EVENTS = int(os.environ.get("METER_EVENTS", "1000000"))
PARKS = 40
AT_ONCE = 50_000
QUESTIONS = 200
RAW_QUESTIONS = 10
LIMIT_MS = 20
SLUG = "bench-energy"
MONTH = month_period(2026, 2)
RULE = Meter(SLUG, "bench.reading", Aggregation.SUM, "$.kwh", {"phase": "$.phase"})
BEGIN = datetime(2025, 12, 31, 16, tzinfo=UTC)
_FILL = text(
    """
    INSERT INTO usage_events (tenant_id, source, event_id, type, subject, time, data, body_hash, received_at)
    SELECT CASE WHEN n % :parks = 0 THEN CAST(:park AS uuid) ELSE CAST(md5('park' || n % :parks) AS uuid) END,
           'bench', CAST(n AS text), 'bench.reading', 'meter-' || (n / :parks) % 10,
           :begin + n * (7_700_000.0 / :all) * interval '1 second',
           jsonb_build_object('kwh', round(n % 977 / 8.0, 3), 'phase', n % 3), repeat('0', 64), :begin
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
    """
)


def bench_meters(place: Installation) -> list[Figure]:
    """Measure (half a minute with a million events)."""
    park = place.people[0]
    operator = system_actor("bench")
    with place.market.workshop.work(operator) as work:
        bulk.provide_meter(
            work, slug=SLUG, name="bench", event_type="bench.reading", aggregation=Aggregation.SUM,
            value_property="$.kwh", group_by={"phase": "$.phase"},
        )  # fmt: skip
    with place.owner() as owner:
        for first in range(0, EVENTS, AT_ONCE):
            values = {"parks": PARKS, "park": park.tenant_id, "begin": BEGIN, "all": EVENTS, "first": first}
            with owner.begin() as connection:
                connection.execute(_FILL, values | {"last": min(first + AT_ONCE, EVENTS) - 1})
        with owner.begin() as connection:
            connection.execute(text("ANALYZE usage_events"))
    began = time.perf_counter()
    roll_up(place, SLUG)
    rolled_a_second = EVENTS / (time.perf_counter() - began)
    with place.owner() as owner, owner.begin() as connection:
        connection.execute(text("ANALYZE meter_rollups"))

    def rolled() -> Any:
        with place.market.workshop.work(park) as work:
            return metering.query_meter(work, slug=SLUG, from_=MONTH.start, to=MONTH.end, window_size="DAY")

    def raw() -> Any:
        with place.market.workshop.work(park) as work:
            question = meter_queries.MeterQuestion(RULE, MONTH, DEFAULT_ZONE, WindowSize.DAY, [], (), park.tenant_id)
            return meter_queries.raw_quantities(work.session, question)

    answer, expected = rolled(), raw()
    if not expected or [row.value for row in answer.rows] != [each.value for each in expected]:
        raise RuntimeError("roll-ups and events differ")
    slow, fast = _milliseconds(raw, RAW_QUESTIONS), _milliseconds(rolled, QUESTIONS)
    began = time.process_time()
    _milliseconds(rolled, QUESTIONS)
    cpu = 1000 * (time.process_time() - began) / QUESTIONS
    detail = (
        f"p95 of a month by day, one park of {PARKS}, {EVENTS:,} events; median {_share(fast, 0.5):.1f} ms, of it"
        f" {cpu:.1f} in Python; {_share(slow, 0.5) / _share(fast, 0.5):.0f} × from events"
    )
    return [
        Figure("meter query", f"{_share(fast, 0.95):.1f} ms", f"< {LIMIT_MS} ms", detail),
        Figure("meters rolled up", f"{rolled_a_second:,.0f}/s", "–", "events a second, one process, two grains"),
        *_checks(place, park),
    ]


def _checks(place: Installation, park: Actor) -> list[Figure]:
    """Measure what checking the roll-ups takes: all of them, and those that a batch has touched since."""
    operator = system_actor("bench")
    with place.market.workshop.work(operator) as work:
        whole = _spent(lambda: _all_hold(invariants.check(work)))
    with place.market.workshop.work(operator) as work:
        _all_hold(invariants.check_recent(work))
    batch = [
        {
            "specversion": "1.0", "source": "bench", "id": f"late-{number}", "type": "bench.reading",
            "subject": f"meter-{number % 10}", "time": (MONTH.start + timedelta(hours=number)).isoformat(),
            "data": {"kwh": 1, "phase": 0},
        }
        for number in range(500)
    ]  # fmt: skip
    with place.market.workshop.work(park) as work:
        metering.ingest_events(work, events=batch)
    roll_up(place, SLUG)
    with place.market.workshop.work(operator) as work:
        recent = _spent(lambda: _all_hold(invariants.check_recent(work)))
    detail = f"marketplace check among {EVENTS:,} events; after 500 more, the hourly one {recent:.2f} s"
    return [Figure("check", f"{whole:.1f} s", "–", detail)]


def _all_hold(broken: tuple[invariants.Broken, ...]) -> None:
    if broken:
        raise RuntimeError(f"broken: {broken[0].name}")


def _spent(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def roll_up(place: Installation, slug: str) -> None:
    """Bring a meter's roll-ups up to date, as the worker does."""
    operator = system_actor("bench")
    with place.market.workshop.work(operator) as work:
        rollups.meters_to_roll(work)
    more = True
    while more:
        with place.market.workshop.work(operator) as work:
            more = rollups.roll_up(work, slug=slug)


def _milliseconds(ask: Callable[[], object], times: int) -> list[float]:
    """Return how long each of some questions took, the quickest first."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        spent.append(1000 * (time.perf_counter() - began))
    return sorted(spent)


def _share(spent: list[float], share: float) -> float:
    """Return the milliseconds within which a share of the questions was answered."""
    return spent[int(share * (len(spent) - 1))]
