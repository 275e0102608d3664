"""Rolling aid registers: what a controller was granted in the years that count, and when the oldest of it falls out."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from billing.usecases import aid_views
from marketplace.api.calls import call, noun, read, show
from marketplace.api.fields import Amount, Answer, Moment, Paged
from marketplace.doors.identity import working

aid_registers = noun("aid_registers", "Aid per controller over years that roll.")


class AidCeiling(Answer):
    """A programme's rolling ceiling and what is left of it."""

    programme: str
    programme_name: str
    programme_name_en: str
    limit_fen: Amount
    left_fen: Amount


class Aid(Answer):
    """What a controller, a control group or a park of none, has in a register."""

    register_name: Annotated[str, Field(validation_alias="register", serialization_alias="register")]
    controller_id: UUID
    controller_name: str
    years: int | None
    used_fen: Amount
    oldest_at: Moment | None
    falls_out_at: Moment | None
    ceilings: list[AidCeiling]


class AidList(Answer):
    """Registers: a park's own, for staff those of all controllers."""

    items: list[Aid]
    next_cursor: str | None = None


class AidGrant(Answer):
    """A grant; ``left_fen`` is what of it was not given back."""

    id: UUID
    park_id: UUID
    park_name: str
    programme: str
    version: int
    amount_fen: Amount
    left_fen: Amount
    granted_at: Moment
    falls_out_at: Moment | None


class AidGrants(Answer):
    """Grants, newest first, a part of the list."""

    items: list[AidGrant]
    next_cursor: str | None


class AidQuery(Paged):
    """Which register."""

    name: str | None = Field(
        None, alias="register", min_length=1, max_length=100, description="For staff: one register"
    )


class GrantQuery(Paged):
    """Whose grants in which register."""

    name: str = Field(alias="register", min_length=1, max_length=100)
    controller_id: UUID


@aid_registers.get("/aid-registers", **call(AidList))
def list_aid_registers(query: AidQuery) -> Response:
    """List what is used of the registers, and when the oldest grant falls out."""
    with working() as work:
        if work.actor.tenant_id is not None:
            return show(AidList(items=[Aid.of(each) for each in aid_views.read_own_aid(work)]))
        found = aid_views.list_aid(work, register=query.name, limit=query.limit, cursor=query.cursor)
        return show(AidList.of(found))


@aid_registers.get("/aid-registers/grants", **call(AidGrants))
def list_aid_grants(query: GrantQuery) -> Response:
    """List a controller's grants; to a park its own alone."""
    return read(
        AidGrants,
        lambda work: aid_views.list_grants(
            work, register=query.name, controller_id=query.controller_id, limit=query.limit, cursor=query.cursor
        ),
    )
