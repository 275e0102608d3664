"""The commands that need no database: a document in, an answer out. The console calls them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.formats.cost_sharing import read_agreement, settlement_json
from billing.formats.quotes import quote_json, read_quote
from billing.formats.usage import rate_json, read_rate
from billing.rules.cost_sharing import settle
from billing.rules.meters import Aggregation, Reading, aggregate, windows
from billing.rules.rating import rate
from billing.rules.subsidies import quote


def quote_document(document: object) -> dict[str, Any]:
    """Return the contract's answer to the ``quote`` command. Raises Invalid with the path of every fault."""
    command = read_quote(document)
    return quote_json(quote(command.policies, command.order, command.used, command.funds, command.exemptions))


def rate_document(document: object) -> dict[str, Any]:
    """Return the contract's answer to the ``rate`` command. Raises Invalid with the path of every fault."""
    command = read_rate(document)
    readings = sorted(command.readings, key=lambda reading: reading.time)
    quantity = aggregate(command.meter.aggregation, readings, command.period, command.carry_in)
    amount = rate(command.charge, quantity, _event_values(command.meter.aggregation, readings))
    found = windows(command.meter, readings, command.period, command.timezone, command.window_size, command.carry_in)
    return rate_json(command, quantity, amount, found)


def settle_document(document: object) -> dict[str, Any]:
    """Return the contract's answer to the ``settle`` command. Raises Invalid with the path of every fault."""
    return settlement_json(settle(read_agreement(document)))


def _event_values(aggregation: Aggregation, readings: list[Reading]) -> list[Decimal] | None:
    """Return the single events' amounts where they add up to the quantity; else the quantity is one event."""
    if aggregation in {Aggregation.SUM, Aggregation.COUNT}:
        return [reading.number for reading in readings]
    return None
