"""A park's budgets: limits with what of them is used, setting one, ending one."""

from __future__ import annotations

from flask import Response, url_for

from billing.usecases import budgets as use_cases
from marketplace.web.amounts import fen_of
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import catalogue
from tenants.kernel.errors import Problem
from tenants.kernel.vocabulary import Permission

pages = page_group("budgets")

_FIELDS = {"key": "offering"}


@pages.get("/budgets")
def budgets() -> Response:
    """Show the limits that run."""
    return _page(None)


@pages.post("/budgets")
def set_budget() -> Response:
    """Set a limit; it replaces one of its sort."""
    try:
        with page_work() as work:
            use_cases.set_budget(
                work,
                limit=fen_of("limit"),
                scope="offering" if field("offering") else "park",
                key=field("offering"),
                measure=field("measure"),
                period=field("period"),
                hard_stop=field("hard_stop") == "yes",
            )
    except Problem as problem:
        return _page(refusal_of(problem, lambda path: _FIELDS.get(path, path)))
    return go(url_for("budgets.budgets"))


@pages.post("/budgets/<budget_id>/ending")
def end(budget_id: str) -> Response:
    """End a limit."""
    try:
        with page_work() as work:
            use_cases.end_budget(work, budget_id=id_of(budget_id))
    except Problem as problem:
        return _page(refusal_of(problem))
    return go(url_for("budgets.budgets"))


def _page(refusal: Refusal | None) -> Response:
    with page_work() as work:
        work.actor.require_tenant()
        found = use_cases.list_budgets(work)
        offerings = {each.slug: each for each in catalogue.list_offerings(work)}
        may_set = work.actor.may(Permission.MANAGE_BUDGET)
    return show(
        "budgets.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        budgets=found,
        offerings=offerings,
        may_set=may_set,
        typed=given() if refusal else {},
    )
