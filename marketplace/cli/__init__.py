"""The console: ``marketplace COMMAND``. Each command is a door like the others: parse, call, print."""

from __future__ import annotations

from marketplace.cli.main import main

__all__ = ["main"]
