"""The books: bank statements come in, and whether usage, invoices, payments and claims agree."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from flask import Response

from billing.usecases import payments
from marketplace.api.artefacts import sent_file
from marketplace.api.calls import call, command, file_body, noun
from marketplace.api.fields import Amount, Answer, Idempotent, Parameters
from marketplace.doors.identity import bearer_actor
from marketplace.doors.requests import takes_files

books = noun("books", "Money that came in, and whether everything agrees.")


class StatementParameters(Parameters):
    """The statement's name, when the body is the file itself."""

    name: str | None = None


class BankLine(Answer):
    """A receipt; ``park_id`` is who paid it, null while nobody knows."""

    id: UUID
    row: int
    bank_reference: str
    booked_on: date
    amount_fen: Amount
    payer: str
    remittance: str
    status: str
    park_id: UUID | None


class Statement(Answer):
    """A statement: its receipts, and how many of its rows another file had brought before."""

    id: UUID
    name: str
    matched: int
    unmatched: int
    known: int
    lines: list[BankLine]


CSV: dict[str, Any] = file_body("text/csv", "application/octet-stream")


@books.post("/bank-statements", **call(Statement, status=201), **CSV)
@takes_files
def import_statement(query: StatementParameters, header: Idempotent) -> Response:
    """Take in a bank's CSV statement: in a form, or as the body with its name in ?name=."""
    bearer_actor()
    sent = sent_file()
    return command(
        "bank.import",
        header,
        None,
        lambda work: Statement.of(payments.import_statement(work, name=query.name or sent.name, content=sent.content)),
        status=201,
        about={"sha256": sent.sha256},
    )
