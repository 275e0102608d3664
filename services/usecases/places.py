"""Where places lie, for whoever draws a map."""

from __future__ import annotations

from services.gateways.positions import locate

Position = tuple[float, float]
"""Latitude and longitude in decimal degrees."""


def position_of(code: str) -> Position | None:
    """Return where a division's prefecture lies, else the middle of its province, None for an unknown code."""
    return locate(code)
