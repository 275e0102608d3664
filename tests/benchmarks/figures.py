"""What a measurement says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One ratio, or CPU time where there is nothing to set it beside. ``detail`` tells what was divided by what."""

    name: str
    value: str
    target: str
    detail: str

    def row(self) -> str:
        """Return the figure as a row of the table."""
        return f"{self.name:<26} {self.value:>9}  {self.target:<9} {self.detail}"


HEAD = Figure("measured", "figure", "target", "what was divided by what").row()
