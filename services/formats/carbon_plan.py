"""The wish for a path to a target: base and target year, what may remain, and the measures with their costs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from services.formats.documents import Document, read_document
from services.rules.carbon.measures import MOST_MEASURES, MOST_YEARS, Kind, Measure
from services.rules.carbon.path import Goal
from tenants.kernel.messages import msg

Yuan = Annotated[Decimal, Field(ge=-(10**10), le=10**10, max_digits=14)]
Amount = Annotated[Decimal, Field(ge=0, le=10**12, max_digits=18)]
Signed = Annotated[Decimal, Field(ge=-(10**12), le=10**12, max_digits=18)]


class MeasurePart(Document):
    """A measure. What it saves is taken from the ledger of the base year; see ``rules.carbon.measures``."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    kind: Kind
    capex_yuan: Annotated[Yuan, Field(ge=0)] = Decimal(0)
    yearly_yuan: Yuan = Decimal(0)
    life_years: Annotated[int, Field(ge=1, le=60)] = 1
    saved_kwh: Signed = Decimal(0)
    fuel: Annotated[str, Field(max_length=64)] | None = None
    saved_fuel: Amount = Decimal(0)
    green_kwh: Amount = Decimal(0)
    offset_t: Amount = Decimal(0)
    first_year: Annotated[int, Field(ge=0, le=2100)] = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Let a kind have its own effect only, and some effect."""
        bought = {Kind.GREEN_POWER: self.green_kwh, Kind.OFFSET: self.offset_t}
        if self.kind in bought:
            if bought[self.kind] <= 0 or self.saved_kwh or self.saved_fuel or self.capex_yuan or self.yearly_yuan < 0:
                raise ValueError(msg("绿电和抵消只填每年可购数量及其每年费用。"))
        elif not self.saved_kwh and not self.saved_fuel:
            raise ValueError(msg("请填写节约的电量或燃料。"))
        if (self.kind is not Kind.GREEN_POWER and self.green_kwh) or (self.kind is not Kind.OFFSET and self.offset_t):
            raise ValueError(msg("绿电数量只属于绿电措施，抵消数量只属于抵消措施。"))
        if (self.fuel is None) != (self.saved_fuel == 0):
            raise ValueError(msg("节约燃料须同时填写燃料与数量。"))
        return self

    def measure(self) -> Measure:
        """Return it as the rules take it."""
        return Measure(**{name: getattr(self, name) for name in type(self).model_fields})


class PlanDocument(Document):
    """The wish for a path."""

    base_year: Annotated[int, Field(ge=2000, le=2100)]
    target_year: Annotated[int, Field(ge=2001, le=2140)]
    remaining_percent: Annotated[Decimal, Field(ge=0, le=100, max_digits=7)]
    even_steps: bool = False
    discount_percent: Annotated[Decimal, Field(ge=0, le=30, max_digits=6)] = Decimal(6)
    measures: Annotated[list[MeasurePart], Field(max_length=MOST_MEASURES)]

    @model_validator(mode="after")
    def _ahead(self) -> Self:
        if not 0 < self.target_year - self.base_year <= MOST_YEARS:
            raise ValueError(msg("目标年须在基准年之后，且不超过 {most} 年。", most=MOST_YEARS))
        return self

    @property
    def goal(self) -> Goal:
        """Return where the path must arrive."""
        return Goal(self.target_year, self.remaining_percent / 100, self.even_steps)

    @property
    def rate(self) -> Decimal:
        """Return the discount rate as a share."""
        return self.discount_percent / 100


def read_plan(given: Mapping[str, Any], *, where: str = "plan") -> PlanDocument:
    """Return the wish; Invalid ``plan.invalid`` names every wrong field."""
    return read_document(PlanDocument, given, where=where, code="plan.invalid")
