"""When a fund runs low: which thresholds it has crossed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from billing.rules.money import WHOLE_BP
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg

MOST_DAYS = 366
_MARGIN = (11, 10)
"""An alert is cleared only a tenth above its threshold: a fund that wavers at it is told of once."""


class AlertKind(StrEnum):
    """What a fund is short of."""

    LOW_BALANCE = "low_balance"
    BURN_RATE = "burn_rate"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Alert at this share of the budget, and so many days before the money runs out; None for no alert."""

    low_share_bp: int | None
    low_days: int | None


USUAL = Thresholds(low_share_bp=2000, low_days=30)
"""What a new fund has: a fifth of its budget, and a month."""


@dataclass(frozen=True, slots=True)
class Level:
    """How a fund stands: what it was given, what is available, for how many days (None when nothing can be said)."""

    budget_fen: int
    available_fen: int
    days_left: int | None


def crossed(thresholds: Thresholds, level: Level, standing: Collection[AlertKind]) -> frozenset[AlertKind]:
    """Return the alerts that stand now: those newly crossed, and those of ``standing`` that are not yet clear of it.

    A fund that was given nothing is not short of anything.
    """
    if level.budget_fen <= 0:
        return frozenset()
    found = set()
    if thresholds.low_share_bp is not None:
        limit = thresholds.low_share_bp * level.budget_fen
        if _at_or_below(level.available_fen * WHOLE_BP, limit, was=AlertKind.LOW_BALANCE in standing):
            found.add(AlertKind.LOW_BALANCE)
    days, limit_days = level.days_left, thresholds.low_days
    if (
        days is not None
        and limit_days is not None
        and _at_or_below(days, limit_days, was=AlertKind.BURN_RATE in standing)
    ):
        found.add(AlertKind.BURN_RATE)
    return frozenset(found)


def check_share(share_bp: int | None) -> int | None:
    """Return a threshold in basis points of the budget; Invalid ``fund.threshold`` outside of it."""
    if share_bp is None or 1 <= share_bp < WHOLE_BP:
        return share_bp
    raise Invalid("fund.threshold", msg("余额预警线须大于 0、小于 100%；不需要预警时请留空。请改正。"))


def check_days(days: int | None) -> int | None:
    """Return a threshold in days; Invalid ``fund.threshold`` for one that is none."""
    if days is None or 1 <= days <= MOST_DAYS:
        return days
    raise Invalid("fund.threshold", msg("预警天数须为 1 至 {most}；不需要预警时请留空。请改正。", most=MOST_DAYS))


def _at_or_below(value: int, limit: int, *, was: bool) -> bool:
    return value * _MARGIN[1] <= limit * _MARGIN[0] if was else value <= limit
