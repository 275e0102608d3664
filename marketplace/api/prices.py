"""Prices: what a service costs whom, with its history; set from a date, ended, never edited."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.rules.prices import PriceScope
from billing.usecases import pricing
from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import Answer, Body, ById, Document, Idempotent, Instant, Moment, Parameters, Slug
from marketplace.doors.identity import working
from marketplace.usecases import prices as use_cases

prices = noun("prices", "What services cost, for whom, since when.")

Tiers = Annotated[str, Field(max_length=64, description="basic, enhanced or leading; empty for any")]
Division = Annotated[str, Field(max_length=6, description="Six digits of a county, city or province; empty for any")]


class PriceWish(Body):
    """A price from a moment on (null: from now on). Of several that hold for a park the most specific one counts:
    the smaller division first, then the class of region, then the tier.
    """

    offering: Slug
    charge: Document = Field(description="A charge, such as {'model': 'per_unit', 'unit_price': '0.0125'}")
    vat_bp: Annotated[int, Field(strict=True)]
    valid_from: Instant | None = None
    tier: Tiers = ""
    region_class: Tiers = ""
    region: Division = ""


class PriceEnd(Body):
    """Until when a price holds (null: until now)."""

    at: Instant | None = None


class PricesOf(Parameters):
    """Which service."""

    offering: Slug


class Price(Answer):
    """A price. ``withdrawn``: taken back before its time came. An empty tier or region means any."""

    id: UUID
    offering: str
    charge: dict[str, Any]
    unit_price: str = Field(description="What the first unit costs in yuan, a decimal string")
    vat_bp: int
    tier: str
    region_class: str
    region: str
    valid_from: Moment
    valid_to: Moment | None
    withdrawn: bool

    @classmethod
    def of(cls, view: object) -> Price:
        """Return the answer that shows ``view``, a PriceView."""
        assert isinstance(view, pricing.PriceView)  # noqa: S101 - for the type checker
        return cls(
            id=view.id,
            offering=view.offering,
            charge=dict(view.charge),
            unit_price=f"{view.unit_price:f}",
            vat_bp=view.vat_bp,
            tier=view.scope.tier,
            region_class=view.scope.region_class,
            region=view.scope.region,
            valid_from=view.valid_from,
            valid_to=view.valid_to,
            withdrawn=view.withdrawn,
        )


class Prices(Answer):
    """The prices of a service, scope by scope, the newest first."""

    items: list[Price]
    next_cursor: str | None = None


@prices.get("/prices", **call(Prices))
def list_prices(query: PricesOf) -> Response:
    """List every price that a service had, has or will have."""
    with working() as work:
        found = use_cases.read_price_history(work, offering=query.offering)
        return show(Prices(items=[Price.of(each) for each in found.prices]))


@prices.post("/prices", **call(Price, status=201))
def set_price(body: PriceWish, header: Idempotent) -> Response:
    """Set a price from a moment on; what was used before keeps its own."""
    scope = PriceScope(body.tier, body.region_class, body.region)
    return command(
        "price.set",
        header,
        body,
        lambda work: Price.of(
            use_cases.set_price(
                work,
                offering=body.offering,
                charge=body.charge,
                vat_bp=body.vat_bp,
                valid_from=body.valid_from,
                scope=scope,
            )
        ),
        status=201,
    )


@prices.post("/prices/<id>/end", **call(Price))
def end_price(path: ById, body: PriceEnd, header: Idempotent) -> Response:
    """End a price; one that has not begun by then is withdrawn."""
    return command(
        "price.end",
        header,
        body,
        lambda work: Price.of(pricing.end_price(work, price_id=path.id, at=body.at or work.now)),
        about={"price": str(path.id)},
    )
