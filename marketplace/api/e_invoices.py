"""E-invoices (数电票): asking the tax bureau for them, taking in what it issued, what is missing."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import e_invoice_imports, e_invoice_layouts
from billing.usecases import e_invoices as use_cases
from billing.usecases.evidence import Upload
from marketplace.api.artefacts import download, sent_file
from marketplace.api.calls import call, command, file_body, noun, read, show
from marketplace.api.fields import (
    Amount,
    Answer,
    Body,
    Document,
    Idempotent,
    Moment,
    Parameters,
    PathParameters,
    Period,
)
from marketplace.doors.identity import bearer_actor, working
from marketplace.doors.language import reader_language
from marketplace.doors.requests import takes_files
from marketplace.doors.texts import translate
from marketplace.formats.e_invoice_tables import request_book, request_csv
from marketplace.formats.tables import CSV, XLSX
from tenants.kernel.messages import Message
from tenants.kernel.work import Work

e_invoices = noun("e_invoices", "E-invoices of the tax bureau.")


class Layout(Answer):
    """The columns of an issuing request; ``set_at`` is null for the default that nobody has adapted."""

    layout: Document
    set_by: UUID | None
    set_at: Moment | None


class NewLayout(Body):
    """The columns: ``invoice`` and ``lines`` are lists of a ``heading`` with a ``source`` or a fixed ``text``; ``tax_codes``
    gives each offering's 19 digits, under the empty name those of all others.
    """

    layout: Document


class Wish(Body):
    """Which invoices, as what."""

    invoice_ids: Annotated[list[UUID], Field(min_length=1, max_length=use_cases.MOST)]
    format: Literal["xlsx", "csv"] = "xlsx"


class Question(Parameters):
    """The month."""

    period: Period


class UploadName(Parameters):
    """The file's name, when the body is the file itself."""

    name: str | None = Field(None, max_length=200)


class ByNumber(PathParameters):
    """A path with an e-invoice's number."""

    number: Annotated[str, Field(pattern=r"^[0-9]{20}$")]


class Issued(Answer):
    """An e-invoice; a red one has negative amounts and names the blue one that it takes back."""

    number: str
    document_no: str
    blue_number: str | None
    issued_on: date
    gross_fen: Amount
    vat_fen: Amount
    imported_at: Moment


class EInvoiceRow(Answer):
    """An invoice with its e-invoices; ``status`` is ``missing``, ``requested`` or ``issued``."""

    invoice_id: UUID
    number: str
    park_id: UUID
    park_name: str
    period: str
    gross_fen: Amount
    vat_fen: Amount
    status: str
    requested_at: Moment | None
    issued: list[Issued]
    red_missing: list[str] = Field(description="Credit notes that no red e-invoice is there for")


class EInvoices(Answer):
    """A month's invoices."""

    items: list[EInvoiceRow]
    next_cursor: str | None = None


class ImportedEInvoice(Answer):
    """What became of a file: ``recorded``, ``known`` or ``refused`` with a code and the reason."""

    name: str
    outcome: str
    number: str | None
    document_no: str | None
    code: str | None
    reason: str | None


class ImportedEInvoices(Answer):
    """What became of each file."""

    items: list[ImportedEInvoice]


XML: dict[str, Any] = file_body("application/xml", "application/zip", "application/octet-stream")


@e_invoices.get("/e-invoices", **call(EInvoices))
def list_e_invoices(query: Question) -> Response:
    """List a month's invoices with what is issued for them."""
    with working() as work:
        found = use_cases.list_e_invoices(work, period=query.period)
        return show(EInvoices(items=[EInvoiceRow.of(each) for each in found]))


@e_invoices.post("/e-invoices/requests", **call(files=[XLSX, CSV]))
def request_e_invoices(body: Wish) -> Response:
    """Write the issuing request of some invoices. Asking again gives the same request."""
    with working() as work:
        sheets = use_cases.request_e_invoices(work, invoice_ids=body.invoice_ids)
        made_at = work.now
    if body.format == "csv":
        return download("e-invoice-request.csv", CSV, request_csv(sheets))
    return download("e-invoice-request.xlsx", XLSX, request_book(sheets, made_at))


@e_invoices.post("/e-invoices/imports", **call(ImportedEInvoices), **XML)
@takes_files
def import_e_invoices(query: UploadName, header: Idempotent) -> Response:
    """Take in an issued e-invoice's XML, or a zip of them: in a form, or as the body with its name in ?name=."""
    bearer_actor()
    sent = sent_file()
    file = Upload(query.name or sent.name, sent.media_type, sent.content)

    def take(work: Work) -> ImportedEInvoices:
        found = e_invoice_imports.import_e_invoices(work, files=[file])
        return ImportedEInvoices(items=[_said(each) for each in found])

    return command("e_invoice.import", header, None, take, about={"sha256": sent.sha256})


@e_invoices.get("/e-invoices/layout", **call(Layout))
def read_layout() -> Response:
    """Read the columns of an issuing request."""
    return read(Layout, e_invoice_layouts.read_layout)


@e_invoices.post("/e-invoices/layout", **call(Layout))
def set_layout(body: NewLayout, header: Idempotent) -> Response:
    """Adapt the columns of an issuing request."""
    return command(
        "e_invoice.layout",
        header,
        body,
        lambda work: Layout.of(e_invoice_layouts.set_layout(work, layout=body.layout)),
    )


@e_invoices.get("/e-invoices/<number>.xml", **call(files=["application/xml"]))
def open_e_invoice(path: ByNumber) -> Response:
    """Download an e-invoice's file as it came."""
    with working() as work:
        found = use_cases.open_e_invoice(work, number=path.number)
    return download(f"{path.number}.xml", "application/xml", found.content, sha256=found.view.sha256)


def _said(file: e_invoice_imports.ImportedFile) -> ImportedEInvoice:
    reason = translate(file.reason, reader_language()) if isinstance(file.reason, Message) else file.reason
    return ImportedEInvoice(
        name=file.name,
        outcome=file.outcome,
        number=file.number,
        document_no=file.document_no,
        code=file.code,
        reason=reason,
    )
