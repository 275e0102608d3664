"""Payouts of claims: what each payee of a fund's month gets, prepared, paid or taken back."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import (
    claim_payouts,
)
from billing.usecases import (
    claims as use_cases,
)
from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.claim_lines import Explained
from marketplace.api.fields import (
    Amount,
    Answer,
    Body,
    ById,
    Idempotent,
    Moment,
    Paged,
)
from marketplace.doors.identity import working

payouts = noun("payouts", "What a payee gets of a batch of claims.")


class SetOff(Answer):
    """What of a payout pays a clawback of its payee instead of going to it."""

    clawback_id: UUID
    number: str
    amount_fen: Amount


class Payout(Answer):
    """What one payee gets of a batch: ``set_off_fen`` pays its clawbacks, ``transfer_fen`` is transferred."""

    id: UUID
    batch_id: UUID
    payee_kind: str
    payee_id: UUID
    payee_name: str
    amount_fen: Amount
    set_off_fen: Amount
    transfer_fen: Amount
    set_offs: list[SetOff]
    lines: int
    status: str
    prepared_by: UUID
    created_at: Moment
    payment_reference: str | None
    paid_on: date | None
    paid_by: UUID | None
    paid_at: Moment | None


class Payouts(Answer):
    """A batch's payouts."""

    items: list[Payout]
    next_cursor: str | None = None


class PaymentRecord(Body):
    """The treasury's payment."""

    payment_reference: Annotated[str, Field(min_length=1, max_length=100)]
    paid_on: date


@payouts.get("/claim-batches/<id>/payouts", **call(Payouts))
def list_payouts(path: ById) -> Response:
    """List a batch's payouts."""
    with working() as work:
        found = use_cases.list_payouts(work, batch_id=path.id)
    return show(Payouts(items=[Payout.of(each) for each in found]))


@payouts.post("/claim-batches/<id>/payouts", **call(Payouts, status=201))
def prepare_payouts(path: ById, header: Idempotent) -> Response:
    """Draw up one payout per payee, after the public notice."""
    return command(
        "claim.payouts",
        header,
        None,
        lambda work: Payouts(items=[Payout.of(each) for each in claim_payouts.prepare_payouts(work, batch_id=path.id)]),
        status=201,
        about={"batch": str(path.id)},
    )


@payouts.post("/payouts/<id>/payment", **call(Payout))
def record_payment(path: ById, body: PaymentRecord, header: Idempotent) -> Response:
    """Record the treasury's payment of a payout."""
    return command(
        "claim.pay",
        header,
        body,
        lambda work: Payout.of(
            claim_payouts.record_payment(
                work, payout_id=path.id, payment_reference=body.payment_reference, paid_on=body.paid_on
            )
        ),
        about={"payout": str(path.id)},
    )


@payouts.post("/payouts/<id>/cancellation", **call(Payout))
def cancel_payout(path: ById, body: Explained, header: Idempotent) -> Response:
    """Take back a payout that was not paid."""
    return command(
        "claim.payout_cancel",
        header,
        body,
        lambda work: Payout.of(claim_payouts.cancel_payout(work, payout_id=path.id, reason=body.reason)),
        about={"payout": str(path.id)},
    )


@payouts.get("/payouts", **call(Payouts))
def list_own_payouts(query: Paged) -> Response:
    """List one's own payouts, newest first, with what of each was set off; staff's all."""
    return read(Payouts, lambda work: use_cases.list_own_payouts(work, limit=query.limit, cursor=query.cursor))
