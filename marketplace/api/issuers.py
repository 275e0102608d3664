"""Issuers: in whose name invoices are issued, and the virtual accounts that parks pay into."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import issuers as use_cases
from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Moment, Name
from marketplace.doors.identity import working
from tenants.kernel.work import Work

issuers = noun("issuers", "In whose name invoices are issued.")

Line = Annotated[str, Field(max_length=200)]


class NewIssuer(Body):
    """The particulars of the legal entity as invoices print them."""

    name: Name
    uscc: Line
    address: Line
    phone: Line
    bank: Line
    account: Line


class Issuer(Answer):
    """Particulars; they count from ``confirmed_at`` on. ``is_current`` marks those that new invoices name."""

    id: UUID
    name: str
    uscc: str
    address: str
    phone: str
    bank: str
    account: str
    proposed_by: UUID
    proposed_at: Moment
    confirmed_by: UUID | None
    confirmed_at: Moment | None
    is_current: bool


class Issuers(Answer):
    """Particulars, newest first."""

    items: list[Issuer]
    next_cursor: str | None = None


class NewAccount(Body):
    """A virtual account; an empty one ends the account that the park has."""

    account: Annotated[str, Field(max_length=60)]


class ParkAccount(Answer):
    """The virtual account of a park, null for none."""

    park_id: UUID
    account: str | None


@issuers.get("/invoice-issuers", **call(Issuers))
def list_issuers() -> Response:
    """List what was proposed and confirmed."""
    with working() as work:
        return show(Issuers(items=[Issuer.of(each) for each in use_cases.list_issuers(work)]))


@issuers.post("/invoice-issuers", **call(Issuer, status=201))
def propose_issuer(body: NewIssuer, header: Idempotent) -> Response:
    """Propose particulars; another person has to confirm them."""
    return command(
        "issuer.propose",
        header,
        body,
        lambda work: Issuer.of(use_cases.propose_issuer(work, **body.model_dump())),
        status=201,
    )


@issuers.post("/invoice-issuers/<id>/confirmation", **call(Issuer))
def confirm_issuer(path: ById, header: Idempotent) -> Response:
    """Confirm particulars that somebody else has proposed."""
    return command(
        "issuer.confirm",
        header,
        None,
        lambda work: Issuer.of(use_cases.confirm_issuer(work, issuer_id=path.id)),
        about={"id": str(path.id)},
    )


@issuers.post("/parks/<id>/virtual-account", **call(ParkAccount))
def assign_virtual_account(path: ById, body: NewAccount, header: Idempotent) -> Response:
    """Note the virtual account that the bank keeps for a park's payments."""

    def assign(work: Work) -> ParkAccount:
        use_cases.assign_account(work, park_id=path.id, account=body.account)
        return ParkAccount(park_id=path.id, account=use_cases.list_accounts(work).get(path.id))

    return command("virtual_account.assign", header, body, assign, about={"park": str(path.id)})
