"""Runs of the engines: how far they are, and what came out."""

from __future__ import annotations

from uuid import UUID

from flask import Response

from marketplace.api.calls import call, noun, read
from marketplace.api.fields import Answer, ById, Document, Moment
from services.usecases import runs as use_cases

runs = noun("runs", "Runs of the engines.")


class Run(Answer):
    """A run: queued, running, succeeded, failed or cancelled; ``progress`` in per cent."""

    id: UUID
    offering: str
    delivery: str
    status: str
    stage: str
    progress: int
    attempts: int
    failure_code: str | None
    failure_detail: str | None
    kpis: Document | None
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    manifest_sha256: str | None


@runs.get("/runs/<id>", **call(Run))
def read_run(path: ById) -> Response:
    """Read how far a run is."""
    return read(Run, lambda work: use_cases.read_run(work, run_id=path.id))
