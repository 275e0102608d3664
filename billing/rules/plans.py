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
    replaced_back_fen: int = 0
    """What of the replaced rest credit notes had given back: ``credit_fen`` is without it."""

    @property
    def charged_fen(self) -> int:
        """Return what is to be paid."""
        return max(0, self.due_fen - self.credit_fen - self.carried_in_fen)

    @property
    def carried_out_fen(self) -> int:
        """Return what is left over for the next fee."""
        return max(0, self.credit_fen + self.carried_in_fen - self.due_fen)


def bill(new: Rest, replaced: Rest | None, carried_in_fen: int, replaced_back_fen: int = 0) -> Billed:
    """Return what a period costs that begins on ``new.from_day`` and cuts ``replaced`` there, of whose rest
    ``replaced_back_fen`` was given back before.
    """
    rest = 0 if replaced is None else replaced.fen
    back = min(rest, replaced_back_fen)
    return Billed(new.fen, rest - back, carried_in_fen, back)


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A part of a fee that a credit note gave back: for some of its days, or, without them, for all alike."""

    fen: int
    days: Span | None = None


@dataclass(frozen=True, slots=True)
class ChargedFee:
    """A fee as it was charged, and what became of it since.

    ``due_fen`` was for the days of ``span``; ``charged_fen`` of it was to be paid, less ``discount_fen`` of its invoice.
    ``moved_fen`` of it counts for the period that took the place of its rest, from the day ``cut_on`` on.
    """

    span: Span
    due_fen: int
    charged_fen: int
    moved_fen: int = 0
    cut_on: date | None = None
    given_back: tuple[GivenBack, ...] = ()
    discount_fen: int = 0

    @property
    def own_days(self) -> Span:
        """Return the days that no other fee has taken over."""
        return self.span if self.cut_on is None else Span(self.span.start, min(self.cut_on, self.span.end))

    @property
    def whole_fen(self) -> int:
        """Return what of the fee was paid for its own days: never what counts for another fee."""
        return max(0, min(self.charged_fen - self.discount_fen, self.due_fen - self.moved_fen))

    @property
    def left_fen(self) -> int:
        """Return what of it may still be given back."""
        return max(0, self.whole_fen - sum(each.fen for each in self.given_back))

    def of_days(self, days: Span) -> int:
        """Return what of the fee falls on some of its own days; over any days that make up all of them it sums to it."""
        return part_of_days(self.whole_fen, self.own_days, days)

    def is_free(self, days: Span) -> bool:
        """Tell whether no credit note has given back any of some days."""
        return not any(
            each.days is not None and each.days.start < days.end and days.start < each.days.end
            for each in self.given_back
        )

    def back_from(self, day: date, rest_fen: int) -> int:
        """Return what of ``rest_fen``, the part of the fee from ``day`` on, was given back.

        It is what was given back for those days, and at least what the days before cannot have held.
        """
        rest = Span(min(max(day, self.span.start), self.span.end), self.span.end)
        of_days = sum(part_of_days(each.fen, each.days or self.span, rest) for each in self.given_back)
        return max(of_days, sum(each.fen for each in self.given_back) - (self.due_fen - rest_fen))


def part_of_days(fen: int, whole: Span, part: Span) -> int:
    """Return what of an amount for the days of ``whole`` falls on those of ``part``, by rounding down before each day:
    parts that make up the whole sum to it. Days outside the whole count nothing.
    """
    if not whole.days:
        return 0

    def before(day: date) -> int:
        return fen * min(max((day - whole.start).days, 0), whole.days) // whole.days

    return before(part.end) - before(part.start)
