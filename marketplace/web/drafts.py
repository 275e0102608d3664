"""Writing a policy version in a form: rows come and go, and an example shows what the unsaved draft would give."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from billing.rules.known_facts import KNOWN_FACTS
from billing.usecases import programmes
from billing.usecases.drafts import Trial
from marketplace.doors import codes
from marketplace.usecases import policy_drafts as use_cases
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.policy_form import document_of, place, scaled, state_from, state_of, step
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import ParkSize, Tier
from tenants.rules.regions import region_name

pages = page_group("drafts")

_EXAMPLE = {
    "example.park_size": "small",
    "example.region": "411224",
    "example.tier": "leading",
    "example.gross": "10000",
}


@pages.get("/programmes/<programme_id>/draft")
def draft(programme_id: str) -> Response:
    """Show the form for the next version: as the last one, or as the one named by ``from``."""
    return _form(programme_id, None, None, None)


@pages.post("/programmes/<programme_id>/draft")
def change(programme_id: str) -> Response:
    """Add or remove a row, try the example, or save the draft."""
    state = state_from(request.form, {name: request.form.getlist(name) for name in request.form})
    what = field("do")
    if what != "save":
        step(state, what)
        trial, refusal = _tried(programme_id, state) if what == "preview" else (None, None)
        return _form(programme_id, state, refusal, trial)
    try:
        document, faults = document_of(state)
        _refuse(faults)
        with page_work() as work:
            made = programmes.write_version(work, programme_id=id_of(programme_id), policy=document)
    except Problem as problem:
        return _form(programme_id, state, refusal_of(problem, place), None)
    return go(url_for("programmes.version", programme_id=programme_id, version=made.version))


def _tried(programme_id: str, state: dict[str, Any]) -> tuple[Trial | None, Refusal | None]:
    """Return what the draft gives in the example, or why it cannot be told."""
    try:
        document, faults = document_of(state)
        gross = scaled(field("example.gross"), 100)
        if gross is None:
            faults.append(FieldError("example.gross", "form.number", msg("须为不小于零的金额。请改正。")))
        _refuse(faults)
        example = use_cases.Example(
            ParkSize(field("example.park_size") or "small"),
            field("example.region"),
            Tier(field("example.tier") or "basic"),
            field("example.offering"),
            gross or 0,
        )
        with page_work() as work:
            return use_cases.try_draft(work, programme_id=id_of(programme_id), policy=document, example=example), None
    except Problem as problem:
        return None, refusal_of(problem, lambda path: path if path.startswith("example.") else place(path))


def _refuse(faults: list[FieldError]) -> None:
    if faults:
        raise Invalid(
            "form.invalid", msg("表单有 {count} 处无法读取。请按所列字段改正。", count=len(faults)), errors=faults
        )


def _form(programme_id: str, state: dict[str, Any] | None, refusal: Refusal | None, trial: Trial | None) -> Response:
    with page_work() as work:
        desk = use_cases.open_desk(work, programme_id=id_of(programme_id))
    return show(
        "programmes/draft.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        programme=desk.programme,
        funds=desk.funds,
        offerings=desk.offerings,
        state=state if state is not None else state_of(_start(desk.programme)),
        typed={**_EXAMPLE, **given()},
        trial=trial,
        codes=codes,
        facts=KNOWN_FACTS,
        region_name=region_name,
    )


def _start(found: programmes.ProgrammeView) -> dict[str, Any]:
    """Return the version that the form starts from: the one asked for, else the last."""
    wanted = request.args.get("from", "")
    versions = {str(each.version): each for each in found.versions}
    chosen = versions.get(wanted) or (found.versions[-1] if found.versions else None)
    return {} if chosen is None else dict(chosen.policy)
