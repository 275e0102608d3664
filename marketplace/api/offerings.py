"""Offerings: what can be rented, at what list price, and what the caller would pay."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, noun, show
from marketplace.api.explanations import Explanation
from marketplace.api.fields import Amount, Answer, Parameters
from marketplace.doors.identity import working
from marketplace.doors.service_names import know_services
from marketplace.usecases import shop
from tenants.kernel.vocabulary import Tier, UsageUnit

offerings = noun("offerings", "Services that can be rented.")


class Wanted(Parameters):
    """Which offerings."""

    tier: Tier | None = None
    delivery: Literal["twin", "schedule", "leads", "inspection", "samples", "monitoring", "alarms", "carbon"] | None = (
        None
    )


class Offering(Answer):
    """A service. Prices are for one unit, VAT included; what a park would pay is null for callers that are none."""

    id: UUID
    slug: str
    provider_id: UUID
    provider_name: str
    tier: Tier
    delivery: str
    name: str
    name_en: str
    summary: str
    summary_en: str
    usage_unit: UsageUnit
    build_cost_fen: Amount
    orderable: bool
    unit_price: str | None = Field(description="List price of the first unit in yuan, a decimal string")
    list_price_fen: Amount | None
    included: bool | None = Field(description="Whether the caller's tier may rent it")
    subsidy_fen: Amount | None = Field(description="Deducted from the list price now")
    payable_fen: Amount | None = Field(description="What the caller would pay now")
    later_fen: Amount | None = Field(description="What programmes would give back afterwards")
    explanations: list[Explanation] = Field(description="Why each award is what it is")

    @classmethod
    def of(cls, view: object) -> Offering:
        """Return the answer that shows ``view``, a ShopItem."""
        assert isinstance(view, shop.ShopItem)  # noqa: S101 - for the type checker
        price, line = view.price, view.line
        return cls(
            **{name: value for name, value in vars(view.offering).items() if name in cls.model_fields},
            unit_price=None if price is None else f"{price.unit_price:f}",
            list_price_fen=None if price is None else price.gross_fen(1),
            included=view.covered,
            subsidy_fen=None if line is None else line.subsidy_fen,
            payable_fen=None if line is None else line.payable_fen,
            later_fen=None if line is None else line.later_fen,
            explanations=[Explanation.of(each) for each in view.explanations],
        )

    def fits(self, wanted: Wanted) -> bool:
        """Tell whether the offering is one of those asked for."""
        return wanted.tier in {None, self.tier} and wanted.delivery in {None, self.delivery}


class Offerings(Answer):
    """Offerings, lower tiers first."""

    items: list[Offering]
    next_cursor: str | None = None


@offerings.get("/offerings", **call(Offerings))
def list_offerings(query: Wanted) -> Response:
    """List what can be rented, with the caller's prices."""
    with working() as work:
        know_services(work)
        found = [Offering.of(item) for item in shop.list_shop(work)]
    return show(Offerings(items=[each for each in found if each.fits(query)]))
