"""Plans: what a tier costs and what it includes; fees by the day, in whole fen that always sum to the fee."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from tenants.kernel.vocabulary import Tier
from tenants.rules.days import Span


class Support(StrEnum):
    """How a park is helped."""

    STANDARD = "standard"
    PRIORITY = "priority"
    DEDICATED = "dedicated"


@dataclass(frozen=True)
class Entitlements:
    """What a plan gives: which offerings may be rented, units of them that cost nothing in each period, how many at most.

    An offering may be rented when it is named, or when its tier is one of ``offering_tiers`` and its delivery one of
    ``deliveries`` (empty: any). ``priority`` moves the park's jobs forward in the queue.
    """

    offering_tiers: frozenset[Tier] = frozenset()
    deliveries: frozenset[str] = frozenset()
    offerings: frozenset[str] = frozenset()
    included: Mapping[str, int] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    priority: int = 0
    support: Support = Support.STANDARD

    def covers(self, *, slug: str, tier: Tier, delivery: str) -> bool:
        """Tell whether an offering may be rented."""
        listed = tier in self.offering_tiers and (not self.deliveries or delivery in self.deliveries)
        return listed or slug in self.offerings


@dataclass(frozen=True, slots=True)
class Rest:
    """A fee for the ``whole`` period and the day from which the rest of it counts."""

    fee_fen: int
    whole: Span
    from_day: date

    @property
    def days(self) -> int:
        """Return how many days are left."""
        return min(self.whole.days, max(0, (self.whole.end - self.from_day).days))

    @property
    def fen(self) -> int:
        """Return what of the fee falls on the days that are left.

        It is the fee less the part of the days before, rounded down: so the days before and after any cut sum to the fee.
        """
        return self.fee_fen - self.fee_fen * (self.whole.days - self.days) // self.whole.days


@dataclass(frozen=True, slots=True)
class Billed:
    """What a period comes to: ``due`` for its days, less the rest of what it replaces and what was left over before.

    Nothing is ever negative: what is left over counts for the next fee.
    """

    due_fen: int
    credit_fen: int
    carried_in_fen: int

    @property
    def charged_fen(self) -> int:
        """Return what is to be paid."""
        return max(0, self.due_fen - self.credit_fen - self.carried_in_fen)

    @property
    def carried_out_fen(self) -> int:
        """Return what is left over for the next fee."""
        return max(0, self.credit_fen + self.carried_in_fen - self.due_fen)


def bill(new: Rest, replaced: Rest | None, carried_in_fen: int) -> Billed:
    """Return what a period costs that begins on ``new.from_day`` and cuts ``replaced`` there."""
    return Billed(new.fen, 0 if replaced is None else replaced.fen, carried_in_fen)
