"""Green electricity certificates of a site: registered, retired or sold once."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, show
from marketplace.api.fields import Answer, Body, ById, Idempotent, Moment, Name, Note, Period
from marketplace.doors.identity import working
from services.rules.carbon.certificates import MOST_MWH, End, Origin
from services.usecases import carbon_certificates as use_cases

certificates = noun("certificates", "Green electricity certificates (GEC): 1 MWh each, counted once.")


class NewCertificate(Body):
    """A certificate as it is written."""

    number: Annotated[str, Field(min_length=6, max_length=40)]
    origin: Origin = Field(description="purchased, own_used (power the site used itself) or own_fed_in")
    mwh: Annotated[int, Field(strict=True, ge=1, le=MOST_MWH)]
    month: Period = Field(description="The month in which the power was made")
    project: Name
    evidence_id: UUID | None = None


class Retirement(Body):
    """For which year's power the certificate is used."""

    year: Annotated[int, Field(strict=True, ge=2000, le=2100)]
    note: Note = ""


class Sale(Body):
    """A word on the sale."""

    note: Note = ""


class Certificate(Answer):
    """A certificate; ``end`` is null while it is held."""

    id: UUID
    site_id: UUID
    number: str
    origin: Origin
    mwh: int
    month: date
    project: str
    evidence_id: UUID | None
    evidence_sha256: str | None
    created_at: Moment
    end: End | None
    year: int | None
    end_note: str | None
    ended_at: Moment | None


class Certificates(Answer):
    """A site's certificates, the latest month first."""

    items: list[Certificate]
    next_cursor: str | None = None


@certificates.get("/sites/<id>/certificates", **call(Certificates))
def list_certificates(path: ById) -> Response:
    """List a site's certificates."""
    with working() as work:
        found = use_cases.list_certificates(work, site_id=path.id)
        return show(Certificates(items=[Certificate.of(each) for each in found]))


@certificates.post("/sites/<id>/certificates", **call(Certificate, status=201))
def register_certificate(path: ById, body: NewCertificate, header: Idempotent) -> Response:
    """Register a certificate. A number that is registered anywhere in the province is refused."""
    month = date.fromisoformat(f"{body.month}-01")
    wish = use_cases.CertificateWish(**{**body.model_dump(), "month": month})
    return command(
        "certificate.register",
        header,
        body,
        lambda work: Certificate.of(use_cases.register_certificate(work, site_id=path.id, wish=wish)),
        status=201,
        about={"id": str(path.id)},
    )


@certificates.post("/certificates/<id>/retirement", **call(Certificate))
def retire_certificate(path: ById, body: Retirement, header: Idempotent) -> Response:
    """Use a certificate for a year's power, once and for all."""
    return command(
        "certificate.retire",
        header,
        body,
        lambda work: Certificate.of(
            use_cases.end_certificate(work, certificate_id=path.id, end=End.RETIRED, year=body.year, note=body.note)
        ),
        about={"id": str(path.id)},
    )


@certificates.post("/certificates/<id>/sale", **call(Certificate))
def sell_certificate(path: ById, body: Sale, header: Idempotent) -> Response:
    """Note that the certificate of own power was sold: that power is not green any more."""
    return command(
        "certificate.sell",
        header,
        body,
        lambda work: Certificate.of(
            use_cases.end_certificate(work, certificate_id=path.id, end=End.SOLD, note=body.note)
        ),
        about={"id": str(path.id)},
    )
