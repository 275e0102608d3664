"""Who gets no public money: control groups and the dishonesty list, read by staff and kept by those who may."""

from __future__ import annotations

from uuid import UUID

from flask import Response, request, url_for

from marketplace.doors.current import current_market
from marketplace.doors.requests import MIB, takes_files
from marketplace.usecases import standing
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import FieldError, Invalid, NotFound, Problem
from tenants.kernel.messages import msg
from tenants.usecases import control_groups, credit_blocks
from tenants.usecases.credit_blocks import Imported

pages = page_group("standing")

MOST_FAULTS = 12
"""Faults of a file that are listed one by one."""


@pages.get("/control-groups")
def groups() -> Response:
    """Show the control groups with their members."""
    return _groups(None)


@pages.post("/control-groups")
def create() -> Response:
    """Open a group."""
    try:
        with page_work() as work:
            control_groups.create_group(work, name=field("name"), note=field("remark"))
    except Problem as problem:
        return _groups(refusal_of(problem, lambda path: "remark" if path == "note" else path))
    return go(url_for("standing.groups"))


@pages.post("/control-groups/members")
def assign() -> Response:
    """Put an organisation into a group, or out of any."""
    group = field("group")
    try:
        with page_work() as work:
            wanted: UUID | None = id_of(group) if group else None
            standing.put_in_group(work, uscc=field("uscc"), group_id=wanted, note=field("note"))
    except NotFound as problem:
        found = Invalid(problem.code, problem.message, errors=[FieldError("uscc", problem.code, problem.message)])
        return _groups(refusal_of(found))
    except Problem as problem:
        return _groups(refusal_of(problem))
    return go(url_for("standing.groups"))


@pages.get("/dishonesty-list")
def blocks() -> Response:
    """Show the list; ``?search=`` finds a code or a part of a name, ``?active=1`` what counts now."""
    return _blocks(None, None)


@pages.post("/dishonesty-list")
def enter() -> Response:
    """Put an organisation on the list."""
    names = ("uscc", "name", "source", "document_no", "valid_from", "valid_until")
    try:
        with page_work() as work:
            credit_blocks.enter_block(work, **{name: field(name) for name in names})
    except Problem as problem:
        return _blocks(refusal_of(problem), None)
    return go(url_for("standing.blocks"))


@pages.post("/dishonesty-list/import")
@takes_files
def bring() -> Response:
    """Put all entries of a file on the list, and tell how many were new."""
    sent = request.files.get("list")
    limit = current_market().settings.max_upload_mib * MIB
    try:
        if sent is None or not sent.filename:
            needed = msg("请选择失信名单文件。")
            raise Invalid("form.file", needed, errors=[FieldError("list", "form.file", needed)])
        content = sent.stream.read(limit)
        with page_work() as work:
            found = credit_blocks.import_blocks(work, content=content)
    except Problem as problem:
        return _blocks(refusal_of(problem, _place), None)
    return _blocks(None, found)


@pages.post("/dishonesty-list/<block_id>/lifting")
def lift(block_id: str) -> Response:
    """Take an entry off."""
    try:
        with page_work() as work:
            credit_blocks.lift_block(work, block_id=id_of(block_id), reason=field("reason"))
    except Problem as problem:
        return _blocks(refusal_of(problem), None, lifting=block_id)
    return go(url_for("standing.blocks"))


def _groups(refusal: Refusal | None) -> Response:
    with page_work() as work:
        page = control_groups.list_groups(work, limit=100, cursor=request.args.get("cursor"))
    return show(
        "standing/groups.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        page=page,
        typed=given() if refusal else {},
    )


def _blocks(refusal: Refusal | None, imported: Imported | None, lifting: str = "") -> Response:
    search, active = request.args.get("search", ""), request.args.get("active") == "1"
    with page_work() as work:
        cursor = request.args.get("cursor")
        page = credit_blocks.list_blocks(work, search=search, active=active, limit=30, cursor=cursor)
    return show(
        "standing/blocks.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        faults=refusal.others[:MOST_FAULTS] if refusal else (),
        page=page,
        search=search,
        active=active,
        imported=imported,
        lifting=lifting,
        typed=given() if refusal else {},
    )


def _place(path: str) -> str | None:
    """Faults of lines are listed by themselves."""
    return None if path.startswith("lines[") else "list"
