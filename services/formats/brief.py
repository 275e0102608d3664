"""``request.json`` of the leads engine: what a park offers and what it looks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from services.formats.documents import Document, read_document
from services.rules.industries import DIVISIONS, SECTIONS, division_of
from services.rules.leads import Brief, Logistics
from services.rules.limits import Limit, rules_out
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg
from tenants.rules.regions import check_region

SCHEMA_ID = "/api/v1/schemas/brief-1.json"
FEWEST, MOST = 20, 50
MOST_ALONE = 1000
"""The longest list of the engine alone."""
Word = Annotated[str, Field(min_length=2, max_length=40)]
Fen = Annotated[int, Field(ge=0, le=10**15, strict=True)]
Kilometres = Annotated[float, Field(ge=0, le=5000)]


def _divisions(codes: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({found for code in codes if (found := division_of(code))}))


def _digits(codes: Iterable[str]) -> tuple[str, ...]:
    """Return industry codes without the section's letter, each once and in order."""
    return tuple(sorted({code.lstrip(SECTIONS) for code in codes}))


class LogisticsDocument(Document):
    """Road distances from the park to the nearest entrance or terminal of each kind, in kilometres."""

    motorway_km: Kilometres | None = None
    rail_freight_km: Kilometres | None = None
    port_km: Kilometres | None = None
    airport_km: Kilometres | None = None


class BriefDocument(Document):
    """A brief: where the park is, what it has to offer, and which industries (GB/T 4754, 2 to 4 digits) it wants."""

    region_code: Annotated[str, Field(pattern=r"^[0-9]{6}$", description="GB/T 2260, the park's county or city")]
    area_mu: Annotated[float, Field(gt=0, le=1_000_000, description="Land on offer, in mu (1/15 hectare)")]
    industries: Annotated[tuple[str, ...], Field(min_length=1, max_length=3, description="Preferred industries")]
    exclusions: Annotated[
        tuple[str, ...], Field(max_length=20, description="Industries that are not wanted, 2 to 4 digits each")
    ] = ()
    limits: Annotated[tuple[Limit, ...], Field(max_length=8, description="What the environment does not bear")] = ()
    keywords: Annotated[tuple[Word, ...], Field(max_length=5, description="Words of a business scope")] = ()
    land_price_fen_per_mu: Fen | None = None
    rent_fen_per_m2_month: Fen | None = None
    power_kva: Annotated[float, Field(gt=0, le=10_000_000, description="Transformer capacity still free")] | None = None
    electricity_yuan_per_kwh: Annotated[Decimal, Field(gt=0, le=10, decimal_places=4)] | None = None
    logistics: LogisticsDocument = LogisticsDocument()
    budget_fen: Annotated[Fen | None, Field(description="What may be spent on supporting the firms that settle")] = None
    count: Annotated[int, Field(ge=FEWEST, le=MOST, strict=True, description="Companies on the list")] = MOST
    exclude_own_region: bool = True

    @field_validator("region_code")
    @classmethod
    def _known_region(cls, code: str) -> str:
        try:
            check_region(code)
        except Invalid as problem:
            raise ValueError(problem.message) from problem
        return code

    @field_validator("industries", "exclusions")
    @classmethod
    def _known_industries(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        for code in codes:
            if division_of(code) is None:
                raise ValueError(
                    msg("没有代码为 {code} 的行业大类。请填写 GB/T 4754 的两位代码，例如 39（{name}）。",
                        code=code[:10], name=DIVISIONS["39"])
                )  # fmt: skip
        return codes

    @field_validator("exclusions")
    @classmethod
    def _excludes_nothing_wanted(cls, codes: tuple[str, ...], known: ValidationInfo) -> tuple[str, ...]:
        for division in _divisions(known.data.get("industries", ())):
            if rules_out(division, _digits(codes), ()):
                raise ValueError(
                    msg("意向产业“{name}”同时列在排除的行业中。请去掉其中之一。", name=DIVISIONS[division])
                )
        return codes

    @field_validator("limits")
    @classmethod
    def _limits_nothing_wanted(cls, limits: tuple[Limit, ...], known: ValidationInfo) -> tuple[Limit, ...]:
        for division in _divisions(known.data.get("industries", ())):
            if rules_out(division, (), limits):
                raise ValueError(msg("意向产业“{name}”为环境限制所不容。请去掉其中之一。", name=DIVISIONS[division]))
        return limits

    def brief(self) -> Brief:
        """Return the brief for the engine."""
        return Brief(
            region_code=self.region_code,
            divisions=_divisions(self.industries),
            keywords=tuple(self.keywords),
            area_mu=self.area_mu,
            count=self.count,
            exclude_own_region=self.exclude_own_region,
            exclusions=_digits(self.exclusions),
            limits=tuple(sorted(set(self.limits))),
            land_price_fen_per_mu=self.land_price_fen_per_mu,
            rent_fen_per_m2_month=self.rent_fen_per_m2_month,
            power_kva=self.power_kva,
            electricity_yuan_per_kwh=None
            if self.electricity_yuan_per_kwh is None
            else float(self.electricity_yuan_per_kwh),
            logistics=Logistics(**self.logistics.model_dump()),
            budget_fen=self.budget_fen,
        )


class StudyDocument(BriefDocument):
    """A brief of the engine alone, for studies: of any industry, and of a longer list than is rented."""

    industries: Annotated[tuple[str, ...], Field(max_length=3)] = ()
    count: Annotated[int, Field(ge=FEWEST, le=MOST_ALONE, strict=True)] = MOST


def read_brief(
    given: Mapping[str, Any], *, where: str = "request", form: type[BriefDocument] = BriefDocument
) -> tuple[dict[str, Any], Brief]:
    """Return the document in its full form, and the brief for the engine; Invalid ``leads.invalid`` names the fields."""
    document = read_document(form, given, where=where, code="leads.invalid")
    return document.model_dump(mode="json"), document.brief()


def brief_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a brief: made from the same code that reads it, so it cannot drift."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **BriefDocument.model_json_schema(),
        "title": "Brief of a lead list",
    }
