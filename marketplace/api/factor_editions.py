"""Editions of emission factors: built in, or imported by one operator and published by another."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.artefacts import sent_file
from marketplace.api.calls import call, command, file_body, noun, show
from marketplace.api.fields import Answer, Body, Idempotent, Moment, Parameters, PathParameters, Quantity
from marketplace.doors.identity import bearer_actor, working
from marketplace.doors.requests import takes_files
from services.usecases import carbon_factors as use_cases

factor_editions = noun("factor_editions", "Emission factors with edition, year and source.")


class FactorAnswer(Answer):
    """A factor: kg of CO2e per base unit."""

    item: str
    region: str
    kg: Quantity
    base: str
    year: int
    source: str


class FactorEdition(Answer):
    """An edition: built_in, draft, published or refused."""

    code: str
    name: str
    status: str
    factors: list[FactorAnswer]
    sha256: str | None
    imported_by: UUID | None
    imported_at: Moment | None
    decided_at: Moment | None


class FactorEditions(Answer):
    """Editions, built-in ones first."""

    items: list[FactorEdition]
    next_cursor: str | None = None


class EditionQuery(Parameters):
    """What people call it."""

    name: str = Field(min_length=1, max_length=200)


class EditionPath(PathParameters):
    """An edition's code."""

    code: str = Field(max_length=64)


class EditionDecision(Body):
    """What becomes of a draft."""

    decision: Literal["published", "refused"]


@factor_editions.get("/factor-editions", **call(FactorEditions))
def list_factor_editions() -> Response:
    """List the editions that may be used; operators see drafts too."""
    with working() as work:
        return show(FactorEditions(items=[FactorEdition.of(each) for each in use_cases.list_editions(work)]))


@factor_editions.post("/factor-editions", **call(FactorEdition, status=201), **file_body("text/csv"))
@takes_files
def import_factor_edition(query: EditionQuery) -> Response:
    """Bring an edition as a CSV file; somebody else publishes it."""
    bearer_actor()
    sent = sent_file()
    with working() as work:
        return show(FactorEdition.of(use_cases.import_edition(work, name=query.name, content=sent.content)), 201)


@factor_editions.post("/factor-editions/<code>/decision", **call(FactorEdition))
def decide_factor_edition(path: EditionPath, body: EditionDecision, header: Idempotent) -> Response:
    """Publish or refuse a draft, as another person than who brought it."""
    return command(
        "factors.decide",
        header,
        body,
        lambda work: FactorEdition.of(use_cases.decide_edition(work, code=path.code, decision=body.decision)),
        about={"code": path.code},
    )
