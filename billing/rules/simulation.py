"""What other rules would have changed: sums of past awards beside what the tried rules give for the same orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

GROUPS = ("region_class", "park_size")
"""Facts by which gains and losses are summed."""


@dataclass(slots=True)
class Change:
    """Public money before and after, in fen: of the programme, and of all programmes together."""

    orders: int = 0
    before_fen: int = 0
    after_fen: int = 0
    all_before_fen: int = 0
    all_after_fen: int = 0

    @property
    def change_fen(self) -> int:
        """What the parks get more (or, negative, less) from all programmes."""
        return self.all_after_fen - self.all_before_fen

    def add(self, other: Change) -> None:
        """Count another change into this one."""
        self.orders += other.orders
        self.before_fen += other.before_fen
        self.after_fen += other.after_fen
        self.all_before_fen += other.all_before_fen
        self.all_after_fen += other.all_after_fen

    def document(self) -> dict[str, int]:
        """Return the figures as JSON."""
        return {
            "orders": self.orders,
            "before_fen": self.before_fen,
            "after_fen": self.after_fen,
            "all_before_fen": self.all_before_fen,
            "all_after_fen": self.all_after_fen,
            "change_fen": self.change_fen,
        }


@dataclass(frozen=True, slots=True)
class Given:
    """An award of one programme on one line, as it was given or as it would be."""

    programme: str
    amount_fen: int
    by_fund: Mapping[str, int]
    reasons: tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """Collects a simulation order by order."""

    programme: str
    lines: int = 0
    gross_fen: int = 0
    total: Change = field(default_factory=Change)
    parks: dict[str, Change] = field(default_factory=dict)
    facts: dict[str, dict[str, str]] = field(default_factory=dict)
    months: dict[str, Change] = field(default_factory=dict)
    funds: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    """Month, fund, ``before_fen`` and ``after_fen``."""
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)
    """Reason code, ``before`` and ``after``: on how many lines the programme named it."""

    def add(
        self,
        park: str,
        month: str,
        facts: Mapping[str, Any],
        gross_fen: int,
        lines: Iterable[tuple[Iterable[Given], Iterable[Given]]],
    ) -> None:
        """Count an order; of each line what was given, and what would be."""
        change = Change(orders=1)
        for before, after in lines:
            self.lines += 1
            for given, side in ((before, "before"), (after, "after")):
                for award in given:
                    self._count(change, month, award, side)
        self.gross_fen += gross_fen
        self.total.add(change)
        self.parks.setdefault(park, Change()).add(change)
        self.months.setdefault(month, Change()).add(change)
        self.facts[park] = {name: str(facts.get(name) or "") for name in (*GROUPS, "region")}

    def _count(self, change: Change, month: str, award: Given, side: str) -> None:
        own = award.programme == self.programme
        if side == "before":
            change.all_before_fen += award.amount_fen
            change.before_fen += award.amount_fen if own else 0
        else:
            change.all_after_fen += award.amount_fen
            change.after_fen += award.amount_fen if own else 0
        funds = self.funds.setdefault(month, {})
        for fund, amount in award.by_fund.items():
            if amount:
                sums = funds.setdefault(fund, {"before_fen": 0, "after_fen": 0})
                sums[f"{side}_fen"] += amount
        for reason in award.reasons if own else ():
            self.reasons.setdefault(reason, {"before": 0, "after": 0})[side] += 1

    def document(self) -> dict[str, Any]:
        """Return the result as JSON: sums, months, funds, groups, reasons, and every park, most gained first."""
        parks = sorted(self.parks.items(), key=lambda each: (-each[1].change_fen, each[0]))
        changes = [change.change_fen for _, change in parks]
        return {
            **self.total.document(),
            "lines": self.lines,
            "gross_fen": self.gross_fen,
            "parks": len(parks),
            "gaining": sum(change > 0 for change in changes),
            "losing": sum(change < 0 for change in changes),
            "by_month": [
                {"month": month, **self.months[month].document(), "funds": self._of_funds(month)}
                for month in sorted(self.months)
            ],
            "by_group": {name: self._grouped(name) for name in GROUPS},
            "reasons": [{"reason": reason, **self.reasons[reason]} for reason in sorted(self.reasons)],
            "by_park": [{"park_id": park, **self.facts[park], **change.document()} for park, change in parks],
        }

    def _of_funds(self, month: str) -> list[dict[str, Any]]:
        return [{"fund": fund, **sums} for fund, sums in sorted(self.funds.get(month, {}).items())]

    def _grouped(self, name: str) -> list[dict[str, Any]]:
        groups: dict[str, tuple[Change, list[int]]] = {}
        for park, change in self.parks.items():
            total, changes = groups.setdefault(self.facts[park][name], (Change(), []))
            total.add(change)
            changes.append(change.change_fen)
        return [
            {
                "key": key,
                "parks": len(changes),
                "gaining": sum(change > 0 for change in changes),
                "losing": sum(change < 0 for change in changes),
                **total.document(),
            }
            for key, (total, changes) in sorted(groups.items())
        ]
