"""Funds: opened by one person, filled by two, and what is left of them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from flask import Response
from pydantic import ConfigDict, Field

from billing.usecases import fund_exports
from billing.usecases import funds as use_cases
from marketplace.api.artefacts import download
from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import (
    Amount,
    Answer,
    Body,
    ById,
    Fen,
    Idempotent,
    Moment,
    Name,
    Paged,
    Parameters,
    PathParameters,
    Slug,
)
from marketplace.doors.fund_words import entries_of_days, register_table
from marketplace.doors.identity import working
from marketplace.doors.language import reader_language
from marketplace.formats.tables import CSV, XLSX, csv_file, xlsx_file

Day = Annotated[date, Field(ge=date(1900, 1, 1), le=date(2200, 12, 31))]
FundPlace = Literal["appropriated", "transferred", "carried", "available", "held", "captured", "disbursed", "returned"]

funds = noun("funds", "Public money for subsidies.")


class NewFund(Body):
    """A fund of one year."""

    slug: Slug
    name: Name
    name_en: Name
    year: Annotated[int, Field(strict=True, ge=2000, le=2100)]


class SplitShare(Body):
    """A share of an appropriation that is reserved for a region or class."""

    envelope: Annotated[str, Field(min_length=1, max_length=64)]
    share_bp: Annotated[int, Field(strict=True, ge=1, le=10_000, description="Basis points of the whole")]


class AppropriationRequest(Body):
    """Money asked of the treasury."""

    amount_fen: Fen
    document_no: Annotated[str, Field(min_length=1, max_length=64, description="Number of the document that grants it")]
    envelope: Annotated[str, Field(max_length=64, description="Region or class it is allotted to; empty for all")] = ""
    split: list[SplitShare] = Field(
        default_factory=list, max_length=50, description="Shares reserved for regions or classes"
    )


class FundReason(Body):
    """Why something is done."""

    reason: Annotated[str, Field(min_length=1, max_length=200)]


class Envelope(Answer):
    """A part of a fund. What came from other envelopes or years is net, negative when more went there."""

    envelope: str
    appropriated_fen: Amount
    transferred_fen: Amount
    carried_fen: Amount
    held_fen: Amount
    captured_fen: Amount
    disbursed_fen: Amount
    returned_fen: Amount
    available_fen: Amount


class Fund(Answer):
    """A fund and where its money is."""

    id: UUID
    slug: str
    name: str
    name_en: str
    year: int
    status: str
    status_reason: str | None
    status_by: UUID | None
    status_at: Moment | None
    low_share_bp: int | None
    low_days: int | None
    budget_fen: Amount
    appropriated_fen: Amount
    carried_fen: Amount
    held_fen: Amount
    captured_fen: Amount
    disbursed_fen: Amount
    returned_fen: Amount
    available_fen: Amount
    envelopes: list[Envelope]


class Funds(Answer):
    """Funds, the newest year first."""

    items: list[Fund]
    next_cursor: str | None = None


class SplitPart(Answer):
    """A share of an appropriation, and what it comes to."""

    envelope: str
    share_bp: int
    amount_fen: Amount


class Appropriation(Answer):
    """Money asked for a fund, and who decided. ``envelope`` gets what the split leaves."""

    id: UUID
    fund_id: UUID
    envelope: str
    amount_fen: Amount
    document_no: str
    split: list[SplitPart]
    status: str
    requested_by: UUID
    requested_at: Moment
    approved_by: UUID | None
    approved_at: Moment | None
    ended_by: UUID | None
    ended_at: Moment | None
    ended_reason: str | None


class Appropriations(Answer):
    """Appropriations of a fund, newest first."""

    items: list[Appropriation]
    next_cursor: str | None = None


class FundEntry(Answer):
    """One movement of a fund's money."""

    id: UUID
    envelope: str
    source: str
    destination: str
    amount_fen: Amount
    reason: str
    at: Moment
    counterpart_id: UUID | None


class FundEntryQuery(Parameters):
    """Which entries: of a place (as source or destination), of an envelope (empty for the general one), of days."""

    model_config = ConfigDict(populate_by_name=True)

    place: FundPlace | None = None
    envelope: Annotated[str | None, Field(max_length=64)] = None
    first: Day | None = Field(None, alias="from", description="First day, in China")
    last: Day | None = Field(None, alias="to", description="Last day, in China")

    def wanted(self) -> use_cases.EntryFilter:
        """Return the filter."""
        return entries_of_days(self.place, self.envelope, self.first, self.last)


class FundEntryPage(FundEntryQuery, Paged):
    """Which entries, and which part of the list."""


class FundEntries(Answer):
    """Movements of a fund, newest first."""

    items: list[FundEntry]
    next_cursor: str | None


class AppropriationPath(PathParameters):
    """An appropriation of a fund."""

    id: UUID
    appropriation_id: UUID


@funds.post("/funds", **call(Fund, status=201))
def open_fund(body: NewFund, header: Idempotent) -> Response:
    """Open a fund; it has no money yet."""
    return command(
        "fund.open", header, body, lambda work: Fund.of(use_cases.open_fund(work, **body.model_dump())), status=201
    )


@funds.get("/funds", **call(Funds))
def list_funds() -> Response:
    """List the funds."""
    with working() as work:
        return show(Funds(items=[Fund.of(fund) for fund in use_cases.list_funds(work)]))


@funds.get("/funds/<id>", **call(Fund))
def read_fund(path: ById) -> Response:
    """Read what was appropriated, held, captured, disbursed, returned, and what is available."""
    return read(Fund, lambda work: use_cases.read_fund(work, fund_id=path.id))


@funds.get("/funds/<id>/entries", **call(FundEntries))
def list_fund_entries(path: ById, query: FundEntryPage) -> Response:
    """List the movements of a fund."""
    wanted = query.wanted()
    return read(
        FundEntries,
        lambda work: use_cases.list_fund_entries(
            work, fund_id=path.id, wanted=wanted, limit=query.limit, cursor=query.cursor
        ),
    )


@funds.get("/funds/<id>/entries.csv", **call(files=[CSV]))
def export_entries_as_csv(path: ById, query: FundEntryQuery) -> Response:
    """Download the register as CSV, in the reader's language."""
    return _register(path.id, query, as_workbook=False)


@funds.get("/funds/<id>/entries.xlsx", **call(files=[XLSX]))
def export_entries_as_xlsx(path: ById, query: FundEntryQuery) -> Response:
    """Download the register as a workbook, in the reader's language."""
    return _register(path.id, query, as_workbook=True)


def _register(fund_id: UUID, query: FundEntryQuery, *, as_workbook: bool) -> Response:
    wanted = query.wanted()
    with working() as work:
        table = register_table(fund_exports.export_register(work, fund_id=fund_id, wanted=wanted), reader_language())
        now = work.now
    if as_workbook:
        return download(f"{table.title}-register.xlsx", XLSX, xlsx_file(table, now))
    return download(f"{table.title}-register.csv", CSV, csv_file(table))


@funds.post("/funds/<id>/appropriations", **call(Appropriation, status=201))
def request_appropriation(path: ById, body: AppropriationRequest, header: Idempotent) -> Response:
    """Ask that money be put into a fund."""
    return command(
        "appropriation.request",
        header,
        body,
        lambda work: Appropriation.of(
            use_cases.request_appropriation(
                work,
                fund_id=path.id,
                amount_fen=body.amount_fen,
                document_no=body.document_no,
                envelope=body.envelope,
                split=[use_cases.Share(share.envelope, share.share_bp) for share in body.split],
            )
        ),
        status=201,
        about={"fund": str(path.id)},
    )


@funds.get("/funds/<id>/appropriations", **call(Appropriations))
def list_appropriations(path: ById) -> Response:
    """List what was asked for a fund."""
    with working() as work:
        found = use_cases.list_appropriations(work, fund_id=path.id)
        return show(Appropriations(items=[Appropriation.of(each) for each in found]))


@funds.post("/funds/<id>/appropriations/<appropriation_id>/approval", **call(Fund))
def approve_appropriation(path: AppropriationPath, header: Idempotent) -> Response:
    """Approve what somebody else asked; the money is in the fund from then on."""
    return command(
        "appropriation.approve",
        header,
        None,
        lambda work: Fund.of(use_cases.approve_appropriation(work, appropriation_id=path.appropriation_id)),
        about={"fund": str(path.id), "appropriation": str(path.appropriation_id)},
    )


@funds.post("/funds/<id>/appropriations/<appropriation_id>/rejection", **call(Appropriation))
def reject_appropriation(path: AppropriationPath, body: FundReason, header: Idempotent) -> Response:
    """Refuse what somebody else asked, with the reason."""
    return command(
        "appropriation.reject",
        header,
        body,
        lambda work: Appropriation.of(
            use_cases.reject_appropriation(work, appropriation_id=path.appropriation_id, reason=body.reason)
        ),
        about={"fund": str(path.id), "appropriation": str(path.appropriation_id)},
    )


@funds.post("/funds/<id>/appropriations/<appropriation_id>/withdrawal", **call(Appropriation))
def withdraw_appropriation(path: AppropriationPath, body: FundReason, header: Idempotent) -> Response:
    """Take back what is not decided yet, with the reason."""
    return command(
        "appropriation.withdraw",
        header,
        body,
        lambda work: Appropriation.of(
            use_cases.withdraw_appropriation(work, appropriation_id=path.appropriation_id, reason=body.reason)
        ),
        about={"fund": str(path.id), "appropriation": str(path.appropriation_id)},
    )
