"""The commands that need no database: a document in, an answer out. The console calls them."""

from __future__ import annotations

from typing import Any

from billing.formats.quotes import quote_json, read_quote
from billing.rules.subsidies import quote


def quote_document(document: object) -> dict[str, Any]:
    """Return the contract's answer to the ``quote`` command. Raises Invalid with the path of every fault."""
    command = read_quote(document)
    return quote_json(quote(command.policies, command.order, command.used, command.funds))
