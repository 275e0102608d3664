"""The books: months that are closed, journals, and the books of a month as a file."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import closing, ledger_export
from billing.usecases import ledger as use_cases
from marketplace.api.artefacts import download
from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import Amount, Answer, Idempotent, Moment, Paged, Parameters, PathParameters, Period
from marketplace.doors.identity import working
from marketplace.doors.ledger_table import ledger_table
from marketplace.formats.tables import CSV, XLSX, csv_file, xlsx_file

ledger = noun("ledger", "The books by double entry.")

BEANCOUNT = "text/plain"


class PeriodPath(PathParameters):
    """A month in a path."""

    period: str


class ClosedPeriod(Answer):
    """A month that is closed; ``journals_sha256`` is the hash of what it says."""

    period: str
    journals: int
    debit_fen: Amount
    journals_sha256: str
    closed_by: UUID
    closed_at: Moment


class ClosedPeriods(Answer):
    """Closed months, the latest first."""

    items: list[ClosedPeriod]
    next_cursor: str | None = None


class Posting(Answer):
    """One side of a journal on one account."""

    account: str
    side: str
    amount_fen: Amount


class Journal(Answer):
    """One business event in the books; its postings balance."""

    id: UUID
    park_id: UUID | None
    source_kind: str
    source_id: str
    period: str
    description: str
    occurred_at: Moment
    postings: list[Posting]


class Journals(Answer):
    """Journals, newest first, a part of the list."""

    items: list[Journal]
    next_cursor: str | None


class JournalQuestion(Paged):
    """Of which month and account."""

    period: Period | None = None
    account: str | None = Field(None, max_length=80)


class ExportQuestion(Parameters):
    """The month, and the sort of file."""

    period: Period
    format: Literal["csv", "xlsx", "beancount"] = "csv"


@ledger.get("/periods", **call(ClosedPeriods))
def list_closed_periods() -> Response:
    """List the months that are closed."""
    with working() as work:
        found = closing.list_closed_periods(work)
        return show(ClosedPeriods(items=[ClosedPeriod.of(each) for each in found]))


@ledger.post("/periods/<period>/close", **call(ClosedPeriod))
def close_period(path: PeriodPath, header: Idempotent) -> Response:
    """Close a month for good: it is over, agrees, and no earlier one is open."""
    return command(
        "period.close",
        header,
        None,
        lambda work: ClosedPeriod.of(closing.close_period(work, period=path.period)),
        about={"period": path.period},
    )


@ledger.get("/journals", **call(Journals))
def list_journals(query: JournalQuestion) -> Response:
    """List journals with their postings."""
    return read(
        Journals,
        lambda work: use_cases.list_journals(
            work, period=query.period, account=query.account, limit=query.limit, cursor=query.cursor
        ),
    )


@ledger.get("/exports/ledger", **call(files=(CSV, XLSX, BEANCOUNT)))
def export_ledger(query: ExportQuestion) -> Response:
    """Download the books of a month: a line a posting, or a file that beancount's checker takes."""
    with working() as work:
        if query.format == "beancount":
            text = ledger_export.export_beancount(work, period=query.period)
            return download(f"ledger-{query.period}.beancount", BEANCOUNT, text.encode())
        table = ledger_table(ledger_export.read_month(work, period=query.period))
        if query.format == "xlsx":
            return download(f"ledger-{query.period}.xlsx", XLSX, xlsx_file(table, work.now))
        return download(f"ledger-{query.period}.csv", CSV, csv_file(table))
