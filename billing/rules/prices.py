"""For whom a price holds, and which of several holds for a park: the most specific one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PriceScope:
    """The parks a price is for: of a tier, a class of region, a division of the country. Empty means any."""

    tier: str = ""
    region_class: str = ""
    region: str = ""
    """A six-digit code: of a county, or of the city or province that the county lies in."""

    def holds_for(self, facts: Mapping[str, Any]) -> bool:
        """Tell whether a park of such facts (``tier``, ``region_class``, ``region``) is meant."""
        return (
            self.tier in {"", facts.get("tier")}
            and self.region_class in {"", facts.get("region_class")}
            and str(facts.get("region") or "").startswith(_division(self.region))
        )

    @property
    def rank(self) -> tuple[int, bool, bool]:
        """Return how specific it is: the smaller division first, then the class of region, then the tier.

        Of two different scopes that hold for one park, one is always the more specific: divisions of equal size that
        both contain the park are the same one.
        """
        return len(_division(self.region)), bool(self.region_class), bool(self.tier)


EVERYBODY = PriceScope()


def _division(code: str) -> str:
    """Return the digits that all counties of a division begin with."""
    for rest in ("0000", "00"):
        if code.endswith(rest):
            return code.removesuffix(rest)
    return code
