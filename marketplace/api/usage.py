"""Usage: what delivered services came to."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, noun, show
from marketplace.api.fields import Amount, Answer, Instant, Parameters, Quantity
from marketplace.doors.identity import working
from marketplace.usecases import usage_reports as use_cases

usage = noun("usage", "What delivered services came to.")


class UsageQuestion(Parameters):
    """Over which period, summed by what."""

    from_: Instant = Field(alias="from")
    to: Instant
    group_by: Literal["offering", "day", "month", "park", "person"] = "offering"
    park_id: UUID | None = Field(None, description="For staff: one park's use")


class UsageSum(Answer):
    """What came together under one key: an offering, a day, a month, a park's id or the id of who ordered.

    For those who may not know who ordered what, the key of other people's orders is ``others``.
    """

    key: str
    name: str | None = Field(description="The person's name, for group_by=person")
    deliveries: int
    quantity: Quantity
    gross_fen: Amount
    subsidy_fen: Amount
    payable_fen: Amount
    returned_fen: Amount = Field(description="Taken back since, of the list price; the other amounts are without it")


class UsageSums(Answer):
    """Sums by key."""

    items: list[UsageSum]
    next_cursor: str | None = None


@usage.get("/usage", **call(UsageSums))
def list_usage(query: UsageQuestion) -> Response:
    """Sum up what was delivered in a period."""
    with working() as work:
        found = use_cases.list_usage(
            work, from_=query.from_, to=query.to, group_by=query.group_by, park_id=query.park_id
        )
        return show(UsageSums(items=[UsageSum.of(each) for each in found]))
