"""The operator's policies, funds and laboratories: versions laid down as JSON documents, ended on a day."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, url_for

from marketplace.doors.measure_words import KINDS, STACKING, STATES
from marketplace.web.pages import day_field, field, given, go, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import measures as use_cases
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import FieldError, Invalid, Problem
from tenants.kernel.messages import msg
from tenants.kernel.vocabulary import Permission

pages = page_group("measures")

EXAMPLE: dict[str, Any] = {
    "slug": "example",
    "kind": "policy",
    "title": "…",
    "issuer": "…",
    "region_code": "410000",
    "valid_from": "2026-01-01",
    "source": {"document": "…〔2026〕1号", "clause": "第三条"},
    "requirements": {"all": [{"fact": "staff", "is": "lte", "value": 500, "clause": "第三条"}]},
    "benefit": {"text": "…", "amount_fen": 10000000},
}
"""What a new document may look like."""


@pages.get("/measures")
def measures() -> Response:
    """Show every measure in its newest version, and the form for another one."""
    return _page(None)


@pages.post("/measures")
def save() -> Response:
    """Lay down a measure or its next version."""
    try:
        document = _document(field("document"))
        with page_work() as work:
            saved = use_cases.save_measure(work, measure=document)
    except Problem as problem:
        return _page(refusal_of(problem, lambda path: "document" if path == "document" else None))
    return go(url_for("measures.measure", slug=saved.slug))


@pages.get("/measures/<slug>")
def measure(slug: str) -> Response:
    """Show a measure's versions."""
    return _measure(slug, None)


@pages.post("/measures/<slug>/end")
def end(slug: str) -> Response:
    """End a measure."""
    try:
        with page_work() as work:
            use_cases.end_measure(work, slug=slug, on=day_field("on"))
    except Problem as problem:
        return _measure(slug, refusal_of(problem))
    return go(url_for("measures.measure", slug=slug))


def _page(refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require(Permission.MANAGE_CATALOGUE)
        found = use_cases.list_measures(work)
        today = work.now.astimezone(CHINA).date()
    return show(
        "measures/list.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else {"document": _pretty(EXAMPLE)},
        measures=found,
        states={each.slug: each.state(today) for each in found},
        kinds=KINDS,
        state_words=STATES,
    )


def _measure(slug: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require(Permission.MANAGE_CATALOGUE)
        versions = use_cases.list_versions(work, slug=slug)
        today = work.now.astimezone(CHINA).date()
    return show(
        "measures/measure.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else {"on": today.isoformat()},
        versions=versions,
        newest=versions[0],
        state=versions[0].state(today),
        documents=[
            _pretty(each.document.model_dump(mode="json", by_alias=True, exclude_none=True)) for each in versions
        ],
        kinds=KINDS,
        state_words=STATES,
        stacking_words=STACKING,
    )


def _pretty(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        wrong = msg("不是有效的 JSON 对象。请检查括号、引号和逗号。")
        raise Invalid("measure.json", wrong, errors=[FieldError("document", "measure.json", wrong)])
    return document
