"""Estimates of twin runs, and the schema of what they are asked."""

from __future__ import annotations

import json
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, noun, show
from marketplace.api.fields import Amount, Answer, Body, Document, Slug
from marketplace.doors.identity import working
from marketplace.doors.language import reader_language
from marketplace.doors.service_names import know_services
from marketplace.doors.texts import translate
from marketplace.usecases import estimates as use_cases
from services.usecases.twin_schema import park_json_schema

twin_estimates = noun("twin_estimates", "What a twin run takes and costs, before it is ordered.")


class TwinEstimateWish(Body):
    """A run as it would be ordered."""

    offering: Slug
    request: Document = Field(description="As in an order's line: demo, park (a park.json), or artefact_id with site")


class TwinInputFault(Answer):
    """One thing that is wrong; row and column where it is in a file."""

    field: str
    row: int | None
    column: str | None
    code: str
    message: str


class TwinEstimate(Answer):
    """Valid or every error; steps, CPU seconds and price. Nothing is kept, and nothing is charged."""

    valid: bool
    errors: list[TwinInputFault]
    steps: int | None
    step_minutes: int | None
    cpu_seconds: float | None
    annual_kwh: float | None
    climate_estimated: bool
    notes: list[str]
    list_price_fen: Amount | None
    subsidy_fen: Amount | None
    payable_fen: Amount | None
    identical_run_id: UUID | None = Field(description="A finished run with the same input: its files cost nothing")


@twin_estimates.post("/twin-estimates", **call(TwinEstimate))
def estimate_twin(body: TwinEstimateWish) -> Response:
    """Check a run's input and say what it would take and cost."""
    with working() as work:
        know_services(work)
        found = use_cases.estimate_twin(work, offering=body.offering, request=body.request)
    run, price, line = found.run, found.item.price, found.item.line
    return show(
        TwinEstimate(
            valid=run.valid,
            errors=[
                TwinInputFault(**{**vars(each), "message": translate(each.message, reader_language())})
                for each in run.errors
            ],
            steps=run.steps,
            step_minutes=run.step_minutes,
            cpu_seconds=run.cpu_seconds,
            annual_kwh=run.annual_kwh,
            climate_estimated=run.climate_estimated,
            notes=list(run.notes),
            list_price_fen=None if price is None else price.gross_fen(1),
            subsidy_fen=None if line is None else line.subsidy_fen,
            payable_fen=None if line is None else line.payable_fen,
            identical_run_id=run.identical_run_id,
        )
    )


@twin_estimates.get("/schemas/park-2.json", **call(files=["application/schema+json"], open_to_all=True))
def park_schema() -> Response:
    """Read the JSON Schema (2020-12) of park.json, as the platform checks it."""
    text = json.dumps(park_json_schema(), ensure_ascii=False, indent=1)
    return Response(text, mimetype="application/schema+json")
