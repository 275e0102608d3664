"""Editions of the ranking model of leads (operators): a new fit, its card, and putting an earlier one back."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Moment
from marketplace.doors.identity import working
from services.rules.lead_editions import EditionStatus, EditionStep, Refusal
from services.usecases import lead_editions

lead_models = noun("lead_models", "Editions of the model that ranks leads, with their cards and scores.")


class LeadModel(Answer):
    """An edition. ``card``: data windows, counts, features, scores beside the heuristic and the edition in force, libraries,
    seed and hash; null before the fit has ended. ``refusal`` says why it was not put in force.
    """

    id: UUID
    number: int
    status: EditionStatus
    stage: str
    progress: int
    asked_by: UUID | None
    asked_at: Moment
    finished_at: Moment | None
    card: dict[str, Any] | None
    sha256: str | None
    refusal: Refusal | None
    follows_id: UUID | None


class LeadModelStep(Answer):
    """Something that happened to an edition; ``by`` is null where the platform did it by its rules."""

    number: int
    step: EditionStep
    at: Moment
    by: UUID | None
    reason: str
    scores: dict[str, Any] | None


class LeadModelReport(Answer):
    """An edition and what happened to it, the newest first."""

    edition: LeadModel
    steps: list[LeadModelStep]


class LeadModels(Answer):
    """Editions, the newest first; a hundred at most."""

    items: list[LeadModel]


class PutBack(Body):
    """Why an earlier edition is put back."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


@lead_models.get("/lead-models", **call(LeadModels))
def list_lead_models() -> Response:
    """List the editions."""
    with working() as work:
        return show(LeadModels(items=[LeadModel.of(each) for each in lead_editions.list_editions(work)]))


@lead_models.post("/lead-models", **call(LeadModel, status=201))
def refit_lead_model(header: Idempotent) -> Response:
    """Let a worker fit a new edition; it is put in force only where it ranks no worse on what it has not seen."""
    return command(
        "lead_models.refit", header, None, lambda work: LeadModel.of(lead_editions.start_refit(work)), status=201
    )


@lead_models.get("/lead-models/<id>", **call(LeadModelReport))
def read_lead_model(path: ById) -> Response:
    """Read an edition's card, and what happened to it."""
    return read(LeadModelReport, lambda work: lead_editions.read_edition(work, edition_id=path.id))


@lead_models.post("/lead-models/<id>/put-back", **call(LeadModel))
def put_lead_model_back(path: ById, body: PutBack, header: Idempotent) -> Response:
    """Put an edition in force again that was so before."""
    return command(
        "lead_models.put_back",
        header,
        body,
        lambda work: LeadModel.of(lead_editions.put_back(work, edition_id=path.id, reason=body.reason)),
        about={"id": str(path.id)},
    )
