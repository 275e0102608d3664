"""Editions of emission factors: everybody reads them, one operator brings one in, another decides."""

from __future__ import annotations

from flask import Response, request, url_for

from marketplace.doors.requests import takes_files
from marketplace.web.pages import field, go, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import carbon_factors as use_cases
from tenants.kernel.errors import NotFound, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission

pages = page_group("factors")


@pages.get("/factors")
def factors() -> Response:
    """Show the editions."""
    return _page(None)


@pages.post("/factors")
@takes_files
def bring() -> Response:
    """Bring an edition as a draft."""
    sent = request.files.get("file")
    content = sent.stream.read() if sent else b""
    try:
        with page_work() as work:
            made = use_cases.import_edition(work, name=field("name"), content=content)
    except Problem as problem:
        return _page(refusal_of(problem, lambda path: path if path == "name" else None))
    return go(url_for("factors.edition", code=made.code))


@pages.get("/factors/<code>")
def edition(code: str) -> Response:
    """Show an edition's factors with their sources."""
    return _edition(code, None)


@pages.post("/factors/<code>")
def decide(code: str) -> Response:
    """Publish or refuse a draft."""
    try:
        with page_work() as work:
            use_cases.decide_edition(
                work, code=code, decision="published" if field("decision") == "published" else "refused"
            )
    except Problem as problem:
        return _edition(code, refusal_of(problem))
    return go(url_for("factors.edition", code=code))


def _page(refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.list_editions(work)
        may_bring = work.actor.may(Permission.MANAGE_FACTORS)
    return show(
        "carbon/factors.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        editions=found,
        may_bring=may_bring,
        typed={"name": field("name")} if refusal else {},
    )


def _edition(code: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = next((each for each in use_cases.list_editions(work) if each.code == code), None)
        if found is None:
            raise NotFound("edition.not_found", msg("没有找到该因子版本。请从列表中选择。"))
        may_decide = (
            work.actor.may(Permission.MANAGE_FACTORS)
            and found.status == "draft"
            and found.imported_by != work.actor.user_id
        )
    return show(
        "carbon/edition.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        edition=found,
        may_decide=may_decide,
    )
