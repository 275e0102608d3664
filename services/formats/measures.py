"""Measures and profiles as JSON documents: what the operator gives, and what an enterprise states about itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from services.formats.documents import Document, read_document
from services.rules import matching as rules
from services.rules.catalogue import SLUG
from services.rules.industries import division_of
from services.rules.matching import SHAPES, SHARES, STATED, TESTS, Constant, Kind, Stacking, Test, Value
from tenants.kernel.errors import Invalid
from tenants.kernel.messages import msg
from tenants.rules.regions import check_region

MOST = 100
LARGEST = 10**15
FIELDS = (
    "electronics", "biology", "aerospace", "materials", "hightech_services", "energy", "environment", "manufacturing",
)  # fmt: skip
"""The eight fields that the State supports (《国家重点支持的高新技术领域》, annex of 国科发火〔2016〕32号), in its order."""
QUALIFICATIONS = ("hightech", "sme_tech", "innovative_sme", "specialised_sme", "little_giant")
"""高新技术企业, 科技型中小企业, 创新型中小企业, 专精特新中小企业, 专精特新“小巨人”企业."""

Text = Annotated[str, Field(min_length=1, max_length=200)]
LongText = Annotated[str, Field(min_length=1, max_length=1000)]
OptionalText = Annotated[str, Field(max_length=1000)]
Slug = Annotated[str, Field(pattern=f"^{SLUG.pattern}$", max_length=64)]
Count = Annotated[int, Field(strict=True, ge=0, le=10_000_000)]
Money = Annotated[int, Field(strict=True, ge=0, le=LARGEST)]
Amount = Annotated[int, Field(strict=True, gt=0, le=LARGEST)]
BasisPoints = Annotated[int, Field(strict=True, gt=0, le=rules.WHOLE_BP)]
Scalar = Annotated[bool, Field(strict=True)] | Annotated[int, Field(strict=True, ge=-LARGEST, le=LARGEST)] | Text
Fact = Literal[
    "staff", "rd_staff", "patents", "invention_patents", "revenue_fen", "rd_spend_fen", "hightech_revenue_fen",
    "assets_fen", "taxable_income_fen", "industry", "region_code", "fields", "qualifications", "restricted",
    "on_dishonesty_list", "rd_staff_share_bp", "rd_spend_share_bp", "hightech_revenue_share_bp", "age_days", "age_years",
]  # fmt: skip


class RequirementDocument(Document):
    """One comparison of a fact with a constant, and the clause that asks for it."""

    fact: Fact
    test: Test = Field(alias="is")
    value: Scalar | Annotated[list[Scalar], Field(min_length=1, max_length=MOST)]
    clause: Annotated[str, Field(max_length=200)] = ""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        shape = SHAPES[self.fact]
        if self.test not in TESTS[shape]:
            choices = "、".join(sorted(TESTS[shape]))
            raise ValueError(msg("{fact} 只能用以下比较：{choices}。请修改。", fact=self.fact, choices=choices))
        several = self.test in {Test.IN, Test.WITHIN, Test.OUTSIDE, Test.HAS, Test.LACKS}
        if several is not isinstance(self.value, list):
            raise ValueError(
                msg("{test} 的值须为列表。请加方括号。", test=self.test.value)
                if several
                else msg("{test} 的值须为单个值。请去掉方括号。", test=self.test.value)
            )
        wanted = {"number": int, "flag": bool}.get(shape, str)
        if any(type(each) is not wanted for each in (self.value if isinstance(self.value, list) else [self.value])):
            kind = {"number": msg("整数"), "flag": msg("true 或 false")}.get(shape, msg("文本"))
            raise ValueError(msg("{fact} 的值须为{kind}。请修改。", fact=self.fact, kind=kind))
        _check_codes(self.fact, self.value)
        return self

    def to_rules(self) -> rules.Requirement:
        """Return the rules' requirement."""
        constant: Constant = tuple(self.value) if isinstance(self.value, list) else self.value  # type: ignore[assignment]
        return rules.Requirement(self.fact, self.test, constant, self.clause)


def _check_codes(fact: str, value: object) -> None:
    known = {"fields": FIELDS, "qualifications": QUALIFICATIONS}.get(fact)
    if known is None or not isinstance(value, list):
        return
    strange = next((each for each in value if each not in known), None)
    if strange is not None:
        raise ValueError(msg("没有代码 {code}。可用：{known}。", code=str(strange)[:40], known="、".join(known)))


class TreeDocument(Document):
    """``{"all": [...]}`` or ``{"any": [...]}`` of requirements and further trees."""

    all: Annotated[list[Member], Field(min_length=1, max_length=MOST)] | None = None
    any: Annotated[list[Member], Field(min_length=1, max_length=MOST)] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.all is None) is (self.any is None):
            raise ValueError(msg("须只含 all、any 之一。请删去另一个。"))
        return self

    def to_rules(self) -> rules.Tree:
        """Return the rules' tree."""
        if self.all is not None:
            return rules.All(tuple(member.to_rules() for member in self.all))
        return rules.AnyOf(tuple(member.to_rules() for member in self.any or ()))


TREE, REQUIREMENT = "[tree]", "[requirement]"


def _kind(value: object) -> str:
    tree = isinstance(value, TreeDocument) or (isinstance(value, Mapping) and ("all" in value or "any" in value))
    return TREE if tree else REQUIREMENT


Member = Annotated[
    Annotated[TreeDocument, Tag(TREE)] | Annotated[RequirementDocument, Tag(REQUIREMENT)], Discriminator(_kind)
]
TreeDocument.model_rebuild()


class SourceDocument(Document):
    """Where a measure is written: the document with its number, and the clause."""

    document: Text
    clause: Text
    url: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=500)] | None = None


class BenefitDocument(Document):
    """What a measure gives, in words, and in money where it is money."""

    text: LongText
    text_en: OptionalText = ""
    amount_fen: Amount | None = None
    rate_bp: BasisPoints | None = None
    of_fact: (
        Literal["revenue_fen", "rd_spend_fen", "hightech_revenue_fen", "assets_fen", "taxable_income_fen"] | None
    ) = None
    cap_fen: Amount | None = None

    @model_validator(mode="after")
    def _one_kind_of_amount(self) -> Self:
        if (self.rate_bp is None) is not (self.of_fact is None):
            raise ValueError(msg("rate_bp 与 of_fact 须同时填写。请补上另一个，或都删去。"))
        if self.rate_bp is not None and self.amount_fen is not None:
            raise ValueError(msg("定额（amount_fen）与比例（rate_bp）只能填一种。请删去其中之一。"))
        return self


class StackingDocument(Document):
    """The group in which measures limit each other."""

    group: Slug
    mode: Stacking
    cap_fen: Amount | None = None


class MeasureDocument(Document):
    """A policy, a fund or a laboratory. ``valid_to`` is the first day on which it no longer counts."""

    slug: Slug
    kind: Kind
    title: Text
    title_en: Annotated[str, Field(max_length=200)] = ""
    issuer: Text
    region_code: str = ""
    valid_from: date
    valid_to: date | None = None
    source: SourceDocument
    requirements: TreeDocument
    benefit: BenefitDocument
    stacking: StackingDocument | None = None
    offering: Slug | None = None

    @field_validator("region_code")
    @classmethod
    def _region(cls, value: str) -> str:
        return value and _region(value)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError(msg("失效日期须晚于生效日期。请改正。"))
        return self

    def to_rules(self, *, version: int, valid_to: date | None) -> rules.Measure:
        """Return the rules' measure; ``valid_to`` is its end by now."""
        stacking = self.stacking
        return rules.Measure(
            slug=self.slug,
            version=version,
            kind=self.kind,
            region_code=self.region_code,
            valid_from=self.valid_from,
            valid_to=valid_to,
            tree=self.requirements.to_rules(),
            benefit=rules.Benefit(
                self.benefit.amount_fen, self.benefit.rate_bp, self.benefit.of_fact, self.benefit.cap_fen
            ),
            group=rules.Group(stacking.group, stacking.mode, stacking.cap_fen) if stacking else None,
        )


class ProfileDocument(Document):
    """What an enterprise states about itself; nothing is needed, and what is missing is asked for where it matters."""

    founded_on: date | None = None
    staff: Count | None = None
    rd_staff: Count | None = None
    patents: Count | None = None
    invention_patents: Count | None = None
    revenue_fen: Money | None = None
    rd_spend_fen: Money | None = None
    hightech_revenue_fen: Money | None = None
    assets_fen: Money | None = None
    taxable_income_fen: Annotated[int, Field(strict=True, ge=-LARGEST, le=LARGEST)] | None = None
    industry: Annotated[str, Field(max_length=10)] | None = None
    region_code: Annotated[str, Field(max_length=10)] | None = None
    fields: Annotated[list[Text], Field(max_length=len(FIELDS))] | None = None
    qualifications: Annotated[list[Text], Field(max_length=len(QUALIFICATIONS))] | None = None
    restricted: Annotated[bool, Field(strict=True)] | None = None
    on_dishonesty_list: Annotated[bool, Field(strict=True)] | None = None

    @field_validator("industry")
    @classmethod
    def _industry(cls, value: str | None) -> str | None:
        if value is not None and division_of(value) is None:
            raise ValueError(msg("没有代码为 {code} 的行业。请填写 GB/T 4754 的两至四位代码。", code=value))
        return value

    @field_validator("region_code")
    @classmethod
    def _known_region(cls, value: str | None) -> str | None:
        return None if value is None else _region(value)

    @model_validator(mode="after")
    def _parts_within_wholes(self) -> Self:
        for name, codes in (("fields", self.fields), ("qualifications", self.qualifications)):
            _check_codes(name, codes)
        for part, whole in ((*pair,) for pair in (*SHARES.values(), ("invention_patents", "patents"))):
            above, below = getattr(self, part), getattr(self, whole)
            if part != "rd_spend_fen" and above is not None and below is not None and above > below:
                raise ValueError(msg("{part} 不能大于 {whole}。请核对两个数。", part=part, whole=whole))
        return self

    def stated(self) -> dict[str, Value]:
        """Return the facts that are stated, as the rules take them."""
        found: dict[str, Value] = {}
        for name, shape in STATED.items():
            value: Any = getattr(self, name)
            if value is not None:
                found[name] = frozenset(value) if shape == "set" else value
        return found


def _region(code: str) -> str:
    try:
        return check_region(code).code
    except Invalid as problem:
        raise ValueError(problem.message) from problem


def read_measure(given: Mapping[str, Any]) -> MeasureDocument:
    """Return a measure; Invalid ``measure.invalid`` names every wrong field."""
    return read_document(MeasureDocument, given, where="measure", code="measure.invalid")


def read_profile(given: Mapping[str, Any]) -> ProfileDocument:
    """Return a profile; Invalid ``profile.invalid`` names every wrong field."""
    return read_document(ProfileDocument, given, where="profile", code="profile.invalid")
