"""Control groups: organisations with one actual controller; between them there is no subsidy, and they share ceilings."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from marketplace.api.calls import call, command, noun, read
from marketplace.api.fields import Answer, Body, ById, Idempotent, Moment, Name, Note, Paged
from marketplace.usecases import standing
from tenants.usecases import control_groups as use_cases

control_groups = noun("control_groups", "Organisations with one actual controller.")

CreditCode = Annotated[str, Field(min_length=1, max_length=32, description="Unified social credit code")]


class NewGroup(Body):
    """A group that nobody belongs to yet."""

    name: Name
    note: Note = ""


class Membership(Body):
    """Who joins or leaves, and on what grounds."""

    uscc: CreditCode
    note: Annotated[str, Field(min_length=1, max_length=500, description="The document that shows it")]


class Member(Answer):
    """An organisation of a group."""

    id: UUID
    kind: str
    name: str
    uscc: str
    region_name: str
    control_group: UUID | None


class ControlGroup(Answer):
    """A group and its members."""

    id: UUID
    name: str
    note: str
    created_at: Moment
    members: list[Member]


class ControlGroups(Answer):
    """Groups, newest first, a part of the list."""

    items: list[ControlGroup]
    next_cursor: str | None


@control_groups.post("/control-groups", **call(ControlGroup, status=201))
def create_control_group(body: NewGroup, header: Idempotent) -> Response:
    """Open a group."""
    return command(
        "control_group.create",
        header,
        body,
        lambda work: ControlGroup.of(use_cases.create_group(work, **body.model_dump())),
        status=201,
    )


@control_groups.get("/control-groups", **call(ControlGroups))
def list_control_groups(query: Paged) -> Response:
    """List the groups with their members."""
    return read(ControlGroups, lambda work: use_cases.list_groups(work, limit=query.limit, cursor=query.cursor))


@control_groups.get("/control-groups/<id>", **call(ControlGroup))
def read_control_group(path: ById) -> Response:
    """Read a group with its members."""
    return read(ControlGroup, lambda work: use_cases.read_group(work, group_id=path.id))


@control_groups.post("/control-groups/<id>/members", **call(Member))
def join_control_group(path: ById, body: Membership, header: Idempotent) -> Response:
    """Put an organisation into a group; a park's aid counts for the group from then on."""
    return command(
        "control_group.join",
        header,
        body,
        lambda work: Member.of(
            standing.put_in_group(work, uscc=body.uscc, group_id=path.id, note=body.note).organisation
        ),
        about={"group": str(path.id)},
    )


@control_groups.post("/control-groups/leaving", **call(Member))
def leave_control_group(body: Membership, header: Idempotent) -> Response:
    """Take an organisation out of its group."""
    return command(
        "control_group.leave",
        header,
        body,
        lambda work: Member.of(standing.put_in_group(work, uscc=body.uscc, group_id=None, note=body.note).organisation),
    )
