"""Subsidy programmes: their versions as data, written by one person and approved by another."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, url_for

from billing.usecases import programmes as use_cases
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import FieldError, Invalid, NotFound, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

pages = page_group("programmes")

STEPS = {
    "submit": (use_cases.submit_version, Permission.WRITE_PROGRAMME),
    "approve": (use_cases.approve_version, Permission.APPROVE_PROGRAMME),
    "withdraw": (use_cases.withdraw_version, Permission.WRITE_PROGRAMME),
}
"""What can be done with a version, by the name in its address."""
_BOUNDS = {"small": {"min_bp": 5000, "max_bp": 7000}, "large": {"min_bp": 3000, "max_bp": 3000}}


@pages.get("/programmes")
def programmes() -> Response:
    """Show all programmes."""
    return _list(None)


@pages.post("/programmes")
def create() -> Response:
    """Create a programme."""
    try:
        with page_work() as work:
            made = use_cases.create_programme(
                work,
                slug=field("slug"),
                name=field("name"),
                name_en=field("name_en") or field("name"),
                bounds=_json("bounds"),
            )
    except Problem as problem:
        return _list(refusal_of(problem))
    return go(url_for("programmes.programme", programme_id=made.id))


@pages.get("/programmes/<programme_id>")
def programme(programme_id: str) -> Response:
    """Show one programme with its versions, and the form for the next one."""
    return _page(programme_id, None)


@pages.post("/programmes/<programme_id>/versions")
def write(programme_id: str) -> Response:
    """Write the next version."""
    try:
        with page_work() as work:
            use_cases.write_version(work, programme_id=id_of(programme_id), policy=_json("policy"))
    except Problem as problem:
        return _page(programme_id, refusal_of(problem, lambda path: "policy" if path == "policy" else None))
    return go(url_for("programmes.programme", programme_id=programme_id))


@pages.post("/programmes/<programme_id>/versions/<int:version>/<step>")
def move(programme_id: str, version: int, step: str) -> Response:
    """Submit, approve or withdraw a version."""
    if step not in STEPS:
        raise NotFound("page.not_found", msg("没有找到所请求的内容。请从列表中重新打开。"))
    use_case, _permission = STEPS[step]
    try:
        with page_work() as work:
            use_case(work, programme_id=id_of(programme_id), version=version)
    except Problem as problem:
        return _page(programme_id, refusal_of(problem))
    return go(url_for("programmes.programme", programme_id=programme_id))


def _list(refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.list_programmes(work)
    typed = {"bounds": json.dumps(_BOUNDS, indent=2)} if refusal is None else given()
    return show(
        "programmes/list.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        programmes=found,
        typed=typed,
    )


def _page(programme_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.read_programme(work, programme_id=id_of(programme_id))
        steps = _open_steps(work)
    sent = given().get("policy") if refusal is not None else None
    return show(
        "programmes/programme.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        programme=found,
        steps=steps,
        draft=sent or _prefilled(found),
    )


def _open_steps(work: Work) -> dict[str, tuple[str, ...]]:
    """Return what the acting person may do with a version in each status."""
    write = work.actor.may(Permission.WRITE_PROGRAMME)
    approve = work.actor.may(Permission.APPROVE_PROGRAMME)
    return {
        "draft": ("submit", "withdraw") if write else (),
        "submitted": (("approve",) if approve else ()) + (("withdraw",) if write else ()),
    }


def _prefilled(found: use_cases.ProgrammeView) -> str:
    """Return the last version as the start of the next one, without what the platform writes itself."""
    document: dict[str, Any] = dict(found.versions[-1].policy) if found.versions else {}
    for name in ("programme", "version"):
        document.pop(name, None)
    return json.dumps(document, ensure_ascii=False, indent=2)


def _json(name: str) -> dict[str, Any]:
    """Return the JSON object typed into a field; Invalid at that field when it is none."""
    try:
        value = json.loads(field(name) or "{}")
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        wrong = msg("不是有效的 JSON：第 {line} 行附近有语法错误。请改正后重试。", line=line)
        raise Invalid("form.json", wrong, errors=[FieldError(name, "form.json", wrong)]) from None
    if not isinstance(value, dict):
        wrong = msg("须为一个 JSON 对象，以 {opening} 开头。", opening="{")
        raise Invalid("form.json", wrong, errors=[FieldError(name, "form.json", wrong)])
    return value
