"""The installation that a request belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import Flask, current_app

if TYPE_CHECKING:
    from marketplace.composition import Marketplace

_KEY = "marketplace"


def install(app: Flask, market: Marketplace) -> None:
    """Tell ``app`` which installation it serves."""
    app.extensions[_KEY] = market


def current_market() -> Marketplace:
    """Return the installation that the running request belongs to."""
    return cast("Marketplace", current_app.extensions[_KEY])
