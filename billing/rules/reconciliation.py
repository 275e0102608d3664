"""Whether money agrees along its whole way: usage = rated = invoiced = paid, and subsidy captured = claimed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class BreakKind(StrEnum):
    """Between which two steps amounts differ."""

    USAGE_RATED = "usage_rated"
    RATED_INVOICED = "rated_invoiced"
    INVOICED_PAID = "invoiced_paid"
    CAPTURED_CLAIMED = "captured_claimed"
    FUND_BOOKS = "fund_books"
    """The register of a fund and the books' account of what it owes."""
    UNKNOWN_PAYER = "unknown_payer"
    """Money came in, and nobody knows whose it is."""
    PAYER_DISAGREES = "payer_disagrees"
    """Money came in on one park's virtual account, and its text names another park."""
    TRIAL_BALANCE = "trial_balance"


@dataclass(frozen=True, slots=True)
class Break:
    """A difference to be explained; None stands for a side that is missing altogether."""

    kind: BreakKind
    key: str
    expected_fen: int | None
    actual_fen: int | None

    @property
    def difference_fen(self) -> int:
        """What is too much (positive) or missing (negative)."""
        return (self.actual_fen or 0) - (self.expected_fen or 0)


@dataclass(frozen=True, slots=True)
class Chain:
    """Amounts in fen of one period, by the key that both neighbours know."""

    metered: Mapping[str, int] = field(default_factory=dict)
    """By usage event: its price worked out anew."""
    rated: Mapping[str, int] = field(default_factory=dict)
    """By usage event: what was charged."""
    rated_lines: Mapping[str, int] = field(default_factory=dict)
    """By rated usage: what the park owes."""
    invoiced_lines: Mapping[str, int] = field(default_factory=dict)
    """By rated usage: what stands on an invoice."""
    invoiced: Mapping[str, int] = field(default_factory=dict)
    """By invoice: what is to be paid."""
    paid: Mapping[str, int] = field(default_factory=dict)
    """By invoice: what was paid."""
    captured: Mapping[str, int] = field(default_factory=dict)
    """By hold: the subsidy captured."""
    claimed: Mapping[str, int] = field(default_factory=dict)
    """By hold: the subsidy claimed from its fund."""


def reconcile(chain: Chain) -> list[Break]:
    """Return every difference along the chain, in its order and then by key; an empty list means it agrees."""
    return [
        *compare(BreakKind.USAGE_RATED, chain.metered, chain.rated),
        *compare(BreakKind.RATED_INVOICED, chain.rated_lines, chain.invoiced_lines),
        *compare(BreakKind.INVOICED_PAID, chain.invoiced, chain.paid),
        *compare(BreakKind.CAPTURED_CLAIMED, chain.captured, chain.claimed),
    ]


def compare(kind: BreakKind, expected: Mapping[str, int], actual: Mapping[str, int]) -> list[Break]:
    """Return where two steps differ. A side that is missing differs unless the other one is zero."""
    keys = sorted({*expected, *actual})
    found = [Break(kind, key, expected.get(key), actual.get(key)) for key in keys]
    return [item for item in found if item.difference_fen]
