"""Tables that positionings stand on: input–output tables, and what industries need."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.artefacts import sent_file
from marketplace.api.calls import call, command, file_body, noun, show
from marketplace.api.fields import Answer, ById, Idempotent, Moment, Parameters
from marketplace.doors.identity import bearer_actor, working
from marketplace.doors.requests import takes_files
from services.usecases import reference_tables as use_cases

reference_tables = noun("reference_tables", "Input–output tables and industries' needs, which positionings stand on.")


class ReferenceTable(Answer):
    """A table without its content; ``used`` while positionings made now stand on it."""

    id: UUID
    kind: str
    name: str
    year: int
    licence: str
    sha256: str
    rows: int
    imported_by: UUID
    imported_at: Moment
    withdrawn_at: Moment | None
    used: bool


class ReferenceTables(Answer):
    """Tables, the newest import first."""

    items: list[ReferenceTable]
    next_cursor: str | None = None


class TableQuery(Parameters):
    """What the table is, and where it comes from."""

    kind: Literal["input_output", "industry_demands"]
    name: str = Field(min_length=1, max_length=200)
    year: int = Field(ge=1980, le=2100, description="The year of its figures")
    licence: str = Field(min_length=1, max_length=200)


@reference_tables.get("/reference-tables", **call(ReferenceTables))
def list_reference_tables() -> Response:
    """List the tables, withdrawn ones too."""
    with working() as work:
        found = use_cases.list_reference_tables(work)
        return show(ReferenceTables(items=[ReferenceTable.of(each) for each in found]))


@reference_tables.post("/reference-tables", **call(ReferenceTable, status=201), **file_body("text/csv"))
@takes_files
def import_reference_table(query: TableQuery) -> Response:
    """Bring a table in as a CSV file: input_output (code, name, divisions, one column a sector) or industry_demands."""
    bearer_actor()
    sent = sent_file()
    with working() as work:
        made = use_cases.import_reference_table(
            work, kind=query.kind, name=query.name, year=query.year, licence=query.licence, content=sent.content
        )
        return show(ReferenceTable.of(made), 201)


@reference_tables.post("/reference-tables/<id>/withdrawal", **call(ReferenceTable))
def withdraw_reference_table(path: ById, header: Idempotent) -> Response:
    """Let a table count no longer."""
    return command(
        "reference_tables.withdraw",
        header,
        None,
        lambda work: ReferenceTable.of(use_cases.withdraw_reference_table(work, table_id=path.id)),
        about={"id": str(path.id)},
    )
