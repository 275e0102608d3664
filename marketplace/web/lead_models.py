"""The editions of the ranking model: their cards, a new fit, and putting an earlier one back."""

from __future__ import annotations

from flask import Response, url_for

from marketplace.web.pages import field, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.lead_editions import RESTORABLE
from services.usecases import lead_editions
from tenants.kernel.errors import Conflict, Invalid
from tenants.usecases import people

pages = page_group("lead_models")


@pages.get("/lead-models")
def editions() -> Response:
    """Show the editions."""
    return _editions()


@pages.post("/lead-models")
def refit() -> Response:
    """Let a worker fit a new edition, and lead to its progress."""
    try:
        with page_work() as work:
            made = lead_editions.start_refit(work)
    except Conflict as problem:
        return _editions(refusal_of(problem))
    return go(url_for("lead_models.one", edition_id=made.id))


@pages.post("/lead-models/measure")
def measure() -> Response:
    """Let a worker measure the edition in force."""
    with page_work() as work:
        lead_editions.ask_measurement(work)
    return go(url_for("lead_models.editions"))


@pages.get("/lead-models/<edition_id>")
def one(edition_id: str) -> Response:
    """Show an edition's card and what happened to it."""
    return _one(edition_id, "leads/edition.html")


@pages.get("/lead-models/<edition_id>/live")
def live(edition_id: str) -> Response:
    """Show the part of an edition that moves; it asks for itself again until the fit has ended."""
    return _one(edition_id, "leads/edition_live.html")


@pages.post("/lead-models/<edition_id>/put-back")
def put_back(edition_id: str) -> Response:
    """Put an earlier edition in force again."""
    try:
        with page_work() as work:
            lead_editions.put_back(work, edition_id=id_of(edition_id), reason=field("reason"))
    except (Conflict, Invalid) as problem:
        return _one(edition_id, "leads/edition.html", refusal_of(problem, lambda path: path))
    return go(url_for("lead_models.one", edition_id=edition_id))


def _one(edition_id: str, template: str, refusal: Refusal | None = None) -> Response:
    with page_work() as work:
        report = lead_editions.read_edition(work, edition_id=id_of(edition_id))
        names = people.colleague_names(work, user_ids={each.by for each in report.steps if each.by is not None})
    return show(
        template,
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        report=report,
        edition=report.edition,
        names=names,
        may_return=report.edition.status in RESTORABLE,
    )


def _editions(refusal: Refusal | None = None) -> Response:
    with page_work() as work:
        found = lead_editions.list_editions(work)
    return show(
        "leads/editions.html", status=200 if refusal is None else refusal.status, refusal=refusal, editions=found
    )
