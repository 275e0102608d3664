"""Policies, funds and laboratories, and which of them fit an enterprise. Nothing of a profile is kept."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, noun, read, show
from marketplace.api.fields import Amount, Answer, Body, Document, Moment, PathParameters
from marketplace.doors.identity import working
from marketplace.doors.language import reader_language
from marketplace.doors.measure_words import finding_words
from marketplace.doors.texts import translate
from services.rules.matching import Finding, Outcome, Verdict
from services.usecases import measures as use_cases

measures = noun("measures", "Policies, funds and laboratories, and which of them fit an enterprise.")


class MeasurePath(PathParameters):
    """A measure's slug."""

    slug: str = Field(max_length=64)


class NewMeasure(Body):
    """A measure, or the next version of one that is known by its slug."""

    measure: Document = Field(
        description="slug, kind (policy, fund, laboratory), title, issuer, region_code, valid_from, valid_to, source"
        " (document, clause), requirements (all/any of {fact, is, value, clause}), benefit, stacking"
    )


class End(Body):
    """When a measure ends."""

    on: date = Field(description="The first day on which it no longer counts; today or later")


class Measure(Answer):
    """A measure in its newest version."""

    version: int
    valid_to: date | None
    created_at: Moment
    measure: dict[str, Any]

    @classmethod
    def of(cls, view: object) -> Measure:
        """Return the answer that shows ``view``, a MeasureView."""
        assert isinstance(view, use_cases.MeasureView)  # noqa: S101 - for the type checker
        return cls(
            version=view.version,
            valid_to=view.valid_to,
            created_at=view.created_at,
            measure=view.document.model_dump(mode="json", by_alias=True, exclude_none=True),
        )


class Measures(Answer):
    """All measures, by kind and slug."""

    items: list[Measure]
    next_cursor: None = None


class Profile(Body):
    """An enterprise, and the day it asks for; today without one."""

    profile: Document = Field(
        description="founded_on, staff, rd_staff, patents, invention_patents, revenue_fen, rd_spend_fen,"
        " hightech_revenue_fen, assets_fen, taxable_income_fen, industry (GB/T 4754), region_code (GB/T 2260), fields,"
        " qualifications, restricted, on_dishonesty_list; all may be left out"
    )
    on: date | None = None


class Condition(Answer):
    """A requirement, and what it comes to. ``text`` is in the caller's language."""

    fact: str
    comparison: str
    outcome: Outcome
    missing: list[str]
    clause: str
    text: str


class MatchAnswer(Answer):
    """A measure and what it comes to for the enterprise: 匹配 match, 待补 incomplete, 不符 no."""

    slug: str
    version: int
    kind: str
    title: str
    title_en: str
    issuer: str
    source_document: str
    source_clause: str
    verdict: Verdict
    missing: list[str]
    reasons: list[Condition] = Field(description="What makes the verdict")
    conditions: list[Condition] = Field(description="Every requirement")
    benefit: str
    benefit_en: str
    amount_fen: Amount | None = Field(description="What it is worth by itself; null where that is no amount")
    counted_fen: Amount | None = Field(description="What it adds to the sum after stacking; null for nothing")
    cut_by: str | None = Field(description="The measure of its group that comes before it, or cap")
    offering: str | None
    opens_on: date | None


class Matches(Answer):
    """What fits, what lacks a fact and what does not fit, in that order; ``missing`` is what would decide most first."""

    on: date
    total_fen: Amount
    missing: list[str]
    matches: list[MatchAnswer]


@measures.get("/measures", **call(Measures))
def list_measures() -> Response:
    """List the measures in their newest versions."""
    with working() as work:
        return show(Measures(items=[Measure.of(each) for each in use_cases.list_measures(work)]))


@measures.post("/measures", **call(Measure, status=201))
def save_measure(body: NewMeasure) -> Response:
    """Lay down a measure, or its next version, which ends the one before it."""
    with working() as work:
        return show(Measure.of(use_cases.save_measure(work, measure=body.measure)), 201)


@measures.get("/measures/<slug>", **call(Measure))
def read_measure(path: MeasurePath) -> Response:
    """Read a measure's newest version."""
    return read(Measure, lambda work: use_cases.read_measure_view(work, slug=path.slug))


@measures.post("/measures/<slug>/end", **call(Measure))
def end_measure(path: MeasurePath, body: End) -> Response:
    """End a measure: from a day on it no longer counts."""
    with working() as work:
        return show(Measure.of(use_cases.end_measure(work, slug=path.slug, on=body.on)))


@measures.post("/matches", **call(Matches))
def match_enterprise(body: Profile) -> Response:
    """Hold an enterprise's profile against all measures. Nothing of it is kept."""
    with working() as work:
        report = use_cases.match_enterprise(work, profile=body.profile, on=body.on)
    return show(
        Matches(
            on=report.on,
            total_fen=report.total_fen,
            missing=list(report.missing),
            matches=[_match(each) for each in report.matches],
        )
    )


def _match(view: use_cases.MatchView) -> MatchAnswer:
    document, found = view.measure.document, view.match
    return MatchAnswer(
        slug=document.slug,
        version=view.measure.version,
        kind=document.kind,
        title=document.title,
        title_en=document.title_en or document.title,
        issuer=document.issuer,
        source_document=document.source.document,
        source_clause=document.source.clause,
        verdict=found.verdict,
        missing=list(found.missing),
        reasons=[_condition(each) for each in found.decisive],
        conditions=[_condition(each) for each in found.findings],
        benefit=document.benefit.text,
        benefit_en=document.benefit.text_en or document.benefit.text,
        amount_fen=found.amount_fen,
        counted_fen=view.share.counted_fen if view.share else None,
        cut_by=view.share.cut_by if view.share else None,
        offering=document.offering,
        opens_on=found.opens_on,
    )


def _condition(finding: Finding) -> Condition:
    asked = finding.requirement
    return Condition(
        fact=asked.fact,
        comparison=asked.test,
        outcome=finding.outcome,
        missing=list(finding.missing),
        clause=asked.clause,
        text=translate(finding_words(finding), reader_language()),
    )
