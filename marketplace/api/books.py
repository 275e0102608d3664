"""The books: bank statements come in, and whether usage, invoices, payments and claims agree."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from flask import Response

from billing.usecases import payments, reconciliation
from marketplace.api.artefacts import sent_file
from marketplace.api.calls import call, command, file_body, noun, read
from marketplace.api.fields import Amount, Answer, Idempotent, Parameters, Period
from marketplace.doors.identity import bearer_actor
from marketplace.doors.requests import takes_files

books = noun("books", "Money that came in, and whether everything agrees.")


class StatementParameters(Parameters):
    """The statement's name, when the body is the file itself."""

    name: str | None = None


class BankLine(Answer):
    """A receipt; ``park_id`` is who paid it, null while nobody knows. ``park_by_account`` is the park whose virtual account
    it arrived on; ``disagrees`` when its text names another one.
    """

    id: UUID
    row: int
    bank_reference: str
    booked_on: date
    amount_fen: Amount
    payer: str
    remittance: str
    status: str
    park_id: UUID | None
    arrived_on: str
    park_by_account: UUID | None
    disagrees: bool


class Statement(Answer):
    """A statement: its receipts, and how many of its rows another file had brought before."""

    id: UUID
    name: str
    matched: int
    unmatched: int
    known: int
    lines: list[BankLine]


class ReconciliationQuestion(Parameters):
    """The month."""

    period: Period


class ParkMonth(Answer):
    """A park's month."""

    park_id: UUID
    park_name: str
    metered_fen: Amount
    rated_fen: Amount
    invoiced_fen: Amount
    payable_fen: Amount
    paid_fen: Amount
    open_fen: Amount


class FundMonth(Answer):
    """A fund's month; ``register_fen`` and ``books_fen`` are over all time."""

    fund_id: UUID
    fund: str
    fund_name: str
    captured_fen: Amount
    claimed_fen: Amount
    register_fen: Amount
    books_fen: Amount


class Difference(Answer):
    """Where two steps differ; null for a side that is missing."""

    kind: str
    key: str
    expected_fen: Amount | None
    actual_fen: Amount | None
    difference_fen: Amount


class Balance(Answer):
    """Whether the books balance."""

    difference_fen: Amount


class Reconciliation(Answer):
    """A month: usage = rated = invoiced = paid, subsidy captured = claimed; no breaks means that every fen is found."""

    period: str
    metered_fen: Amount
    rated_fen: Amount
    invoiced_fen: Amount
    payable_fen: Amount
    paid_fen: Amount
    open_fen: Amount
    captured_fen: Amount
    claimed_fen: Amount
    parks: list[ParkMonth]
    funds: list[FundMonth]
    breaks: list[Difference]
    trial_balance: Balance


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


@books.get("/reconciliation", **call(Reconciliation))
def reconcile(query: ReconciliationQuestion) -> Response:
    """Follow a month's money along its whole way."""
    return read(Reconciliation, lambda work: reconciliation.reconcile(work, period=query.period))
