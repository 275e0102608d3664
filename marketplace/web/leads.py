"""Leads: what was listed to a park and who has claimed it; for the operator, companies that want no contact."""

from __future__ import annotations

from flask import Response, url_for

from marketplace.web.pages import day_field, field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.lead_allocation import ClaimStage, next_stages
from services.usecases import lead_claims, lead_suppressions
from tenants.kernel.errors import Conflict, Invalid, NotFound, Problem
from tenants.kernel.messages import msg

pages = page_group("leads")


@pages.get("/leads")
def leads() -> Response:
    """Show the companies that were listed to the park."""
    return _leads()


@pages.post("/leads/<uscc>/claim")
def claim(uscc: str) -> Response:
    """Claim a company."""
    try:
        with page_work() as work:
            lead_claims.claim_lead(work, uscc=uscc)
    except (Conflict, NotFound) as problem:
        return _leads(refusal_of(problem))
    return go(url_for("leads.leads", _anchor=uscc))


@pages.post("/leads/<uscc>/stage")
def move(uscc: str) -> Response:
    """Say how far a claimed company is."""
    try:
        with page_work() as work:
            lead_claims.move_lead(work, uscc=uscc, stage=_stage(field("stage")))
    except (Conflict, NotFound, Invalid) as problem:
        return _leads(refusal_of(problem))
    return go(url_for("leads.leads", _anchor=uscc))


@pages.get("/lead-suppressions")
def suppressions() -> Response:
    """Show the companies that asked not to be contacted."""
    return _suppressions()


@pages.post("/lead-suppressions")
def suppress() -> Response:
    """Note that a company wants no contact."""
    try:
        with page_work() as work:
            lead_suppressions.suppress_company(
                work, uscc=field("uscc"), asked_on=day_field("asked_on"), reason=field("reason")
            )
    except Problem as problem:
        return _suppressions(refusal_of(problem))
    return go(url_for("leads.suppressions"))


@pages.post("/lead-suppressions/<suppression_id>/lift")
def lift(suppression_id: str) -> Response:
    """Let a company be listed again."""
    with page_work() as work:
        lead_suppressions.lift_suppression(work, suppression_id=id_of(suppression_id))
    return go(url_for("leads.suppressions"))


def _leads(refusal: Refusal | None = None) -> Response:
    with page_work() as work:
        found = lead_claims.list_leads(work)
    return show(
        "leads/leads.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        leads=found,
        steps={stage.value: [each.value for each in next_stages(stage)] for stage in ClaimStage},
    )


def _suppressions(refusal: Refusal | None = None) -> Response:
    with page_work() as work:
        found = lead_suppressions.list_suppressions(work)
    return show(
        "leads/suppressions.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else {},
        suppressions=found,
    )


def _stage(text: str) -> ClaimStage:
    try:
        return ClaimStage(text)
    except ValueError:
        raise Invalid("leads.stage", msg("请从所列进展中选择。")) from None
