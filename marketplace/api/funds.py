"""Funds: opened by one person, filled by two, and what is left of them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import funds as use_cases
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
    PathParameters,
    Slug,
)
from marketplace.doors.identity import working

funds = noun("funds", "Public money for subsidies.")


class NewFund(Body):
    """A fund of one year."""

    slug: Slug
    name: Name
    name_en: Name
    year: Annotated[int, Field(strict=True, ge=2000, le=2100)]


class AppropriationRequest(Body):
    """Money asked of the treasury."""

    amount_fen: Fen
    document_no: Annotated[str, Field(min_length=1, max_length=64, description="Number of the document that grants it")]
    envelope: Annotated[str, Field(max_length=64, description="Region or class it is allotted to; empty for all")] = ""


class Envelope(Answer):
    """A part of a fund."""

    envelope: str
    appropriated_fen: Amount
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
    appropriated_fen: Amount
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


class Appropriation(Answer):
    """Money asked for a fund, and who decided."""

    id: UUID
    fund_id: UUID
    envelope: str
    amount_fen: Amount
    document_no: str
    status: str
    requested_by: UUID
    requested_at: Moment
    approved_by: UUID | None
    approved_at: Moment | None


class Appropriations(Answer):
    """Appropriations of a fund, newest first."""

    items: list[Appropriation]
    next_cursor: str | None = None


class Entry(Answer):
    """One movement of a fund's money."""

    id: UUID
    envelope: str
    source: str
    destination: str
    amount_fen: Amount
    reason: str
    at: Moment


class Entries(Answer):
    """Movements of a fund, newest first."""

    items: list[Entry]
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


@funds.get("/funds/<id>/entries", **call(Entries))
def list_fund_entries(path: ById, query: Paged) -> Response:
    """List the movements of a fund."""
    return read(
        Entries,
        lambda work: use_cases.list_fund_entries(work, fund_id=path.id, limit=query.limit, cursor=query.cursor),
    )


@funds.post("/funds/<id>/appropriations", **call(Appropriation, status=201))
def request_appropriation(path: ById, body: AppropriationRequest, header: Idempotent) -> Response:
    """Ask that money be put into a fund."""
    return command(
        "appropriation.request",
        header,
        body,
        lambda work: Appropriation.of(use_cases.request_appropriation(work, fund_id=path.id, **body.model_dump())),
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
