"""Batches of invoices: many as one zip."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.artefacts import download
from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Moment, Period
from marketplace.doors.identity import working
from marketplace.usecases import invoice_batches as use_cases

invoice_batches = noun("invoice_batches", "Many invoices as one file.")


class NewBatch(Body):
    """Which invoices, as what."""

    kind: Literal["pdf", "xlsx"]
    first_period: Period
    last_period: Period | None = Field(None, description="The last month, included; without it only the first one")
    park_id: UUID | None = Field(None, description="For staff: one park's invoices")


class InvoiceBatch(Answer):
    """A batch; ``done`` of ``total`` invoices are made. ``sha256`` is the hash of the zip of a finished one."""

    id: UUID
    park_id: UUID | None
    kind: str
    first_period: str
    last_period: str
    status: str
    total: int
    done: int
    requested_by: UUID | None
    requested_at: Moment
    finished_at: Moment | None
    sha256: str | None
    size_bytes: int | None


class InvoiceBatches(Answer):
    """The newest batches."""

    items: list[InvoiceBatch]
    next_cursor: str | None = None


@invoice_batches.post("/invoice-batches", **call(InvoiceBatch, status=202))
def request_invoice_batch(body: NewBatch, header: Idempotent) -> Response:
    """Ask for some months' invoices as one zip: a job makes them."""
    return command(
        "invoice_batch.request",
        header,
        body,
        lambda work: InvoiceBatch.of(use_cases.request_batch(work, **body.model_dump())),
        status=202,
    )


@invoice_batches.get("/invoice-batches", **call(InvoiceBatches))
def list_invoice_batches() -> Response:
    """List the newest batches."""
    with working() as work:
        found = use_cases.list_batches(work, limit=50)
        return show(InvoiceBatches(items=[InvoiceBatch.of(each) for each in found]))


@invoice_batches.get("/invoice-batches/<id>", **call(InvoiceBatch))
def read_invoice_batch(path: ById) -> Response:
    """Read how far a batch is."""
    return read(InvoiceBatch, lambda work: use_cases.read_batch(work, batch_id=path.id))


@invoice_batches.get("/invoice-batches/<id>.zip", **call(files=["application/zip"]))
def open_invoice_batch(path: ById) -> Response:
    """Download a finished batch."""
    with working() as work:
        found, content = use_cases.open_batch(work, batch_id=path.id)
    return download(found.file_name, "application/zip", content, sha256=found.sha256)


@invoice_batches.post("/invoice-batches/<id>/cancel", **call(InvoiceBatch))
def cancel_invoice_batch(path: ById, header: Idempotent) -> Response:
    """Stop a batch that is being made."""
    return command(
        "invoice_batch.cancel",
        header,
        None,
        lambda work: InvoiceBatch.of(use_cases.cancel_batch(work, batch_id=path.id)),
        about={"id": str(path.id)},
    )
