"""Money of a fund that moves without being spent: asked for by one person, decided by another."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from flask import Response, request, url_for

from billing.usecases import fund_outlook, funds
from billing.usecases import fund_transfers as use_cases
from marketplace.web.amounts import fen_of
from marketplace.web.fund_forms import act, classes, form, fund_and_rights, names_of, places_to_choose
from marketplace.web.pages import field, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal
from marketplace.web.rendering import show
from tenants.kernel.work import Work

pages = page_group("fund_transfers")


@pages.get("/funds/<fund_id>/transfers")
def transfers(fund_id: str) -> Response:
    """Show what was moved, what waits for a decision, and what could be moved."""
    return _page(fund_id, None)


@pages.post("/funds/<fund_id>/transfers")
def ask(fund_id: str) -> Response:
    """Ask that money go from one part of the fund to another."""

    def do(work: Work, found: UUID) -> object:
        return use_cases.request_transfer(
            work,
            fund_id=found,
            envelope=field("envelope"),
            to_envelope=field("to_envelope"),
            amount_fen=fen_of("amount"),
            reason=field("reason"),
            document_no=field("document_no"),
        )

    return act(fund_id, do, _page, _back, ("amount", "reason"))


@pages.post("/funds/<fund_id>/returns")
def give_back(fund_id: str) -> Response:
    """Ask that unspent money go back to the treasury."""

    def do(work: Work, found: UUID) -> object:
        return use_cases.request_return(
            work,
            fund_id=found,
            envelope=field("envelope"),
            amount_fen=fen_of("amount"),
            reason=field("reason"),
            document_no=field("document_no"),
        )

    return act(fund_id, do, _page, _back, ("amount", "reason"))


@pages.post("/funds/<fund_id>/carry-overs")
def carry_over(fund_id: str) -> Response:
    """Ask that all unspent money go into a later year's fund."""

    def do(work: Work, found: UUID) -> object:
        return use_cases.request_carry_over(
            work,
            fund_id=found,
            to_fund_id=id_of(field("to_fund_id")),
            reason=field("reason"),
            document_no=field("document_no"),
        )

    return act(fund_id, do, _page, _back, ("to_fund_id", "reason"))


@pages.post("/funds/<fund_id>/transfers/<transfer_id>/approval")
def approve(fund_id: str, transfer_id: str) -> Response:
    """Approve what somebody else asked; the money moves now."""

    def do(work: Work, _fund: UUID) -> object:
        return use_cases.approve_transfer(work, transfer_id=id_of(transfer_id))

    return act(fund_id, do, _page, _back)


@pages.post("/funds/<fund_id>/transfers/<transfer_id>/rejection")
def reject(fund_id: str, transfer_id: str) -> Response:
    """Refuse what somebody else asked, with the reason."""
    return act(fund_id, _ending(use_cases.reject_transfer, transfer_id), _page, _back)


@pages.post("/funds/<fund_id>/transfers/<transfer_id>/withdrawal")
def withdraw(fund_id: str, transfer_id: str) -> Response:
    """Take back what is not decided yet, with the reason."""
    return act(fund_id, _ending(use_cases.withdraw_transfer, transfer_id), _page, _back)


def _ending(use_case: Callable[..., object], transfer_id: str) -> Callable[[Work, UUID], object]:
    def do(work: Work, _fund: UUID) -> object:
        return use_case(work, transfer_id=id_of(transfer_id), reason=field("reason"))

    return do


def _back(fund_id: str) -> Response:
    return go(url_for("fund_transfers.transfers", fund_id=fund_id))


def _page(fund_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found, rights = fund_and_rights(work, fund_id)
        moved = use_cases.list_transfers(work, fund_id=found.id)
        idle = fund_outlook.propose_rebalancing(work, fund_id=found.id)
        others = {each.id: each for each in funds.list_funds(work)}
        people = [person for each in moved for person in (each.requested_by, each.approved_by, each.ended_by)]
        names, places = names_of(work, people), places_to_choose(work)
    given = form(refusal)
    if not given["typed"] and request.method == "GET":
        given["typed"] = dict(request.args)
    return show(
        "funds/transfers.html",
        fund=found,
        transfers=moved,
        idle=idle,
        others=others,
        later=[each for each in others.values() if each.year > found.year and each.status == "open"],
        names=names,
        places=places,
        classes=classes(),
        form_of=request.path.rpartition("/")[2],
        **rights,
        **given,
    )
