"""Qualifications for using instruments: a person asks with evidence, the provider grants, declines and revokes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from flask import Response, request, url_for

from marketplace.api.artefacts import download
from marketplace.doors.current import current_market
from marketplace.doors.requests import MIB, takes_files
from marketplace.web.pages import day_field, field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import artefacts, instruments, qualification_decisions
from services.usecases import qualifications as use_cases
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Problem
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding

pages = page_group("qualifications")

USUAL_VALIDITY = timedelta(days=365)
"""What the form of a grant proposes."""


@pages.get("/qualifications")
def qualifications() -> Response:
    """Show what can be asked for and what was, or what the own provider is asked for."""
    return _page(None, None)


@pages.post("/qualifications/instruments/<instrument_id>")
@takes_files
def ask(instrument_id: str) -> Response:
    """Ask for what an instrument asks for, with evidence and a file where there is one."""
    sent = request.files.get("file")
    limit = current_market().settings.max_upload_mib * MIB
    content = sent.stream.read(limit + 1) if sent is not None and sent.filename else None

    def carry_out(work: Work) -> object:
        kept = None
        if sent is not None and content is not None:
            kept = artefacts.upload(
                work, name=sent.filename or "", media_type=sent.mimetype, content=content, most_bytes=limit
            ).id
        return use_cases.ask(work, instrument_id=id_of(instrument_id), evidence=field("evidence"), artefact_id=kept)

    return _done(instrument_id, carry_out)


@pages.get("/qualifications/<request_id>/evidence")
def evidence(request_id: str) -> Response:
    """Save the file that a request came with."""
    with page_work() as work:
        found = use_cases.open_evidence(work, request_id=id_of(request_id))
    return download(found.view.name, found.view.media_type, found.content, sha256=found.view.sha256)


@pages.post("/qualifications/<request_id>/decision")
def decide(request_id: str) -> Response:
    """Grant or decline a request."""
    wanted = id_of(request_id)
    if field("action") == "grant":
        return _done(
            request_id,
            lambda work: qualification_decisions.grant(
                work, request_id=wanted, until=day_field("valid_until"), reason=field("reason")
            ),
        )
    return _done(
        request_id, lambda work: qualification_decisions.decline(work, request_id=wanted, reason=field("reason"))
    )


@pages.post("/qualifications/<request_id>/revocation")
def revoke(request_id: str) -> Response:
    """Take a grant back."""
    wanted = id_of(request_id)
    return _done(
        request_id, lambda work: qualification_decisions.revoke(work, request_id=wanted, reason=field("reason"))
    )


def _done(about: str, do: Callable[[Work], object]) -> Response:
    try:
        with page_work() as work:
            do(work)
    except Problem as problem:
        return _page(refusal_of(problem), about)
    return go(url_for("qualifications.qualifications"))


def _page(refusal: Refusal | None, about: str | None) -> Response:
    with page_work() as work:
        own = work.actor.tenant_id is not None
        work.actor.require(Permission.ASK_QUOTE if own else Permission.DECIDE_QUALIFICATION)
        found = use_cases.list_requests(work, cursor=request.args.get("cursor"))
        offered = {each.id: each for each in instruments.list_instruments(work)} if own else {}
        lacking = () if own else qualification_decisions.list_lacking(work)
        parks = {each.park_id for each in found.items} | {each.park_id for each in lacking}
        names = {} if own else onboarding.park_names(work, park_ids=parks)
        standings = use_cases.standings(work, instruments=offered.values())
        today = work.now.astimezone(CHINA).date()
    return show(
        "provider/qualifications.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        about=about,
        typed=given() if refusal else {},
        own=own,
        requests=found,
        standings=tuple((offered[each], standing) for each, standing in standings.items()),
        lacking=lacking,
        names=names,
        today=today.isoformat(),
        usual=(today + USUAL_VALIDITY).isoformat(),
    )
