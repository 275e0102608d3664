"""Agreements on joint facilities: written, signed by every party, registered."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.rules.joint_agreements import MOST_PARTIES, PartyRole, Share, Terms
from billing.usecases import joint_agreements as use_cases
from billing.usecases.joint_agreements import AgreementView
from billing.usecases.joint_proposals import Partner, propose_agreement
from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Amount, Answer, Body, ById, Fen, Idempotent, Moment, Name, Paged
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg
from tenants.kernel.work import Work

joint_agreements = noun("joint-agreements", "What the parks that fund a facility together have agreed on.")

Whole = Annotated[int, Field(strict=True, ge=0, le=10**9)]


class NewParty(Body):
    """A party: a ``supervisor`` has no share, exactly one is the ``lead``. A park names its partners by their credit code,
    or by ``park_id`` where they are parties of the version before; the province names all by ``park_id``.
    """

    park_id: UUID | None = None
    uscc: Annotated[str, Field(max_length=18)] = ""
    role: PartyRole
    share_bp: Whole


class NewAgreement(Body):
    """A version's terms, in force on ``[valid_from, valid_to)``. Minutes are of a year; ``reserve_minutes`` for the public
    and ``maintenance_minutes`` come off the top. With ``series_id`` it is the next version of that agreement.
    """

    title: Name
    valid_from: date
    valid_to: date
    capital_fen: Fen
    life_years: Whole
    year_minutes: Whole
    reserve_minutes: Whole = 0
    maintenance_minutes: Whole = 0
    variable_fen_per_hour: Fen
    premium_bp: Whole = 0
    outsider_premium_bp: Whole = 0
    lending_notice_days: Whole = 0
    overdraw_minutes: Whole = 0
    carry_over_minutes: Whole = 0
    parties: Annotated[list[NewParty], Field(min_length=1, max_length=MOST_PARTIES)]
    series_id: UUID | None = None


class Signature(Body):
    """The hash of the terms that the signer has read."""

    sha256: Annotated[str, Field(min_length=64, max_length=64)]


class Party(Answer):
    """A party, the minutes a year that are its own, its yearly cost if it uses just those, and its signature."""

    park_id: UUID
    name: str
    role: str
    share_bp: int
    capital_fen: Amount = Field(description="Its part of the capital, paid to the centre outside of the platform")
    entitled_minutes: int
    foreseen_fen: Amount
    signed_name: str
    signed_at: Moment | None


class JointAgreement(Answer):
    """A version of an agreement."""

    id: UUID
    series_id: UUID
    version: int
    status: str = Field(description="signing, signed, registered (not begun), in_force, ended or withdrawn")
    title: str
    valid_from: date
    valid_to: date
    capital_fen: Amount
    life_years: int
    year_minutes: int
    reserve_minutes: int
    maintenance_minutes: int
    shared_minutes: int
    variable_fen_per_hour: Amount
    above_fen_per_hour: Amount
    outsider_fen_per_hour: Amount
    premium_bp: int
    outsider_premium_bp: int
    lending_notice_days: int
    overdraw_minutes: int
    carry_over_minutes: int
    sha256: str
    created_at: Moment
    proposed_by_park: UUID | None = Field(description="The party that wrote it; null for the province")
    registered_at: Moment | None
    parties: list[Party]


class JointAgreements(Answer):
    """Versions, newest first, a part of the list."""

    items: list[JointAgreement]
    next_cursor: str | None = None


class AgreementQuery(Paged):
    """Which versions."""

    series_id: UUID | None = Field(None, description="The versions of one agreement")


@joint_agreements.post("/joint-agreements", **call(JointAgreement, status=201))
def write_agreement(body: NewAgreement, header: Idempotent) -> Response:
    """Write a version for its parties to sign; a park proposes one to its partners."""
    return command("joint.write", header, body, lambda work: JointAgreement.of(_write(work, body)), status=201)


def _write(work: Work, body: NewAgreement) -> AgreementView:
    told: dict[str, Any] = dict(body)
    series_id, parties = told.pop("series_id"), told.pop("parties")
    terms = Terms(**told)
    if work.actor.tenant_id is not None:
        partners = [Partner(each.role, each.share_bp, each.uscc, each.park_id) for each in parties]
        return propose_agreement(work, terms=terms, partners=partners, series_id=series_id)
    shares = [Share(_park_of(place, each), each.role, each.share_bp) for place, each in enumerate(parties)]
    return use_cases.write_agreement(work, terms=terms, parties=shares, series_id=series_id)


def _park_of(place: int, party: NewParty) -> UUID:
    """Return the park that the province names, by its id alone."""
    if party.park_id is None or party.uscc:
        wrong = msg("省级起草时各方以 park_id 指明，不填 uscc。请改正。")
        raise Invalid("joint.park_id", wrong, errors=[FieldError(f"parties.{place}.park_id", "joint.park_id", wrong)])
    return party.park_id


@joint_agreements.get("/joint-agreements", **call(JointAgreements))
def list_agreements(query: AgreementQuery) -> Response:
    """List versions; a park sees those it is a party of."""
    return read(JointAgreements, lambda work: use_cases.list_agreements(work, **query.model_dump()))


@joint_agreements.get("/joint-agreements/<id>", **call(JointAgreement))
def read_agreement(path: ById) -> Response:
    """Read a version."""
    return read(JointAgreement, lambda work: use_cases.read_agreement(work, agreement_id=path.id))


@joint_agreements.post("/joint-agreements/<id>/signature", **call(JointAgreement))
def sign_agreement(path: ById, body: Signature, header: Idempotent) -> Response:
    """Sign for the own park, under the terms of the hash."""
    return command(
        "joint.sign",
        header,
        body,
        lambda work: JointAgreement.of(use_cases.sign_agreement(work, agreement_id=path.id, sha256=body.sha256)),
        about={"id": str(path.id)},
    )


@joint_agreements.post("/joint-agreements/<id>/registration", **call(JointAgreement))
def register_agreement(path: ById, header: Idempotent) -> Response:
    """Put a version in force that all have signed; another person than who wrote it."""
    return command(
        "joint.register",
        header,
        None,
        lambda work: JointAgreement.of(use_cases.register_agreement(work, agreement_id=path.id)),
        about={"id": str(path.id)},
    )


@joint_agreements.post("/joint-agreements/<id>/withdrawal", **call(JointAgreement))
def withdraw_agreement(path: ById, header: Idempotent) -> Response:
    """Take back a version that is not in force, a park one that it proposed."""
    return command(
        "joint.withdraw",
        header,
        None,
        lambda work: JointAgreement.of(use_cases.withdraw_agreement(work, agreement_id=path.id)),
        about={"id": str(path.id)},
    )
