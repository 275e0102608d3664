"""``request.json`` of the leads engine: what a park looks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from services.formats.documents import Document, read_document
from services.rules.industries import DIVISIONS, division_of
from services.rules.leads import Brief
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg
from tenants.rules.regions import check_region

FEWEST, MOST = 20, 50
MOST_ALONE = 1000
"""The longest list of the engine alone."""
Word = Annotated[str, Field(min_length=2, max_length=40)]


class BriefDocument(Document):
    """A brief: where the park is, what it has, and which industries (GB/T 4754, two to four digits) it wants."""

    region_code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    industries: Annotated[tuple[str, ...], Field(min_length=1, max_length=3)]
    area_mu: Annotated[float, Field(gt=0, le=1_000_000)]
    keywords: Annotated[tuple[Word, ...], Field(max_length=5)] = ()
    count: Annotated[int, Field(ge=FEWEST, le=MOST, strict=True)] = MOST
    exclude_own_region: bool = True

    @model_validator(mode="after")
    def _known(self) -> Self:
        try:
            check_region(self.region_code)
        except Invalid as problem:
            raise ValueError(problem.message) from problem
        for code in self.industries:
            if division_of(code) is None:
                raise ValueError(
                    msg("没有代码为 {code} 的行业大类。请填写 GB/T 4754 的两位代码，例如 39（{name}）。",
                        code=code[:10], name=DIVISIONS["39"])
                )  # fmt: skip
        return self


class StudyDocument(BriefDocument):
    """A brief of the engine alone, for studies: of any industry, and of a longer list than is rented."""

    industries: Annotated[tuple[str, ...], Field(max_length=3)] = ()
    count: Annotated[int, Field(ge=FEWEST, le=MOST_ALONE, strict=True)] = MOST


def read_brief(
    given: Mapping[str, Any], *, where: str = "request", form: type[BriefDocument] = BriefDocument
) -> tuple[dict[str, Any], Brief]:
    """Return the document in its full form, and the brief for the engine; Invalid ``leads.invalid`` names the fields."""
    document = read_document(form, given, where=where, code="leads.invalid")
    divisions = sorted({found for code in document.industries if (found := division_of(code))})
    brief = Brief(
        region_code=document.region_code,
        divisions=tuple(divisions),
        keywords=tuple(document.keywords),
        area_mu=document.area_mu,
        count=document.count,
        exclude_own_region=document.exclude_own_region,
    )
    return document.model_dump(mode="json"), brief
