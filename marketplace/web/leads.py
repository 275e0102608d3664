"""Leads: what was listed to a park and who has claimed it; for the operator, companies that want no contact."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from marketplace.web.pages import day_field, field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.lead_allocation import ClaimStage, next_stages
from services.rules.lead_outcomes import LostReason, Outcome, outcome_of
from services.usecases import lead_claims, lead_contacts, lead_outcomes, lead_suppressions
from tenants.kernel.context import Reach
from tenants.kernel.errors import Conflict, Invalid, NotFound, Problem
from tenants.kernel.messages import msg
from tenants.usecases import onboarding, people

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
    return go(url_for("leads.leads", **_asked(), _anchor=uscc))


@pages.post("/leads/<uscc>/stage")
def move(uscc: str) -> Response:
    """Say how far a claimed company is."""
    try:
        with page_work() as work:
            lead_claims.move_lead(work, uscc=uscc, stage=_stage(field("stage")))
    except (Conflict, NotFound, Invalid) as problem:
        return _leads(refusal_of(problem))
    return go(url_for("leads.leads", **_asked(), _anchor=uscc))


@pages.post("/leads/<uscc>/outcome")
def record(uscc: str) -> Response:
    """Record what came of a company: one click, whose button names the outcome, and the reason where there is one."""
    try:
        outcome, reason = _outcome(field("outcome"))
        with page_work() as work:
            lead_claims.record_outcome(work, uscc=uscc, outcome=outcome, reason=reason)
    except (Conflict, NotFound, Invalid) as problem:
        return _leads(refusal_of(problem))
    return go(url_for("leads.leads", **_asked(), _anchor=uscc))


@pages.get("/leads/<uscc>/outcomes")
def outcomes(uscc: str) -> Response:
    """Show what the park has recorded of a company, and what it had been shown."""
    with page_work() as work:
        found = lead_outcomes.list_outcomes(work, uscc=uscc)
        names = people.colleague_names(work, user_ids={each.recorded_by for each in found})
    return show("leads/outcomes.html", uscc=uscc, outcomes=found, names=names)


@pages.post("/leads/<uscc>/contact")
def show_contact(uscc: str) -> Response:
    """Show a claimed company's number. It stands on this answer only, never in an address or the session."""
    try:
        with page_work() as work:
            shown = lead_contacts.show_contact(work, uscc=uscc)
    except (Conflict, NotFound) as problem:
        return _leads(refusal_of(problem))
    return _leads(shown=shown)


@pages.get("/lead-contacts")
def contacts() -> Response:
    """Show which numbers were shown, and to whom."""
    return _contacts()


@pages.post("/lead-contacts/limit")
def limit_contacts() -> Response:
    """Set how many numbers a park may be shown a day."""
    wanted = field("per_day")
    try:
        with page_work() as work:
            lead_contacts.set_contact_limit(work, per_day=int(wanted) if wanted.isdecimal() and len(wanted) < 6 else -1)
    except (Conflict, Invalid) as problem:
        return _contacts(refusal_of(problem))
    return go(url_for("leads.contacts"))


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


def _asked() -> dict[str, Any]:
    """Return which leads are looked at, as their address says it: words, only those without a record, and the page."""
    page = request.args.get("page", "")
    asked = {
        "q": request.args.get("q", "").replace("\0", "")[:200],
        "unrecorded": "yes" if request.args.get("unrecorded") == "yes" else "",
        "page": int(page) if page.isdecimal() and len(page) <= _MOST_DIGITS and int(page) > 1 else "",
    }
    return {name: value for name, value in asked.items() if value}


def _leads(refusal: Refusal | None = None, shown: lead_contacts.ShownContact | None = None) -> Response:
    asked = _asked()
    page = asked.get("page", 1)
    with page_work() as work:
        found = lead_claims.list_leads(
            work, words=asked.get("q", ""), unrecorded="unrecorded" in asked, limit=_AT_ONE_PAGE + 1,
            offset=_AT_ONE_PAGE * (page - 1),
        )  # fmt: skip
        limit, seen = lead_contacts.read_contact_limit(work), lead_contacts.shown_today(work)
    return show(
        "leads/leads.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        leads=found[:_AT_ONE_PAGE],
        more=len(found) > _AT_ONE_PAGE,
        asked=asked,
        page=page,
        steps={stage.value: _steps(stage) for stage in ClaimStage},
        outcomes=_AT_ONCE,
        reasons=[each.value for each in LostReason],
        shown=shown,
        limit=limit,
        seen=seen,
    )


def _contacts(refusal: Refusal | None = None) -> Response:
    with page_work() as work:
        found = lead_contacts.list_showings(work, cursor=request.args.get("cursor"))
        limit = lead_contacts.read_contact_limit(work)
        staff = work.actor.reach is Reach.STAFF
        known = people.person_names if staff else people.colleague_names
        names = known(work, user_ids={each.shown_by for each in found.items})
        parks = onboarding.park_names(work, park_ids={each.park_id for each in found.items}) if staff else {}
    return show(
        "leads/contacts.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else {"per_day": limit.per_day},
        showings=found,
        limit=limit,
        staff=staff,
        names=names,
        parks=parks,
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


_AT_ONE_PAGE = 50
_MOST_DIGITS = 4
_AT_ONCE = (Outcome.VISITED.value, Outcome.SIGNED.value)
"""Outcomes with a button of their own, also for who has not claimed the company or skips a step."""


def _steps(stage: ClaimStage) -> list[str]:
    """Return the steps of a claim that have a button; losing has one for each reason instead."""
    return [each.value for each in next_stages(stage) if outcome_of(each) is not Outcome.LOST]


def _outcome(text: str) -> tuple[Outcome, LostReason | None]:
    """Return what a button says: an outcome, and after a colon the reason."""
    outcome, _, reason = text.partition(":")
    try:
        return Outcome(outcome), LostReason(reason) if reason else None
    except ValueError:
        raise Invalid("leads.outcome", msg("请从所列结果中选择。")) from None


def _stage(text: str) -> ClaimStage:
    try:
        return ClaimStage(text)
    except ValueError:
        raise Invalid("leads.stage", msg("请从所列进展中选择。")) from None
