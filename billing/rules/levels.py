"""Levels that hold until they change: what ``weighted_sum`` comes to in each window, from the sums of its changes.

A level is weighed by the share of its window that it held (``rules.meters`` weighs one change after the other; here the
changes of a window are known by their sum and their moment, which is the same area exactly).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext

from billing.rules.meters import QUANTITY_STEP, WindowSize, window_of
from billing.rules.money import EXACT
from billing.rules.periods import Period, microseconds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Change:
    """What the changes in one window add up to, and the sum of each times its seconds since 1970."""

    total: Decimal
    moment: Decimal


def levels(
    carry_in: Decimal, changes: Mapping[datetime, Change], period: Period, timezone: str, size: WindowSize | None
) -> Iterator[tuple[Period, Decimal]]:  # fmt: skip
    """Yield, in time, each window in which a level stood or changed, with the level weighed by the share it held.

    ``carry_in`` is the level when the period begins; ``changes`` are known by the start of their window within the
    period. Windows in which nothing stood and nothing changed are passed over.
    """
    level, at = carry_in, period.start
    left = sorted(changes)
    while at < period.end:
        if not level:
            if not left:
                return
            at = max(at, left[0])
        window = window_of(at, period, timezone, size)
        change = changes[left.pop(0)] if left and left[0] < window.end else Change(Decimal(0), Decimal(0))
        with localcontext(EXACT):
            area = level * _seconds(window.end - window.start)
            area += change.total * _seconds(window.end - EPOCH) - change.moment
            yield window, (area / _seconds(window.end - window.start)).quantize(QUANTITY_STEP, ROUND_HALF_UP)
            level += change.total
        at = window.end


def _seconds(span: timedelta) -> Decimal:
    return Decimal(microseconds(span)).scaleb(-6, EXACT)
