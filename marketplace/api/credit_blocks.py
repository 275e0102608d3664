"""The dishonesty list: who gets no public money, since when and by whose decision."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.artefacts import sent_file
from marketplace.api.calls import call, command, file_body, noun, read
from marketplace.api.fields import Answer, Body, ById, Idempotent, Moment, Name, Paged
from marketplace.doors.identity import bearer_actor
from marketplace.doors.requests import takes_files
from tenants.usecases import credit_blocks as use_cases

credit_blocks = noun("credit_blocks", "The dishonesty list: whoever it names gets no subsidy while it counts.")

Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="A day, such as 2026-03-02")]


class NewBlock(Body):
    """An entry; it counts from its first day until the day before ``valid_until``, for good without one."""

    uscc: Annotated[str, Field(min_length=1, max_length=32, description="Unified social credit code")]
    name: Name
    source: Annotated[str, Field(min_length=1, max_length=200, description="Who put it on the list")]
    document_no: Annotated[str, Field(min_length=1, max_length=200)]
    valid_from: Day
    valid_until: Day | None = None


class Lifting(Body):
    """Why an entry is taken off."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class CreditBlock(Answer):
    """An entry; ``counts`` tells whether it bars subsidies now."""

    id: UUID
    uscc: str
    name: str
    source: str
    document_no: str
    valid_from: date
    valid_until: date | None
    entered_at: Moment
    lifted_at: Moment | None
    lift_reason: str | None
    counts: bool


class CreditBlocks(Answer):
    """Entries, newest first, a part of the list."""

    items: list[CreditBlock]
    next_cursor: str | None


class Imported(Answer):
    """What a file brought; ``known`` are entries that the list had before."""

    entered: int
    known: int


class BlockQuery(Paged):
    """Which entries."""

    search: str = Field("", max_length=200, description="A credit code, or a part of a name")
    active: bool = Field(False, description="Only entries that count now")


CSV: dict[str, Any] = file_body("text/csv", "application/octet-stream")


@credit_blocks.post("/credit-blocks", **call(CreditBlock, status=201))
def enter_credit_block(body: NewBlock, header: Idempotent) -> Response:
    """Put an organisation on the list."""
    given = {**body.model_dump(), "valid_until": body.valid_until or ""}
    return command(
        "credit.enter", header, body, lambda work: CreditBlock.of(use_cases.enter_block(work, **given)), status=201
    )


@credit_blocks.post("/credit-blocks/import", **call(Imported), **CSV)
@takes_files
def import_credit_blocks(header: Idempotent) -> Response:
    """Put all entries of a CSV file on the list, in whole or not at all.

    Its first line names the columns: uscc, name, source, document_no, valid_from, valid_until.
    """
    bearer_actor()
    sent = sent_file()
    return command(
        "credit.import",
        header,
        None,
        lambda work: Imported.of(use_cases.import_blocks(work, content=sent.content)),
        about={"sha256": sent.sha256},
    )


@credit_blocks.get("/credit-blocks", **call(CreditBlocks))
def list_credit_blocks(query: BlockQuery) -> Response:
    """List the entries."""
    return read(
        CreditBlocks,
        lambda work: use_cases.list_blocks(
            work, search=query.search, active=query.active, limit=query.limit, cursor=query.cursor
        ),
    )


@credit_blocks.post("/credit-blocks/<id>/lifting", **call(CreditBlock))
def lift_credit_block(path: ById, body: Lifting, header: Idempotent) -> Response:
    """Take an entry off from now on; it stays readable."""
    return command(
        "credit.lift",
        header,
        body,
        lambda work: CreditBlock.of(use_cases.lift_block(work, block_id=path.id, reason=body.reason)),
        about={"block": str(path.id)},
    )
