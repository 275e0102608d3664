"""What a joint facility's centre is owed and was paid."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import joint_centre_payments as use_cases
from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Amount, Answer, Body, ById, Fen, Idempotent, Moment

joint_centre_payments = noun("joint-centre-payments", "What the centre of a joint facility is owed and was paid.")


class CentrePayment(Answer):
    """A transfer; below zero it takes another back."""

    id: UUID
    amount_fen: Amount
    reference: str
    paid_on: date
    reverses_id: UUID | None
    is_reversed: bool
    reason: str
    recorded_at: Moment


class JointCentre(Answer):
    """What a version's centre is owed: what its parties were charged, less what lenders got and what it was paid."""

    agreement_id: UUID
    payee_name: str
    settled_fen: Amount
    paid_fen: Amount
    owed_fen: Amount
    payments: list[CentrePayment]


class NewCentrePayment(Body):
    """A transfer that was made, of no more than is owed."""

    amount_fen: Fen
    reference: Annotated[str, Field(min_length=1, max_length=use_cases.LONGEST_REFERENCE)]
    paid_on: date


class CentrePaymentReversal(Body):
    """Why a transfer is taken back."""

    reason: Annotated[str, Field(min_length=1, max_length=200)]


@joint_centre_payments.get("/joint-agreements/<id>/centre", **call(JointCentre))
def read_centre(path: ById) -> Response:
    """Read what a version's centre is owed and was paid."""
    return read(JointCentre, lambda work: use_cases.read_centre(work, agreement_id=path.id))


@joint_centre_payments.post("/joint-agreements/<id>/centre-payments", **call(JointCentre, status=201))
def pay_centre(path: ById, body: NewCentrePayment, header: Idempotent) -> Response:
    """Record a transfer to the centre."""
    return command(
        "joint.pay_centre",
        header,
        body,
        lambda work: JointCentre.of(use_cases.pay_centre(work, agreement_id=path.id, **body.model_dump())),
        status=201,
        about={"id": str(path.id)},
    )


@joint_centre_payments.post("/joint-centre-payments/<id>/reversal", **call(JointCentre))
def reverse_payment(path: ById, body: CentrePaymentReversal, header: Idempotent) -> Response:
    """Take a transfer back that was recorded wrongly."""
    return command(
        "joint.reverse_centre_payment",
        header,
        body,
        lambda work: JointCentre.of(use_cases.reverse_payment(work, payment_id=path.id, reason=body.reason)),
        about={"id": str(path.id)},
    )
