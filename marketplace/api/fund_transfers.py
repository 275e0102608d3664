"""Available money that moves without being spent: between regions, back to the treasury, into the next year."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import fund_outlook
from billing.usecases import fund_transfers as use_cases
from billing.usecases.fund_transfers import TransferView
from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import Amount, Answer, Body, ById, Fen, Idempotent, Moment, PathParameters
from marketplace.api.funds import FundReason
from marketplace.doors.identity import working
from tenants.kernel.work import Work

fund_transfers = noun("fund_transfers", "Money of funds that moves without being spent; two people decide.")

Scope = Annotated[str, Field(max_length=64, description="Region or class; empty for the general part")]
Why = Annotated[str, Field(min_length=1, max_length=200)]
Document = Annotated[str, Field(max_length=200, description="Number of the document it stands on")]


class TransferRequest(Body):
    """Money that should go from one envelope of a fund to another."""

    envelope: Scope
    to_envelope: Scope
    amount_fen: Fen
    reason: Why
    document_no: Document = ""


class ReturnRequest(Body):
    """Money that should go back to the treasury."""

    envelope: Scope = ""
    amount_fen: Fen
    reason: Why
    document_no: Document = ""


class CarryOverRequest(Body):
    """The fund of a later year that should get all that is unspent when the carry-over is approved."""

    to_fund_id: UUID
    reason: Why
    document_no: Document = ""


class FundTransfer(Answer):
    """A movement that was asked for, and who decided. ``amount_fen`` of a carry-over is known once it is approved."""

    id: UUID
    kind: str
    fund_id: UUID
    envelope: str | None
    to_fund_id: UUID | None
    to_envelope: str | None
    amount_fen: Amount | None
    reason: str
    document_no: str
    status: str
    requested_by: UUID
    requested_at: Moment
    approved_by: UUID | None
    approved_at: Moment | None
    ended_by: UUID | None
    ended_at: Moment | None
    ended_reason: str | None


class FundTransfers(Answer):
    """The transfers within a fund, out of it and into it, newest first."""

    items: list[FundTransfer]
    next_cursor: str | None = None


class IdleMoney(Answer):
    """Regional money that will lie idle this year: what could go elsewhere, and what is kept for the days left."""

    envelope: str
    amount_fen: Amount
    needed_fen: Amount
    days: int


class IdleMoneys(Answer):
    """What could be moved, the most first; empty before October."""

    items: list[IdleMoney]
    next_cursor: str | None = None


class TransferPath(PathParameters):
    """A transfer of a fund."""

    id: UUID
    transfer_id: UUID


@fund_transfers.post("/funds/<id>/transfers", **call(FundTransfer, status=201))
def request_transfer(path: ById, body: TransferRequest, header: Idempotent) -> Response:
    """Ask that money go from one envelope of the fund to another."""
    return _ask("transfer", path, body, header, use_cases.request_transfer)


@fund_transfers.post("/funds/<id>/returns", **call(FundTransfer, status=201))
def request_return(path: ById, body: ReturnRequest, header: Idempotent) -> Response:
    """Ask that unspent money go back to the treasury."""
    return _ask("return", path, body, header, use_cases.request_return)


@fund_transfers.post("/funds/<id>/carry-overs", **call(FundTransfer, status=201))
def request_carry_over(path: ById, body: CarryOverRequest, header: Idempotent) -> Response:
    """Ask that all unspent money go into a later year's fund."""
    return _ask("carry_over", path, body, header, use_cases.request_carry_over)


@fund_transfers.get("/funds/<id>/transfers", **call(FundTransfers))
def list_transfers(path: ById) -> Response:
    """List transfers, returns and carry-overs of a fund."""
    with working() as work:
        found = use_cases.list_transfers(work, fund_id=path.id)
        return show(FundTransfers(items=[FundTransfer.of(each) for each in found]))


@fund_transfers.get("/funds/<id>/rebalancing", **call(IdleMoneys))
def propose_rebalancing(path: ById) -> Response:
    """List regional money that will lie idle at the end of the year: a proposal, on which two people decide."""
    with working() as work:
        found = fund_outlook.propose_rebalancing(work, fund_id=path.id)
        return show(IdleMoneys(items=[IdleMoney.of(each) for each in found]))


@fund_transfers.post("/funds/<id>/transfers/<transfer_id>/approval", **call(FundTransfer))
def approve_transfer(path: TransferPath, header: Idempotent) -> Response:
    """Approve what somebody else asked; the money moves now."""
    return command(
        "fund_transfer.approve",
        header,
        None,
        lambda work: FundTransfer.of(use_cases.approve_transfer(work, transfer_id=path.transfer_id)),
        about={"transfer": str(path.transfer_id)},
    )


@fund_transfers.post("/funds/<id>/transfers/<transfer_id>/rejection", **call(FundTransfer))
def reject_transfer(path: TransferPath, body: FundReason, header: Idempotent) -> Response:
    """Refuse what somebody else asked, with the reason."""
    return command(
        "fund_transfer.reject",
        header,
        body,
        lambda work: FundTransfer.of(use_cases.reject_transfer(work, transfer_id=path.transfer_id, reason=body.reason)),
        about={"transfer": str(path.transfer_id)},
    )


@fund_transfers.post("/funds/<id>/transfers/<transfer_id>/withdrawal", **call(FundTransfer))
def withdraw_transfer(path: TransferPath, body: FundReason, header: Idempotent) -> Response:
    """Take back what is not decided yet, with the reason."""
    return command(
        "fund_transfer.withdraw",
        header,
        body,
        lambda work: FundTransfer.of(
            use_cases.withdraw_transfer(work, transfer_id=path.transfer_id, reason=body.reason)
        ),
        about={"transfer": str(path.transfer_id)},
    )


def _ask(name: str, path: ById, body: Body, header: Idempotent, use_case: Callable[..., TransferView]) -> Response:
    def ask(work: Work) -> FundTransfer:
        return FundTransfer.of(use_case(work, fund_id=path.id, **body.model_dump()))

    return command(f"fund_transfer.{name}", header, body, ask, status=201, about={"fund": str(path.id)})
