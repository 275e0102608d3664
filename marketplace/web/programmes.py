"""Subsidy programmes: their versions as data, written by one person and approved by another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any

from flask import Response, request, url_for

from billing.usecases import funds
from billing.usecases import programmes as use_cases
from marketplace.doors.policy_words import conditions_words, difference_words
from marketplace.doors.simulation_files import simulation_csv
from marketplace.usecases import simulations
from marketplace.web.charts import change_chart
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.policy_fields import bounds_field, bounds_of, json_of, parse_day
from marketplace.web.policy_words import read_conditions
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import NotFound, Problem
from tenants.kernel.messages import Message, msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work

pages = page_group("programmes")

STEPS = {
    "submit": (use_cases.submit_version, Permission.WRITE_PROGRAMME),
    "approve": (use_cases.approve_version, Permission.APPROVE_PROGRAMME),
    "withdraw": (use_cases.withdraw_version, Permission.WRITE_PROGRAMME),
}
"""What can be done with a version, by the name in its address; a rejection has an address of its own."""


@pages.get("/programmes")
def programmes() -> Response:
    """Show all programmes, and what counts on a day."""
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
                bounds=bounds_of(request.form),
            )
    except Problem as problem:
        return _list(refusal_of(problem, bounds_field))
    return go(url_for("programmes.programme", programme_id=made.id))


@pages.get("/programmes/<programme_id>")
def programme(programme_id: str) -> Response:
    """Show one programme with its versions."""
    return _page(programme_id, None)


@pages.post("/programmes/<programme_id>/versions")
def write(programme_id: str) -> Response:
    """Write the next version as JSON."""
    try:
        with page_work() as work:
            made = use_cases.write_version(work, programme_id=id_of(programme_id), policy=json_of("policy"))
    except Problem as problem:
        return _page(programme_id, refusal_of(problem, lambda path: "policy" if path == "policy" else None))
    return go(url_for("programmes.version", programme_id=programme_id, version=made.version))


@pages.get("/programmes/<programme_id>/versions/<int:version>")
def version(programme_id: str, version: int) -> Response:
    """Show a version: what it says, what it changes, and what it would have cost."""
    return _version(programme_id, version, None)


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
        return _page(programme_id, refusal_of(problem, lambda _path: None))
    return go(url_for("programmes.version", programme_id=programme_id, version=version))


@pages.post("/programmes/<programme_id>/versions/<int:version>/reject")
def reject(programme_id: str, version: int) -> Response:
    """Refuse a version with a reason."""
    try:
        with page_work() as work:
            use_cases.reject_version(work, programme_id=id_of(programme_id), version=version, reason=field("reason"))
    except Problem as problem:
        return _version(programme_id, version, refusal_of(problem))
    return go(url_for("programmes.version", programme_id=programme_id, version=version))


@pages.post("/programmes/<programme_id>/versions/<int:version>/simulate")
def simulate(programme_id: str, version: int) -> Response:
    """Try a version on a period's orders."""
    try:
        since, until = parse_day("from"), parse_day("to")
        with page_work() as work:
            made = simulations.simulate_version(
                work,
                programme_id=id_of(programme_id),
                version=version,
                from_=datetime.combine(since, time(), CHINA),
                to=datetime.combine(until, time(), CHINA),
                with_funds=field("with_funds") == "1",
            )
    except Problem as problem:
        return _version(programme_id, version, refusal_of(problem))
    return go(url_for("programmes.simulation", simulation_id=made.id))


@pages.get("/programmes/simulations/<simulation_id>")
def simulation(simulation_id: str) -> Response:
    """Show what a version would have changed; while it is worked out, how far it is."""
    with page_work() as work:
        found = simulations.read_simulation(work, simulation_id=id_of(simulation_id))
        owner = use_cases.read_programme(work, programme_id=found.programme_id)
        names = {} if found.result is None else simulations.read_finished(work, simulation_id=found.id).names
    chart = None if found.result is None else change_chart(found.result["by_month"])
    return show(
        "programmes/simulation.html", simulation=found, result=found.result, programme=owner, names=names, chart=chart
    )


@pages.get("/programmes/simulations/<simulation_id>/parks.csv")
def simulation_file(simulation_id: str) -> Response:
    """Export what each park gains and loses."""
    with page_work() as work:
        found = simulations.read_finished(work, simulation_id=id_of(simulation_id))
    return simulation_csv(found)


def _list(refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.list_programmes(work)
        on = request.args.get("on", "")
        at = datetime.combine(parse_day("on", request.args), time(12), CHINA) if on else work.now
        counting = use_cases.effective_policies(work, at=at)
    typed = {"small.min": "50", "small.max": "70", "large.min": "30", "large.max": "30"} if refusal is None else given()
    return show(
        "programmes/list.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        programmes=found,
        counting={each.policy.programme: each.policy.version for each in counting},
        at=at,
        typed=typed,
    )


def _page(programme_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.read_programme(work, programme_id=id_of(programme_id))
        steps = _open_steps(work)
        fund_names = _fund_names(work, found)
    return show(
        "programmes/programme.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        programme=found,
        steps=steps,
        said=_said,
        fund_names=fund_names,
        draft=(given().get("policy") if refusal is not None else None) or _prefilled(found),
    )


def _fund_names(work: Work, found: use_cases.ProgrammeView) -> dict[str, funds.FundName]:
    """Return what the funds of all versions are called."""
    slugs = {funder["fund"] for version in found.versions for funder in version.policy["funders"]}
    return funds.name_funds(work, slugs=slugs)


def _prefilled(found: use_cases.ProgrammeView) -> str:
    """Return the last version as the start of the next one, without what the platform writes itself."""
    document: dict[str, Any] = dict(found.versions[-1].policy) if found.versions else {}
    for name in ("programme", "version"):
        document.pop(name, None)
    return json.dumps(document, ensure_ascii=False, indent=2)


def _version(programme_id: str, version: int, refusal: Refusal | None) -> Response:
    against = request.args.get("against", "")
    with page_work() as work:
        found = use_cases.read_programme(work, programme_id=id_of(programme_id))
        compared = use_cases.compare_versions(
            work,
            programme_id=found.id,
            version=version,
            against=int(against) if against.isdecimal() and len(against) < 7 else None,
        )
        trials: tuple[simulations.SimulationView, ...] = ()
        if work.actor.may(Permission.SIMULATE_PROGRAMME):
            trials = simulations.list_simulations(work, programme_id=found.id, version=version)
        steps = _open_steps(work)
        fund_names = _fund_names(work, found)
    return show(
        "programmes/version.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        programme=found,
        version=next(each for each in found.versions if each.version == version),
        compared=compared,
        differences=[difference_words(each) for each in compared.differences],
        trials=trials,
        steps=steps,
        typed=given(),
        said=_said,
        fund_names=fund_names,
    )


def _open_steps(work: Work) -> dict[str, tuple[str, ...]]:
    """Return what the acting person may do with a version in each status."""
    write = work.actor.may(Permission.WRITE_PROGRAMME)
    approve = work.actor.may(Permission.APPROVE_PROGRAMME)
    return {
        "draft": ("submit", "withdraw") if write else (),
        "submitted": (("approve",) if approve else ()) + (("withdraw",) if write else ()),
    }


def _said(documents: Sequence[Mapping[str, Any]]) -> Message:
    """Say the conditions of a rate or ceiling."""
    return conditions_words(read_conditions(documents))
