"""How much CPU a quote takes per line."""

from __future__ import annotations

import time
from datetime import date

from billing.rules.conditions import AllOf, Comparison, Condition, Facts
from billing.rules.periods import Days
from billing.rules.subsidies import quote
from billing.rules.terms import (
    Base,
    Cap,
    CapScope,
    Funder,
    Mode,
    OrderFacts,
    OrderLine,
    Policy,
    Rate,
    Shortfall,
    Stacking,
    StackingMode,
    Used,
)  # fmt: skip

PROGRAMMES = 20
LINES = 10


def _policy(index: int) -> Policy:
    size = Condition("park_size", Comparison.EQ, "small")
    region = Condition("region", Comparison.IN, ("510000", "520000"))
    return Policy(
        programme=f"programme-{index:02}",
        version=1,
        mode=Mode.INSTANT,
        base=Base.NET_OF_VAT if index % 2 else Base.GROSS,
        window=Days(date(2026, 1, 1), date(2027, 1, 1)),
        eligible=AllOf((size, Condition("tier_rank", Comparison.GTE, index % 3))),
        rates=(Rate(7000, (size, region), "WEST"), Rate(6000, (region,)), Rate(5000)),
        caps=(Cap(CapScope.ORDER, 900_000), Cap(CapScope.ENTITY_YEAR, 50_000_000, (size,))),
        funders=(Funder("province", 5000), Funder(f"city-{index}", 5000)),
        stacking=Stacking(f"group-{index % 4}", tuple(StackingMode)[index % 3], 7000),
        shortfall=Shortfall.PARTIAL,
    )


def bench_quote(rounds: int = 30) -> float:
    """Return the CPU milliseconds that one order line takes with 20 programmes (target: below 1)."""
    policies = [_policy(index) for index in range(PROGRAMMES)]
    facts: Facts = {"park_size": "small", "region": "510000", "tier_rank": 2}
    lines = tuple(OrderLine(f"offering-{index}", 1_000_000 + index, 600) for index in range(LINES))
    order = OrderFacts(date(2026, 5, 1), lines, facts)
    funds = {"province": 10**12}
    quote(policies, order, Used(), funds)
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        quote(policies, order, Used(), funds)
        best = min(best, time.process_time() - start)
    return best * 1000 / LINES
