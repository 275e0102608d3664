"""Metered months of the carbon ledger, and a site's hours."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, show
from marketplace.api.carbon_records import CarbonRecord
from marketplace.api.fields import Answer, Body, ById, Code, Idempotent, Moment, Parameters, Period, Quantity
from marketplace.doors.identity import working
from services.rules.carbon.records import Category
from services.rules.monitoring.series import Floats
from services.usecases import carbon_metering as use_cases

carbon_metering = noun("carbon_metering", "Meters' months in the carbon ledger, and hours. Grams of CO2e.")


class MeteredMonth(Body):
    """A meter's month. Recorded again, it is corrected when its readings have changed."""

    meter_id: UUID
    month: Period
    category: Literal["electricity", "own_green", "heat"]
    region: Code = "CN"


class HoursQuery(Parameters):
    """Which hours of which meters."""

    meter_id: UUID
    own_meter_id: UUID | None = Field(None, description="Of the site's own plant: what it used of it")
    start: date
    days: int = Field(7, ge=1, le=31)
    region: str = Field("CN", max_length=64)


class CarbonHours(Answer):
    """Hours from ``start``; null where a meter is silent. ``matched``: share of power that was own in the same hour."""

    start: Moment
    factor_kg: Quantity
    factor_edition: str
    bought_kwh: list[float | None]
    own_kwh: list[float | None]
    grams: list[float | None]
    matched: float | None


@carbon_metering.post("/sites/<id>/carbon/metered", **call(CarbonRecord, status=201))
def record_metered_month(path: ById, body: MeteredMonth, header: Idempotent) -> Response:
    """Write what a meter counted in a month into the ledger, with its series as the evidence."""
    month = date.fromisoformat(f"{body.month}-01")
    return command(
        "carbon.meter",
        header,
        body,
        lambda work: CarbonRecord.of(
            use_cases.record_month(
                work,
                site_id=path.id,
                meter_id=body.meter_id,
                month=month,
                category=Category(body.category),
                region=body.region,
            )
        ),
        status=201,
        about={"id": str(path.id)},
    )


@carbon_metering.get("/sites/<id>/carbon/hours", **call(CarbonHours))
def read_carbon_hours(path: ById, query: HoursQuery) -> Response:
    """Read a site's hours: bought power, its own, emissions, and the share that is matched hour by hour."""
    with working() as work:
        found = use_cases.read_hours(
            work,
            site_id=path.id,
            meter_id=query.meter_id,
            own_meter_id=query.own_meter_id,
            start=query.start,
            days=query.days,
            region=query.region,
        )
    return show(
        CarbonHours(
            start=datetime.fromtimestamp(found.hours.start, UTC),
            factor_kg=found.factor.kg,
            factor_edition=found.factor.edition,
            bought_kwh=plain(found.hours.bought),
            own_kwh=plain(found.hours.own),
            grams=plain(found.hours.grams),
            matched=found.hours.matched,
        )
    )


def plain(values: Floats) -> list[float | None]:
    """Return numbers as JSON has them: what is not known is null."""
    return [None if math.isnan(value) else round(float(value), 6) for value in values]
