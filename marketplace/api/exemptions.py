"""Case-by-case decisions: exceptions from a programme's terms for one park, written by one and approved by two others."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import evidence
from billing.usecases import exemptions as use_cases
from billing.usecases.evidence import Upload
from marketplace.api.artefacts import RAW_UPLOAD, download, sent_file
from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.fields import Amount, Answer, Body, ById, Fen, Idempotent, Instant, Moment, Name, Paged, Parameters
from marketplace.doors.identity import bearer_actor, working
from marketplace.doors.requests import takes_files
from marketplace.formats.tables import CSV, XLSX, csv_file, xlsx_file
from marketplace.usecases import exempted_lines
from marketplace.web.exemption_tables import exemption_table

exemptions = noun("exemptions", "Case-by-case decisions: exceptions from a programme's terms for one park.")

Scope = Literal["order", "entity_year", "controller_year", "provider_pool", "scheme"]
BasisPoints = Annotated[int, Field(strict=True, ge=1, le=10_000, description="Of 10,000")]


class Terms(Body):
    """What is changed; what is left out stays as the programme says. At least one has to be named."""

    rate_bp: BasisPoints | None = Field(None, description="Another rate")
    waive_price_limit: bool = Field(False, description="The programme's price limit does not hold")
    waived_facts: Annotated[list[Name], Field(max_length=50)] = Field(
        default_factory=list, description="Eligibility conditions on these facts are taken as met"
    )
    ceilings: dict[Scope, Fen | None] = Field(
        default_factory=dict, description="Another amount by scope; null lifts the ceiling"
    )
    window_to: date | None = Field(None, description="First day after the extended window")


class NewExemption(Body):
    """A decision for the approvers. ``evidence_id`` comes of ``POST /exemptions/evidence``."""

    park_id: UUID
    programme: Annotated[Name, Field(description="The programme's slug")]
    offering: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(None, description="Only this service")
    terms: Terms
    limit_fen: Annotated[Fen, Field(description="The most it may give in all")]
    order_limit: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = Field(
        None, description="The most orders it may serve"
    )
    document_no: Name
    evidence_id: UUID
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    expires_at: Instant


class Revocation(Body):
    """Why a decision ends, or is turned down."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Exemption(Answer):
    """A decision. Only ``in_force`` gives anything; ``used_fen`` and ``orders`` count against its limits now."""

    id: UUID
    park_id: UUID
    park_name: str
    programme: str
    programme_name: str
    programme_name_en: str
    offering: str | None
    terms: dict[str, Any]
    limit_fen: Amount
    used_fen: Amount
    order_limit: int | None
    orders: int
    document_no: str
    evidence_id: UUID
    reason: str
    expires_at: Moment
    state: Literal["submitted", "first_approved", "in_force", "revoked", "expired", "used_up"]
    written_by: UUID
    written_at: Moment
    first_approved_by: UUID | None
    first_approved_at: Moment | None
    second_approved_by: UUID | None
    second_approved_at: Moment | None
    revoked_by: UUID | None
    revoked_at: Moment | None
    revoked_reason: str


class ExemptedLine(Answer):
    """What one order line got under a decision."""

    order_id: UUID
    order_number: str
    order_line_id: UUID
    title: str
    programme: str
    version: int
    amount_fen: Amount
    held_fen: Amount
    captured_fen: Amount
    status: str
    created_at: Moment


class ExemptionWithLines(Exemption):
    """A decision and every order line it touched, oldest first."""

    lines: list[ExemptedLine]


class Exemptions(Answer):
    """Decisions, newest first."""

    items: list[Exemption]
    next_cursor: str | None = None


class Evidence(Answer):
    """A document that was kept; its id goes into the decision."""

    id: UUID
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    uploaded_at: Moment


class OfPark(Paged):
    """Which decisions."""

    park_id: UUID | None = Field(None, description="For staff: of one park")


class DocumentParameters(Parameters):
    """The park that a document is about, and its name when the body is the file itself."""

    park_id: UUID
    name: str | None = Field(None, max_length=200)


@exemptions.get("/exemptions", **call(Exemptions))
def list_exemptions(query: OfPark) -> Response:
    """List decisions: a park its own, staff all."""
    return read(
        Exemptions,
        lambda work: use_cases.list_exemptions(work, park_id=query.park_id, limit=query.limit, cursor=query.cursor),
    )


class ExemptionFile(Parameters):
    """Which park's decisions, as which file."""

    park_id: UUID | None = None
    format: Literal["csv", "xlsx"] = "csv"


@exemptions.get("/exemptions/file", **call(files=(CSV, XLSX)))
def download_exemptions(query: ExemptionFile) -> Response:
    """Download all decisions with every order line they touched, in the caller's language; money in yuan."""
    with working() as work:
        table = exemption_table(exempted_lines.export_exemptions(work, park_id=query.park_id))
        now = work.now
    if query.format == "xlsx":
        return download("exemptions.xlsx", XLSX, xlsx_file(table, now))
    return download("exemptions.csv", CSV, csv_file(table))


@exemptions.post("/exemptions/evidence", **call(Evidence, status=201), **RAW_UPLOAD)
@takes_files
def keep_evidence(query: DocumentParameters) -> Response:
    """Keep the document that a decision stands on: in a form, or as the body with its name in ?name=."""
    bearer_actor()
    sent = sent_file()  # before the transaction: a slow line must not keep a connection of the database
    file = Upload(sent.name, sent.media_type, sent.content)
    with working() as work:
        return show(Evidence.of(use_cases.keep_decision(work, park_id=query.park_id, file=file)), 201)


@exemptions.post("/exemptions", **call(Exemption, status=201))
def submit_exemption(body: NewExemption, header: Idempotent) -> Response:
    """Put a decision before the approvers."""
    wish = use_cases.ExemptionWish(**{**dict(body), "terms": body.terms.model_dump(mode="json")})
    return command(
        "exemption.submit",
        header,
        body,
        lambda work: Exemption.of(use_cases.submit_exemption(work, wish=wish)),
        status=201,
    )


@exemptions.get("/exemptions/<id>", **call(ExemptionWithLines))
def read_exemption(path: ById) -> Response:
    """Read a decision with the order lines it touched."""
    with working() as work:
        found = exempted_lines.read_exemption_with_lines(work, exemption_id=path.id)
    lines = [ExemptedLine.of(line) for line in found.lines]
    return show(ExemptionWithLines(**Exemption.of(found.exemption).model_dump(), lines=lines))


@exemptions.get("/exemptions/<id>/evidence", **call(files=["*/*"]))
def open_evidence(path: ById) -> Response:
    """Download the document that a decision stands on."""
    with working() as work:
        decided = use_cases.read_exemption(work, exemption_id=path.id)
        found = evidence.open_evidence(work, evidence_id=decided.evidence_id)
    return download(found.view.name, found.view.media_type, found.content, sha256=found.view.sha256)


@exemptions.post("/exemptions/<id>/approval", **call(Exemption))
def approve_exemption(path: ById, header: Idempotent) -> Response:
    """Approve what somebody else wrote; with the second approver's word it is in force."""
    return command(
        "exemption.approve",
        header,
        None,
        lambda work: Exemption.of(use_cases.approve_exemption(work, exemption_id=path.id)),
        about={"exemption": str(path.id)},
    )


@exemptions.post("/exemptions/<id>/revocation", **call(Exemption))
def revoke_exemption(path: ById, body: Revocation, header: Idempotent) -> Response:
    """End a decision, or turn it down; what is held under it stays as it is."""
    return command(
        "exemption.revoke",
        header,
        body,
        lambda work: Exemption.of(use_cases.revoke_exemption(work, exemption_id=path.id, reason=body.reason)),
        about={"exemption": str(path.id)},
    )
