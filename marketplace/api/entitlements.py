"""Entitlements: awards that are paid after the delivery, claimed with evidence or confirmed, and what became of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from flask import Response, request
from pydantic import Field, ValidationError

from billing.usecases import entitlement_claims
from billing.usecases import entitlements as use_cases
from billing.usecases.entitlement_claims import NEEDED
from billing.usecases.evidence import Upload
from marketplace.api.artefacts import RAW_UPLOAD, UploadParameters, sent_file
from marketplace.api.calls import call, command, noun, read, show
from marketplace.api.document import refuse
from marketplace.api.fields import Amount, Answer, Body, ById, Fen, Idempotent, Moment, Paged
from marketplace.doors.identity import bearer_actor, working
from marketplace.doors.requests import takes_files
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.messages import msg

entitlements = noun("entitlements", "Awards that are paid after the delivery.")

B = TypeVar("B", bound=Body)


class Documents(Body):
    """The files of a claim, kept before by ``POST /entitlements/{id}/documents``."""

    contract: UUID
    invoice: UUID
    payment_proof: UUID


class Claim(Body):
    """A claim of a ``reimburse`` award, or its completion after a return."""

    amount_fen: Annotated[Fen, Field(description="grantable_fen as it was shown; after a return, granted_fen")]
    documents: Documents


class Confirmation(Body):
    """The park's one word to an ``auto`` award."""

    amount_fen: Annotated[Fen, Field(description="grantable_fen as it was shown; after a return, granted_fen")]


class ClaimDocument(Answer):
    """A file that proves a claim."""

    kind: str
    evidence_id: UUID
    name: str
    sha256: str


class KeptDocument(Answer):
    """A file that was kept; its id goes into a claim."""

    id: UUID
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    uploaded_at: Moment


class Entitlement(Answer):
    """An award that comes after the delivery. ``state`` says what can be done with it.

    ``amount_fen`` is what the order was awarded; ``grantable_fen`` what of it ceilings and funds carry now (null unless
    ``open``), ``reasons`` why less; ``granted_fen`` what was granted.
    """

    id: UUID
    park_id: UUID
    park_name: str
    order_line_id: UUID
    reference: Annotated[str, Field(description="Number of the order")]
    title: str
    programme: str
    programme_name: str
    programme_name_en: str
    version: int
    mode: Literal["reimburse", "auto"]
    payee: Literal["provider", "tenant"]
    rate_bp: int
    state: Literal["waiting", "open", "claimed", "returned", "disbursed", "withdrawn", "expired", "undone"]
    amount_fen: Amount
    grantable_fen: Amount | None
    granted_fen: Amount | None
    reasons: list[str]
    delivered_at: Moment
    claim_until: Annotated[Moment, Field(description="From this moment on it can no longer be claimed")]
    granted_at: Moment | None
    invoice_number: str | None
    return_reason: str | None
    documents: list[ClaimDocument]


class Entitlements(Answer):
    """Entitlements, the latest delivery first, a part of the list."""

    items: list[Entitlement]
    next_cursor: str | None


class EntitlementQuery(Paged):
    """Which entitlements."""

    park_id: UUID | None = Field(None, description="For staff: one park's")
    mode: Literal["reimburse", "auto"] | None = None
    programme: str | None = Field(None, max_length=64)
    status: Literal["offered", "claimed", "withdrawn"] | None = Field(
        None, description="The step that was taken with it; the state follows from it, time, payment and review"
    )


def _claim_body() -> dict[str, Any]:
    """Return the documented body of a claim: ids of kept files as JSON, or the files themselves in a form."""
    binary = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "properties": {"amount_fen": {"type": "string", "pattern": r"^\d{1,16}$"}, **dict.fromkeys(NEEDED, binary)},
        "required": ["amount_fen", *NEEDED],
    }
    named = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "amount_fen": {"type": "integer", "minimum": 0},
            "documents": {
                "type": "object",
                "additionalProperties": False,
                "properties": {kind: {"type": "string", "format": "uuid"} for kind in NEEDED},
                "required": list(NEEDED),
            },
        },
        "required": ["amount_fen", "documents"],
    }
    content = {"application/json": {"schema": named}, "multipart/form-data": {"schema": form}}
    return {"openapi_extensions": {"requestBody": {"required": True, "content": content}}}


_CONFIRMATION: dict[str, Any] = {
    "openapi_extensions": {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": Confirmation.model_json_schema()}},
        }
    }
}


@entitlements.get("/entitlements", **call(Entitlements))
def list_entitlements(query: EntitlementQuery) -> Response:
    """List awards that come after the delivery: the caller's own, for staff all parks'."""
    return read(Entitlements, lambda work: use_cases.list_entitlements(work, **query.model_dump()))


@entitlements.get("/entitlements/<id>", **call(Entitlement))
def read_entitlement(path: ById) -> Response:
    """Read one: what can be claimed now, until when, and why not more."""
    return read(Entitlement, lambda work: use_cases.read_entitlement(work, entitlement_id=path.id))


@entitlements.post("/entitlements/<id>/documents", **call(KeptDocument, status=201), **RAW_UPLOAD)
@takes_files
def keep_document(path: ById, query: UploadParameters) -> Response:  # noqa: ARG001 - documented here, read with the file
    """Keep a file for a claim that will name it by its id. The same content is kept once."""
    bearer_actor()
    sent = sent_file()
    file = Upload(sent.name, sent.media_type, sent.content)
    with working() as work:
        return show(KeptDocument.of(entitlement_claims.keep_document(work, entitlement_id=path.id, file=file)), 201)


@entitlements.post("/entitlements/<id>/claim", **call(Entitlement), **_claim_body())
@takes_files
def claim_entitlement(path: ById, header: Idempotent) -> Response:
    """Claim a `reimburse` award with contract, invoice and proof of payment, or complete a claim that was sent back.

    Public money is held, captured and claimed in one transaction, or nothing is.
    """
    _find(path.id)
    amount_fen, documents = _claim()
    return command(
        "entitlement.claim",
        header,
        None,
        lambda work: Entitlement.of(
            entitlement_claims.claim_entitlement(
                work, entitlement_id=path.id, amount_fen=amount_fen, documents=documents
            )
        ),
        about={"entitlement": str(path.id), "amount_fen": amount_fen, "documents": _named(documents)},
    )


@entitlements.post("/entitlements/<id>/confirmation", **call(Entitlement), **_CONFIRMATION)
def confirm_entitlement(path: ById, header: Idempotent) -> Response:
    """Accept an `auto` award: no application and no files, the platform has all of the evidence."""
    _find(path.id)
    body = _json(Confirmation)
    return command(
        "entitlement.confirm",
        header,
        body,
        lambda work: Entitlement.of(
            entitlement_claims.confirm_entitlement(work, entitlement_id=path.id, amount_fen=body.amount_fen)
        ),
        about={"entitlement": str(path.id)},
    )


@entitlements.post("/entitlements/<id>/withdrawal", **call(Entitlement))
def withdraw_entitlement(path: ById, header: Idempotent) -> Response:
    """Give an award up for good: before its claim, or after it was sent back (its money goes back to the funds)."""
    return command(
        "entitlement.withdraw",
        header,
        None,
        lambda work: Entitlement.of(entitlement_claims.withdraw_entitlement(work, entitlement_id=path.id)),
        about={"entitlement": str(path.id)},
    )


def _find(entitlement_id: UUID) -> None:
    """Refuse who may not know of an entitlement before anything of the body is read."""
    with working() as work:
        use_cases.read_entitlement(work, entitlement_id=entitlement_id)


def _json(model: type[B]) -> B:
    """Return the JSON body; Invalid, field by field, when it does not fit."""
    try:
        return model.model_validate(request.get_json())
    except ValidationError as error:
        refuse(error)


def _claim() -> tuple[int, Mapping[str, Upload | UUID]]:
    """Return the amount and the files of a claim, before the transaction: a slow line must not keep a connection."""
    if request.mimetype != "multipart/form-data":
        body = _json(Claim)
        return body.amount_fen, body.documents.model_dump()
    amount = request.form.get("amount_fen", "")
    if not (amount.isascii() and amount.isdecimal() and len(amount) <= 16):
        wrong = msg("须为整数，单位为分，例如 500000。")
        raise Invalid("field.amount", wrong, errors=[FieldError("amount_fen", "field.amount", wrong)])
    sent = {kind: sent_file(kind) for kind in NEEDED if kind in request.files}
    return int(amount), {kind: Upload(each.name, each.media_type, each.content) for kind, each in sent.items()}


def _named(documents: Mapping[str, Upload | UUID]) -> dict[str, str]:
    """Return what tells a claim's files from another's, for its Idempotency-Key."""
    return {
        kind: hashlib.sha256(file.content).hexdigest() if isinstance(file, Upload) else str(file)
        for kind, file in documents.items()
    }
