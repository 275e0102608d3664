"""Drafts of invoices, and the run that issues them: what would be billed now, and how far the month's run is."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import invoice_drafts, invoice_settings
from billing.usecases import invoice_runs as use_cases
from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import (
    Amount,
    Answer,
    Body,
    ById,
    Fen,
    Idempotent,
    Moment,
    Parameters,
    PathParameters,
    Period,
)
from marketplace.api.invoices import InvoiceLine
from marketplace.doors.identity import working

invoice_runs = noun("invoice_runs", "What would be billed now, and the run that bills it.")


class InvoiceDraft(Answer):
    """What a park would be invoiced now. Until ``grace_ends_at`` late use of the month is waited for."""

    park_id: UUID
    park_name: str
    period: str
    line_count: int
    gross_fen: Amount
    subsidy_fen: Amount
    discount_fen: Amount
    payable_fen: Amount
    vat_fen: Amount
    paid_fen: Amount
    grace_ends_at: Moment
    grace_is_over: bool


class InvoiceDrafts(Answer):
    """Drafts, by the parks' names."""

    items: list[InvoiceDraft]
    next_cursor: str | None = None


class InvoiceDraftWithLines(InvoiceDraft):
    """A draft with its lines."""

    lines: list[InvoiceLine]
    expected_minimum_fen: Amount = Field(
        description="What the month falls short of the plan's minimum so far; charged when the month is settled"
    )


class DraftMonth(Parameters):
    """The month."""

    period: Period


class DraftPath(PathParameters):
    """A park's draft of a month."""

    park_id: UUID
    period: Period


class InvoiceRunWish(Body):
    """The month whose invoices are issued to all parks."""

    period: Period
    before_grace_ends: bool = Field(False, description="true: do not wait for late use; it stands on the next invoice")


class InvoiceRun(Answer):
    """A run, and how many parks have their invoice from it so far."""

    id: UUID
    period: str
    status: str
    parks_total: int
    parks_done: int
    asked_by: UUID | None
    asked_at: Moment
    finished_at: Moment | None


class InvoiceRuns(Answer):
    """Runs, newest first."""

    items: list[InvoiceRun]
    next_cursor: str | None = None


class InvoiceSettings(Answer):
    """Days that late use is waited for, and the largest credit note that one person may issue."""

    legal_entity: str
    name: str
    grace_days: int
    alone_up_to_fen: Amount
    discount_alone_bp: int = Field(description="The largest share that one person may grant a park as a discount")


class InvoiceSettingsWish(Body):
    """New settings."""

    grace_days: Annotated[int, Field(strict=True, ge=0, le=invoice_settings.MOST_GRACE_DAYS)]
    alone_up_to_fen: Fen
    discount_alone_bp: Annotated[int, Field(strict=True, ge=0, le=10_000)] | None = None


@invoice_runs.get("/invoice-drafts", **call(InvoiceDrafts))
def list_invoice_drafts(query: DraftMonth) -> Response:
    """List what would be invoiced now. Nothing of it is stored."""
    with working() as work:
        found = invoice_drafts.list_drafts(work, period=query.period)
        return show(InvoiceDrafts(items=[InvoiceDraft.of(each) for each in found]))


@invoice_runs.get("/invoice-drafts/<period>/<park_id>", **call(InvoiceDraftWithLines))
def read_invoice_draft(path: DraftPath) -> Response:
    """Read what a park would be invoiced now, line by line."""
    return read(
        InvoiceDraftWithLines, lambda work: invoice_drafts.read_draft(work, period=path.period, park_id=path.park_id)
    )


@invoice_runs.post("/invoice-runs", **call(InvoiceRun, status=202))
def start_invoice_run(body: InvoiceRunWish, header: Idempotent) -> Response:
    """Issue a month's invoices to all parks, as a job. A month has one run at a time."""
    return command(
        "invoice.run",
        header,
        body,
        lambda work: InvoiceRun.of(
            use_cases.start_run(work, period=body.period, before_grace_ends=body.before_grace_ends)
        ),
        status=202,
    )


@invoice_runs.get("/invoice-runs", **call(InvoiceRuns))
def list_invoice_runs() -> Response:
    """List the runs, newest first."""
    with working() as work:
        return show(InvoiceRuns(items=[InvoiceRun.of(each) for each in use_cases.list_runs(work)]))


@invoice_runs.get("/invoice-runs/<id>", **call(InvoiceRun))
def read_invoice_run(path: ById) -> Response:
    """Read a run as far as it is."""
    return read(InvoiceRun, lambda work: use_cases.read_run(work, run_id=path.id))


@invoice_runs.get("/invoice-settings", **call(InvoiceSettings))
def read_invoice_settings() -> Response:
    """Read the settings of invoices."""
    return read(InvoiceSettings, invoice_settings.read_invoice_settings)


@invoice_runs.post("/invoice-settings", **call(InvoiceSettings))
def change_invoice_settings(body: InvoiceSettingsWish, header: Idempotent) -> Response:
    """Change the settings of invoices."""
    return command(
        "invoice.configure",
        header,
        body,
        lambda work: InvoiceSettings.of(invoice_settings.change_invoice_settings(work, **body.model_dump())),
    )
