"""Parks: sign-up, which is open to all, and the decision on it; and who the caller is."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from flask import Response
from pydantic import BeforeValidator, Field

from marketplace.api.calls import call, noun, read, show
from marketplace.api.fields import Answer, Body, ById, Moment, Name, Note, Paged
from marketplace.doors.identity import bearer_actor, platform_working, working
from marketplace.doors.language import reader_language
from marketplace.doors.texts import translate
from tenants.kernel.messages import Message
from tenants.kernel.vocabulary import ParkSize, Tier
from tenants.usecases import onboarding

parks = noun("parks", "Parks sign up and are verified.")


def _sentence(message: Message | str) -> str:
    return translate(message, reader_language()) if isinstance(message, Message) else message


class SignUp(Body):
    """A park that wants to join, and its first person."""

    name: Name
    uscc: str = Field(max_length=64, description="Unified social credit code (GB 32100), 18 characters")
    region_code: str = Field(max_length=64, description="Administrative division (GB/T 2260), six digits")
    size: ParkSize
    login: str = Field(max_length=200)
    password: str = Field(max_length=1000)
    contact_name: Name
    language: Literal["zh", "en"] = "zh"


class VerificationDecision(Body):
    """Whether a park may take part, and why."""

    approve: Annotated[bool, Field(strict=True)]
    note: Note = ""


class Park(Answer):
    """A park."""

    id: UUID
    name: str
    uscc: str
    region_code: str
    region_name: str
    region_class: str
    size: ParkSize
    verification: str
    decision_note: str | None
    payment_reference: str
    created_at: Moment
    tier: Tier | None
    warnings: list[Annotated[str, BeforeValidator(_sentence)]]


class Parks(Answer):
    """Parks, a part of the list."""

    items: list[Park]
    next_cursor: str | None


class Me(Answer):
    """The caller: the program or person, what they may do, and the park they act for."""

    name: str
    user_id: UUID | None
    organisation_id: UUID | None
    language: str
    permissions: list[str]
    park: Park | None


@parks.post("/parks", **call(Park, status=201, open_to_all=True, conflicts=True))
def sign_up(body: SignUp) -> Response:
    """Sign up a park and its first person."""
    with platform_working("sign-up") as work:
        return show(Park.of(onboarding.sign_up_park(work, **body.model_dump())), 201)


@parks.get("/parks", **call(Parks))
def list_parks(query: Paged) -> Response:
    """List the parks (the province's and the operator's people)."""
    return read(Parks, lambda work: onboarding.list_parks(work, limit=query.limit, cursor=query.cursor))


@parks.get("/parks/<id>", **call(Park))
def read_park(path: ById) -> Response:
    """Read one park."""
    return read(Park, lambda work: onboarding.read_park(work, park_id=path.id))


@parks.post("/parks/<id>/verification", **call(Park))
def decide_verification(path: ById, body: VerificationDecision) -> Response:
    """Verify a park, or refuse it with a reason."""
    with working() as work:
        decided = onboarding.decide_verification(work, park_id=path.id, approve=body.approve, note=body.note)
        return show(Park.of(decided))


@parks.get("/me", **call(Me))
def read_me() -> Response:
    """Tell who the caller is and what it may do."""
    actor = bearer_actor()
    park = None
    if actor.tenant_id is not None:
        with working() as work:
            park = Park.of(onboarding.read_park(work, park_id=actor.tenant_id))
    return show(
        Me(
            name=actor.name,
            user_id=actor.user_id,
            organisation_id=actor.organisation_id,
            language=actor.language,
            permissions=sorted(actor.permissions),
            park=park,
        )
    )
