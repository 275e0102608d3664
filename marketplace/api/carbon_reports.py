"""Yearly greenhouse gas reports of a site, and its paths to a target."""

from __future__ import annotations

from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.carbon_records import YearQuery
from marketplace.api.fields import Answer, Body, ById, Document, Idempotent, Moment, Quantity
from marketplace.doors.identity import working
from services.usecases import carbon_paths
from services.usecases import carbon_reports as use_cases

carbon_reports = noun("carbon_reports", "Yearly reports by GB/T 32150, and paths to a target.")


class NewReport(Body):
    """Which year."""

    year: int = Field(ge=2000, le=2100, strict=True)


class ReportFile(Answer):
    """A file; its bytes are at GET /artefacts/{id}."""

    id: UUID
    name: str
    media_type: str
    size_bytes: int
    sha256: str


class CarbonReport(Answer):
    """A report as it was made; the manifest's hash proves all files."""

    id: UUID
    site_id: UUID
    year: int
    location_grams: int
    market_grams: int
    records: int
    manifest_sha256: str
    created_at: Moment
    files: list[ReportFile]


class CarbonReports(Answer):
    """A site's reports, the latest first."""

    items: list[CarbonReport]
    next_cursor: str | None = None


class NewPlan(Body):
    """The wish for a path: base_year, target_year, remaining_percent, even_steps, discount_percent, measures."""

    plan: Document


class CarbonPlan(Answer):
    """A plan. Tonnes and yuan in ``result`` are decimal strings."""

    id: UUID
    site_id: UUID
    base_year: int
    target_year: int
    request: Document
    result: Document
    created_at: Moment


class CarbonPlans(Answer):
    """A site's plans, the latest first."""

    items: list[CarbonPlan]
    next_cursor: str | None = None


class PlanFuel(Answer):
    """A fuel of the base year: its amount in base units and kg CO2e for each."""

    item: str
    quantity: Quantity
    kg: Quantity


class PlanSuggestion(Answer):
    """A measure that the park's twin has worked out, as a plan takes it."""

    run_id: UUID
    finished_at: Moment
    measure: Document


class PlanBasis(Answer):
    """What measures can save of the base year, market-based."""

    year: int
    grams: int
    uncovered_kwh: Quantity
    kg_per_kwh: Quantity
    fuels: list[PlanFuel]
    suggestions: list[PlanSuggestion]


@carbon_reports.get("/sites/<id>/carbon/reports", **call(CarbonReports))
def list_carbon_reports(path: ById) -> Response:
    """List a site's reports."""
    with working() as work:
        found = use_cases.list_reports(work, site_id=path.id)
        return show(CarbonReports(items=[CarbonReport.of(each) for each in found]))


@carbon_reports.post("/sites/<id>/carbon/reports", **call(CarbonReport, status=201))
def make_carbon_report(path: ById, body: NewReport, header: Idempotent) -> Response:
    """Make a year's report: PDF, workbook, records, evidence hashes, manifest."""
    return command(
        "carbon.report",
        header,
        body,
        lambda work: CarbonReport.of(use_cases.make_report(work, site_id=path.id, year=body.year)),
        status=201,
        about={"id": str(path.id)},
    )


@carbon_reports.get("/carbon/reports/<id>", **call(CarbonReport))
def read_carbon_report(path: ById) -> Response:
    """Read a report."""
    return read(CarbonReport, lambda work: use_cases.read_report(work, report_id=path.id))


@carbon_reports.get("/sites/<id>/carbon/plan-basis", **call(PlanBasis))
def read_plan_basis(path: ById, query: YearQuery) -> Response:
    """Read what a plan of a base year can be made of."""
    with working() as work:
        found = carbon_paths.read_basis(work, site_id=path.id, year=query.year)
    base = found.baseline
    return show(
        PlanBasis(
            year=base.year,
            grams=base.grams,
            uncovered_kwh=base.uncovered_kwh,
            kg_per_kwh=base.kg_per_kwh,
            fuels=[PlanFuel(item=item, quantity=amount, kg=kg) for item, (amount, kg) in base.fuels.items()],
            suggestions=[PlanSuggestion.of(each) for each in found.suggestions],
        )
    )


@carbon_reports.get("/sites/<id>/carbon/plans", **call(CarbonPlans))
def list_carbon_plans(path: ById) -> Response:
    """List a site's plans."""
    with working() as work:
        found = carbon_paths.list_plans(work, site_id=path.id)
        return show(CarbonPlans(items=[CarbonPlan.of(each) for each in found]))


@carbon_reports.post("/sites/<id>/carbon/plans", **call(CarbonPlan, status=201))
def make_carbon_plan(path: ById, body: NewPlan, header: Idempotent) -> Response:
    """Find the cheapest path to a target by a year; offsets come last, and what is left is named."""
    return command(
        "carbon.plan",
        header,
        body,
        lambda work: CarbonPlan.of(carbon_paths.make_plan(work, site_id=path.id, plan=body.plan)),
        status=201,
        about={"id": str(path.id)},
    )


@carbon_reports.get("/carbon/plans/<id>", **call(CarbonPlan))
def read_carbon_plan(path: ById) -> Response:
    """Read a plan."""
    return read(CarbonPlan, lambda work: carbon_paths.read_plan_view(work, plan_id=path.id))
