"""What fits an enterprise: a profile is typed in, and policies, funds and laboratories answer. Nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, request

from marketplace.doors.measure_words import FACTS, FIELDS, KINDS, QUALIFICATIONS, VERDICTS, finding_words
from marketplace.web.amounts import fen_of
from marketplace.web.pages import field, given, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.rules.matching import Verdict
from services.usecases import measures
from tenants.kernel.context import Actor
from tenants.kernel.errors import Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.rules.faults import Faults
from tenants.usecases import onboarding

pages = page_group("matching")

COUNTS = ("staff", "rd_staff", "patents", "invention_patents")
MONEY = ("revenue_fen", "rd_spend_fen", "hightech_revenue_fen", "assets_fen", "taxable_income_fen")
CODES = ("founded_on", "industry", "region_code")
FLAGS = ("restricted", "on_dishonesty_list")
NOT_STATED = "not_stated"
"""The box that says that a set has not been stated, since ticking nothing of it says that there is nothing."""


@pages.get("/matching")
def matching() -> Response:
    """Show the form, with the park's own county filled in."""
    with page_work() as work:
        work.actor.require(Permission.READ_CATALOGUE)
        typed = {"region_code": _own_region(work, work.actor), NOT_STATED: ["fields", "qualifications"]}
    return _page(typed, None, None)


@pages.post("/matching")
def match() -> Response:
    """Answer with what fits the enterprise that was typed in."""
    typed = given() | {name: request.form.getlist(name) for name in ("fields", "qualifications", NOT_STATED)}
    typed[NOT_STATED] = [name for name in typed[NOT_STATED] if not typed.get(name)]
    try:
        profile = _profile()
        with page_work() as work:
            report = measures.match_enterprise(work, profile=profile)
    except Problem as problem:
        return _page(typed, refusal_of(problem, _field_of), None)
    return _page(typed, None, report)


def _page(typed: Mapping[str, Any], refusal: Refusal | None, report: measures.MatchReport | None) -> Response:
    found = report.matches if report else ()
    return show(
        "matching.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=typed,
        report=report,
        counts={verdict: sum(each.match.verdict is verdict for each in found) for verdict in Verdict},
        titles={each.measure.slug: each.measure.document for each in found},
        facts=FACTS,
        fields=FIELDS,
        qualifications=QUALIFICATIONS,
        kinds=KINDS,
        verdicts=VERDICTS,
        finding_words=finding_words,
    )


def _profile() -> dict[str, Any]:
    """Return the profile as it was typed: what is empty is not stated."""
    profile: dict[str, Any] = {name: field(name) for name in CODES if field(name)}
    with Faults() as faults:
        for name in COUNTS:
            if field(name):
                profile[name] = faults.take(name, _count, field(name))
        for name in MONEY:
            if field(name):
                profile[name] = faults.take(name, fen_of, name)
    for name in FLAGS:
        if field(name) in {"yes", "no"}:
            profile[name] = field(name) == "yes"
    for name in ("fields", "qualifications"):
        ticked = request.form.getlist(name)
        if ticked or name not in request.form.getlist(NOT_STATED):
            profile[name] = ticked
    return profile


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 8:
        raise Invalid("form.count", msg("须为不带小数的个数，例如 50。"))
    return int(text)


def _field_of(path: str) -> str | None:
    """Return the field of a path such as ``profile.fields[0]``; None for what concerns several at once."""
    return path.removeprefix("profile").strip(".").partition("[")[0] or None


def _own_region(work: Work, actor: Actor) -> str:
    if actor.tenant_id is None or not actor.may(Permission.READ_PARK):
        return ""
    return onboarding.read_park(work, park_id=actor.tenant_id).region_code
