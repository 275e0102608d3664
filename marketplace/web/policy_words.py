"""A stored policy's conditions, read for saying them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from billing.formats.fields import parse_fact
from billing.rules.conditions import Comparison, Condition


def read_conditions(documents: Iterable[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """Return the conditions of a stored version, which were checked when it was written."""
    found = []
    for each in documents:
        value = parse_fact(each["value"])
        if value is not None:
            found.append(Condition(each["fact"], Comparison(each["is"]), value))
    return tuple(found)
