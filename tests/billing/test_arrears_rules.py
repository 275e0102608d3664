"""Metered use against the pure rules: whatever comes when, a month's lines are what its events come to in the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from billing.formats.documents import read_document
from billing.rules.arrears import Held, Offered, Piece, due, looks_at_events, pieces
from billing.rules.charges import Charge, PerUnit, Tier, Volume
from billing.rules.periods import Period, month_period
from billing.rules.prices import EVERYBODY, PriceScope
from billing.rules.rating import rate
from billing.usecases.pricing import PriceDocument
from tenants.kernel.clock import ManualClock
from tenants.kernel.database import begin_as
from tenants.kernel.identifiers import new_id
from tenants.kernel.work import WorkShop
from tests.support.billing_world import World
from tests.support.metered import charge, make_meter, roll, subscriber, use

MONTH = month_period(2026, 3)
MOMENTS = st.integers(0, 31).map(lambda day: MONTH.start + timedelta(days=day))
PLACE = {"region": "510104", "region_class": "western"}


def offered(start: datetime, end: datetime | None, scope: PriceScope = EVERYBODY) -> Offered:
    return Offered(new_id(), scope, start, end)


@given(
    st.lists(st.tuples(MOMENTS, st.sampled_from(("basic", "leading", None))), max_size=4),
    st.lists(st.tuples(MOMENTS, MOMENTS, st.sampled_from(("", "basic", "leading"))), max_size=4),
    MOMENTS,
)
def test_a_moment_is_charged_by_the_most_specific_price_and_parts_never_overlap(
    changes: list[tuple[datetime, str | None]], prices: list[tuple[datetime, datetime, str]], fixed_until: datetime
) -> None:
    ordered = sorted(changes, key=lambda each: each[0])
    ends = [*(start for start, _ in ordered[1:]), MONTH.end][: len(ordered)]
    held = [
        Held(Period(start, end), tier)
        for (start, tier), end in zip(ordered, ends, strict=True)
        if tier is not None and start < end
    ]
    given_prices = [offered(min(a, b), max(a, b), PriceScope(tier=tier)) for a, b, tier in prices]
    found = pieces(MONTH, held, given_prices, PLACE)
    for one, other in pairwise(found):
        assert one.during.end <= other.during.start
        assert one.during.end < other.during.start or one.price_id != other.price_id
    kept = Piece(Period(MONTH.start, max(fixed_until, MONTH.start + timedelta(hours=1))), new_id())
    again = pieces(MONTH, held, given_prices, PLACE, [kept])
    for hour in range(0, 31 * 24, 7):
        moment = MONTH.start + timedelta(hours=hour)
        tier = next((each.tier for each in held if moment in each.during), None)
        valid = [
            each
            for each in given_prices
            if each.valid_from <= moment < (each.valid_to or MONTH.end) and each.scope.tier in {"", tier}
        ]
        now = [piece.price_id for piece in found if moment in piece.during]
        if tier is None or not valid:
            assert now == []
        else:
            best = max(valid, key=lambda each: each.scope.rank)
            assert [each.scope.rank for each in valid if each.id in now] == [best.scope.rank]
        then = [piece.price_id for piece in again if moment in piece.during]
        assert then == ([kept.price_id] if moment in kept.during else now), "what was charged keeps its price"


UNITS = st.decimals("0", "1000", places=3)


@given(UNITS, UNITS, st.decimals("0", "20", places=4), st.decimals("0", "50", places=2))
def test_charging_the_rest_is_rating_with_what_was_billed_before(
    before: Decimal, more: Decimal, price: Decimal, minimum: Decimal
) -> None:
    model = Charge(PerUnit(price), included_units=Decimal(5), minimum=minimum)
    billed = rate(model, before)
    known = Charge(model.model, Decimal(5), minimum, None, before, Decimal(billed) / 100)
    assert due(model, before + more, billed).fen == rate(known, more)


def test_a_volume_price_may_lower_what_is_due() -> None:
    model = Charge(Volume((Tier(Decimal(10), Decimal(2)), Tier(None, Decimal(1)))))
    billed = rate(model, Decimal(10))
    assert due(model, Decimal(12), billed).fen == -800


@dataclass(frozen=True)
class Step:
    """A reading that a park sends: a new one, or one that takes the place of the last."""

    day: int
    kwh: Decimal
    replaces: bool


CHARGES: tuple[dict[str, Any], ...] = (
    {"model": "per_unit", "unit_price": "0.12345", "included_units": "3"},
    {"model": "package", "package_size": "10", "package_price": "7", "minimum": "2", "maximum": "30"},
    {"model": "graduated", "tiers": [{"up_to": "5", "unit_price": "3"}, {"up_to": None, "unit_price": "1"}]},
    {"model": "volume", "tiers": [{"up_to": "8", "unit_price": "2"}, {"up_to": None, "unit_price": "1"}]},
    {"model": "percentage", "rate_percent": "5", "fixed_fee": "0.3", "free_events": 2, "event_max": "1"},
)
STEPS = st.lists(
    st.builds(Step, st.integers(2, 28), st.decimals("0", "12", places=3), st.booleans()), min_size=1, max_size=4
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(STEPS, min_size=1, max_size=3), charged=st.sampled_from(CHARGES), rolled=st.booleans())
def test_lines_and_credits_sum_to_what_the_events_come_to(
    workshop: WorkShop, clock: ManualClock, rounds: list[list[Step]], charged: dict[str, Any], rolled: bool
) -> None:
    clock.instant = datetime(2026, 3, 2, 1, tzinfo=UTC)
    with workshop.engine.begin() as connection:
        begin_as(connection, "SET LOCAL ROLE marketplace_staff")
        number = connection.execute(text("SELECT count(*) FROM parks")).scalar_one() + 1
    slug = f"m{number}"
    kind = f"kind.{number}"
    make_meter(workshop, slug, event_type=kind)
    world = World(workshop, clock, None)  # type: ignore[arg-type]
    park = subscriber(workshop, number)
    charge(workshop, slug, charged)
    standing: dict[str, Step] = {}
    sent = 0
    for month, steps in enumerate(rounds, start=4):
        world.go_to(date(2026, month - 1, 28))
        clock.instant = max(clock.instant, datetime(2026, 3, 31, tzinfo=UTC))
        for step in steps:
            name, last = f"e{sent}", next(reversed(standing), None)
            fields: dict[str, Any] = {"type": kind}
            if step.replaces and last is not None:
                fields["correctsid"] = last
                standing.pop(last)
            standing[name] = step
            use(workshop, park, [(name, datetime(2026, 3, step.day, 4, tzinfo=UTC), str(step.kwh))], **fields)
            sent += 1
        if rolled or month > 4:
            roll(workshop, slug)
        clock.instant = datetime(2026, month, 3, 1, tzinfo=UTC)
        world.issue(f"2026-{month - 1:02}")
    model = read_document(PriceDocument, {"charge": charged}).charge.to_rules()
    order = sorted(standing.items(), key=lambda each: (each[1].day, int(each[0][1:])))
    values = [step.kwh for _, step in order]
    expected = rate(model, sum(values, Decimal(0)), values if looks_at_events(model) else None)
    assert charged_fen(workshop, park.require_tenant()) == expected


def charged_fen(workshop: WorkShop, park_id: UUID) -> int:
    """Return what a park was charged for metered use, less what its credit notes ask back."""
    query = """
        SELECT coalesce((SELECT sum(gross_fen) FROM rated_usage WHERE tenant_id = :park), 0)
             - coalesce((SELECT sum(amount_fen) FROM metered_credits WHERE tenant_id = :park), 0)
    """
    with workshop.engine.begin() as connection:
        begin_as(connection, "SET LOCAL ROLE marketplace_staff")
        return int(connection.execute(text(query), {"park": park_id}).scalar_one())
