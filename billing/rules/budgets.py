"""Budgets and quotas of a park: what counts on them, in which period, and which shares of them it is told of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from billing.rules.money import WHOLE_BP
from billing.rules.periods import DEFAULT_ZONE, month_name

DEFAULT_SHARES_BP = (5_000, 8_000, 10_000)


class BudgetScope(StrEnum):
    """Whose or which orders count."""

    PARK = "park"
    OFFERING = "offering"
    PERSON = "person"


class BudgetMeasure(StrEnum):
    """What is counted: what the park pays, the list price, or units."""

    PAYABLE_FEN = "payable_fen"
    GROSS_FEN = "gross_fen"
    QUANTITY = "quantity"


class BudgetPeriod(StrEnum):
    """How long a budget lasts before it starts anew, by the calendar of the park's zone."""

    MONTH = "month"
    YEAR = "year"

    def label(self, moment: datetime) -> str:
        """Return the period that holds a moment: ``2026-03`` or ``2026``."""
        month = month_name(moment, DEFAULT_ZONE)
        return month if self is BudgetPeriod.MONTH else month[:4]


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit on orders. ``key`` is the offering's slug or the person's id, '' for the whole park."""

    id: UUID
    scope: BudgetScope
    key: str
    measure: BudgetMeasure
    period: BudgetPeriod
    limit: int
    hard_stop: bool
    shares_bp: Sequence[int]


@dataclass(frozen=True, slots=True)
class Spending:
    """What an order line counts."""

    offering: str
    person_id: UUID | None
    payable_fen: int
    gross_fen: int
    quantity: int


def counted(budget: Budget, lines: Iterable[Spending]) -> list[int]:
    """Return what each line counts on a budget; 0 for one that is none of its business."""
    return [getattr(line, budget.measure.value) if _concerns(budget, line) else 0 for line in lines]


def _concerns(budget: Budget, line: Spending) -> bool:
    match budget.scope:
        case BudgetScope.OFFERING:
            return budget.key == line.offering
        case BudgetScope.PERSON:
            return budget.key == str(line.person_id)
        case _:
            return True


def crossed(budget: Budget, before: int, after: int) -> list[int]:
    """Return the shares (in basis points) of the limit that a step from ``before`` to ``after`` reaches, lowest first."""
    return [
        share for share in sorted(set(budget.shares_bp)) if before * WHOLE_BP < share * budget.limit <= after * WHOLE_BP
    ]
