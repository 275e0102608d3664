"""From an event to what it costs: the same steps at settlement and whenever reconciliation works it out anew."""

from __future__ import annotations

from decimal import Decimal

from billing.formats.documents import read_document
from billing.formats.fields import parse_number
from billing.rules import meters
from billing.rules.charges import Charge
from billing.rules.meters import Aggregation, Meter, UsageEvent
from billing.store.programmes import Price
from billing.usecases.pricing import PriceDocument


def quantity_of(event: UsageEvent, meter: Meter | None) -> Decimal | None:
    """Return what a meter reads in one event, None for nothing. Without a meter it is the event's ``quantity``."""
    reader = meter or Meter("delivery", event.type, Aggregation.SUM, "$.quantity")
    reading = meters.read_event(reader, event, parse_number) if meters.counts(reader, event) else None
    return None if reading is None else reading.number


def charge_of(price: Price) -> Charge:
    """Return a stored price's charge as the rules know it."""
    return read_document(PriceDocument, {"charge": price.charge}).charge.to_rules()
