"""Charges by meter: what the use that a meter counts costs, charged in arrears with the month's invoice."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.rules.prices import PriceScope
from billing.usecases import metered_charges
from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import Body, Document, Idempotent, Instant, PathParameters
from marketplace.api.meters import MeterPath
from marketplace.api.prices import Division, Price, PriceEnd, Prices, Tiers
from marketplace.doors.identity import working

meter_charges = noun("meter_charges", "What the use that meters count costs.")


class MeterChargeWish(Body):
    """A charge from a moment on (null: from now on), for parks that subscribe to a tier. Of several that hold for a park
    the most specific one counts: the smaller division first, then the class of region, then the tier.
    """

    charge: Document = Field(description="A charge, such as {'model': 'per_unit', 'unit_price': '0.0125'}")
    vat_bp: Annotated[int, Field(strict=True)]
    valid_from: Instant | None = None
    tier: Tiers = ""
    region_class: Tiers = ""
    region: Division = ""


class MeterChargePath(PathParameters):
    """A charge of a meter."""

    slug: str = Field(max_length=64)
    id: UUID


@meter_charges.get("/meters/<slug>/charges", **call(Prices))
def list_meter_charges(path: MeterPath) -> Response:
    """List every charge that a meter had, has or will have."""
    with working() as work:
        found = metered_charges.read_charges(work, meter=path.slug)
        return show(Prices(items=[Price.of(each) for each in found.prices]))


@meter_charges.post("/meters/<slug>/charges", **call(Price, status=201))
def set_meter_charge(path: MeterPath, body: MeterChargeWish, header: Idempotent) -> Response:
    """Let a meter's use cost something from a moment on; what was used before keeps its own price."""
    scope = PriceScope(body.tier, body.region_class, body.region)
    return command(
        "meter_charge.set",
        header,
        body,
        lambda work: Price.of(
            metered_charges.set_charge(
                work,
                meter=path.slug,
                charge=body.charge,
                vat_bp=body.vat_bp,
                valid_from=body.valid_from,
                scope=scope,
            )
        ),
        status=201,
        about={"meter": path.slug},
    )


@meter_charges.post("/meters/<slug>/charges/<id>/end", **call(Price))
def end_meter_charge(path: MeterChargePath, body: PriceEnd, header: Idempotent) -> Response:
    """End a charge; one that has not begun by then is withdrawn."""
    return command(
        "meter_charge.end",
        header,
        body,
        lambda work: Price.of(metered_charges.end_charge(work, meter=path.slug, price_id=path.id, at=body.at)),
        about={"meter": path.slug, "price": str(path.id)},
    )
