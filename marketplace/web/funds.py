"""Earmarked funds: balances and outlook as pictures, opening one, and appropriations that a second person approves."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from flask import Response, url_for

from billing.usecases import fund_outlook
from billing.usecases import funds as use_cases
from billing.usecases.fund_views import FundView
from marketplace.web.amounts import fen_of
from marketplace.web.charts import fund_chart, outlook_chart
from marketplace.web.fund_forms import (
    SPLIT_ROWS,
    act,
    classes,
    form,
    fund_and_rights,
    names_of,
    places_to_choose,
    required,
    shares_typed,
    year_of,
)
from marketplace.web.pages import field, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import named, show
from tenants.kernel.errors import Problem
from tenants.kernel.work import Work

pages = page_group("funds")


@pages.get("/funds")
def funds() -> Response:
    """Show all funds."""
    return _list(None)


@pages.post("/funds")
def open_fund() -> Response:
    """Open a fund."""
    try:
        required("slug", "name", "year")
        with page_work() as work:
            made = use_cases.open_fund(
                work,
                slug=field("slug"),
                name=field("name"),
                name_en=field("name_en") or field("name"),
                year=year_of(field("year")),
            )
    except Problem as problem:
        return _list(refusal_of(problem))
    return go(url_for("funds.fund", fund_id=made.id))


@pages.get("/funds/<fund_id>")
def fund(fund_id: str) -> Response:
    """Show one fund with its outlook, appropriations and last movements."""
    return _page(fund_id, None)


@pages.post("/funds/<fund_id>/appropriations")
def appropriate(fund_id: str) -> Response:
    """Ask that money be put into a fund, split between regions where shares are given."""

    def ask(work: Work, found: UUID) -> object:
        return use_cases.request_appropriation(
            work,
            fund_id=found,
            amount_fen=fen_of("amount"),
            document_no=field("document_no"),
            split=shares_typed(),
        )

    return act(fund_id, ask, _page, _back, ("amount", "document_no"))


@pages.post("/funds/<fund_id>/appropriations/<appropriation_id>/approval")
def approve(fund_id: str, appropriation_id: str) -> Response:
    """Approve an appropriation that somebody else asked for."""

    def do(work: Work, _fund: UUID) -> object:
        return use_cases.approve_appropriation(work, appropriation_id=id_of(appropriation_id))

    return act(fund_id, do, _page, _back)


@pages.post("/funds/<fund_id>/appropriations/<appropriation_id>/rejection")
def reject(fund_id: str, appropriation_id: str) -> Response:
    """Refuse an appropriation that somebody else asked for, with the reason."""
    return act(fund_id, _ending(use_cases.reject_appropriation, appropriation_id), _page, _back)


@pages.post("/funds/<fund_id>/appropriations/<appropriation_id>/withdrawal")
def withdraw(fund_id: str, appropriation_id: str) -> Response:
    """Take back an appropriation that is not decided yet, with the reason."""
    return act(fund_id, _ending(use_cases.withdraw_appropriation, appropriation_id), _page, _back)


def _ending(use_case: Callable[..., object], appropriation_id: str) -> Callable[[Work, UUID], object]:
    def do(work: Work, _fund: UUID) -> object:
        return use_case(work, appropriation_id=id_of(appropriation_id), reason=field("reason"))

    return do


def _back(fund_id: str) -> Response:
    return go(url_for("funds.fund", fund_id=fund_id))


def _list(refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.list_funds(work)
        alerts = fund_outlook.list_alerts(work)
    return show(
        "funds/list.html",
        funds=found,
        alerts=alerts,
        fund_names={each.id: named(each) for each in found},
        chart=fund_chart(found) if found else None,
        **form(refusal),
    )


def _page(fund_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found, rights = fund_and_rights(work, fund_id)
        outlook = fund_outlook.read_outlook(work, fund_id=found.id)
        asked = use_cases.list_appropriations(work, fund_id=found.id)
        entries = use_cases.list_fund_entries(work, fund_id=found.id, limit=10)
        alerts = fund_outlook.list_alerts(work, fund_id=found.id)
        names = names_of(work, [each.requested_by for each in asked] + [each.approved_by for each in asked])
        places = places_to_choose(work)
    return show(
        "funds/fund.html",
        fund=found,
        chart=fund_chart((found,)),
        outlook=outlook,
        outlook_chart=outlook_chart(outlook, threshold_fen(found)),
        appropriations=asked,
        entries=entries,
        alerts=alerts,
        names=names,
        places=places,
        classes=classes(),
        split_rows=SPLIT_ROWS,
        **rights,
        **form(refusal),
    )


def threshold_fen(found: FundView) -> int | None:
    """Return the balance at which a fund counts as low; None where it never does."""
    return None if found.low_share_bp is None else found.budget_fen * found.low_share_bp // 10_000
