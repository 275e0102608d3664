"""The operator's company registry: files of companies and of their expansions, imported by workers."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, file_body, noun, read, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Moment, Name, Paged, Parameters
from marketplace.doors.files import written
from marketplace.doors.identity import bearer_actor, working
from marketplace.doors.requests import takes_files
from marketplace.doors.uploads import uploaded_file
from marketplace.formats.quarantine import write_quarantine
from marketplace.formats.tables import CSV, XLSX
from services.rules.company_imports import ImportKind, ImportStatus
from services.usecases import company_imports as use_cases
from services.usecases import company_withdrawals

company_imports = noun("company_imports", "Files of companies and of their dated expansions, and how far each is.")


class CompanyImport(Answer):
    """An import: how far it is, and what it found. Nothing of it counts before it is done.

    ``reasons`` counts refused rows and ``warned`` taken ones by code, ``warnings`` are about the whole file.
    """

    id: UUID
    kind: ImportKind
    name: str
    licence: str
    as_of: date
    file_name: str
    sha256: str
    size_bytes: int
    status: ImportStatus
    rows_total: int
    rows_done: int
    rows_accepted: int
    rows_refused: int
    rows_merged: int = Field(description="Companies or expansions that were written: neither repeated nor older")
    reasons: dict[str, int]
    warned: dict[str, int]
    warnings: list[str]
    dropped_columns: list[str] = Field(description="Columns about natural persons: they were not read")
    namesakes: int = Field(description="Names that stand for several codes in one region")
    failure_code: str | None
    imported_by: UUID | None
    imported_at: Moment
    finished_at: Moment | None


class SetAsideRow(Answer):
    """A row of the file, numbered from 1, that was set aside, without natural persons' data."""

    row: int
    reason: str
    cells: dict[str, str]


class CompanyNamesakes(Answer):
    """A name that stands for several codes in one region; the first five codes."""

    name: str
    region_code: str
    codes: list[str]


class CompanyWithdrawal(Answer):
    """Why a source counts no more, and how many of its rows have left the registry (``rows_done`` of ``rows_total``).

    ``rows_kept``: companies and expansions that another source tells of, too; they stay as that one tells them.
    """

    reason: str
    withdrawn_by: UUID
    withdrawn_at: Moment
    rows_total: int
    rows_done: int
    rows_kept: int
    finished_at: Moment | None


class WithdrawalWish(Body):
    """Why a source is withdrawn; parks are told whose lists stand on it."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class CompanyImportReport(Answer):
    """An import, the first hundred rows that it set aside, and the first hundred names that several codes have."""

    source: CompanyImport
    refused: list[SetAsideRow]
    namesakes: list[CompanyNamesakes]
    withdrawal: CompanyWithdrawal | None


class CompanyImports(Answer):
    """Imports, the newest first."""

    items: list[CompanyImport]
    next_cursor: str | None


class CompanyImportsQuery(Paged):
    """Which imports."""

    kind: ImportKind | None = None


class CompanyImportQuery(Parameters):
    """What the file is, and where it comes from."""

    kind: ImportKind = ImportKind.COMPANIES
    name: Name
    licence: Name
    as_of: date = Field(description="The day of rows that give none")
    file_name: str = Field("", max_length=200, description="When the body is the file itself")


FILE: dict[str, Any] = file_body(CSV, XLSX)


@company_imports.get("/company-imports", **call(CompanyImports))
def list_company_imports(query: CompanyImportsQuery) -> Response:
    """List imports; those done are the sources of the registry."""
    return read(
        CompanyImports,
        lambda work: use_cases.list_imports(work, kind=query.kind, limit=query.limit, cursor=query.cursor),
    )


@company_imports.post("/company-imports", **call(CompanyImport, status=201), **FILE)
@takes_files
def start_company_import(query: CompanyImportQuery) -> Response:
    """Bring a CSV or XLSX file in; a worker imports it. Columns about natural persons are dropped before it is kept."""
    bearer_actor()
    with uploaded_file() as sent, working() as work:
        made = use_cases.start_import(
            work,
            kind=query.kind,
            name=query.name,
            licence=query.licence,
            as_of=query.as_of,
            file_name=sent.name,
            path=sent.path,
        )
        return show(CompanyImport.of(made), 201)


@company_imports.get("/company-imports/<id>", **call(CompanyImportReport))
def read_company_import(path: ById) -> Response:
    """Read how far an import is, and its report."""
    return read(CompanyImportReport, lambda work: use_cases.read_import(work, source_id=path.id))


@company_imports.post("/company-imports/<id>/cancellation", **call(CompanyImport))
def cancel_company_import(path: ById, header: Idempotent) -> Response:
    """Stop an import that is not merged yet: nothing of it counts."""
    return command(
        "company_imports.cancel",
        header,
        None,
        lambda work: CompanyImport.of(use_cases.cancel_import(work, source_id=path.id)),
        about={"id": str(path.id)},
    )


@company_imports.post("/company-imports/<id>/withdrawal", **call(CompanyWithdrawal))
def withdraw_company_source(path: ById, body: WithdrawalWish, header: Idempotent) -> Response:
    """Withdraw an imported source: no new list uses its rows, and a worker takes them out of the registry.

    Where another source tells of a company or an expansion, too, that counts. Lists delivered before stay, and say so.
    """
    return command(
        "company_imports.withdraw",
        header,
        body,
        lambda work: CompanyWithdrawal.of(
            company_withdrawals.withdraw_source(work, source_id=path.id, reason=body.reason)
        ),
        about={"id": str(path.id)},
    )


@company_imports.get("/company-imports/<id>/quarantine", **call(files=[CSV]))
def download_quarantine(path: ById) -> Response:
    """Download the rows that an import set aside, without natural persons' data, as CSV: mended, it may be imported."""
    return written(
        bearer_actor(),
        f"quarantine-{path.id}.csv",
        CSV,
        lambda work, target: write_quarantine(use_cases.refused_rows(work, source_id=path.id), target),
    )
