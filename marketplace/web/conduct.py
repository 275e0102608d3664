"""How a park keeps its bookings, for both sides: suspensions and disputes of fees, and the way out of them."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, request, url_for

from billing.usecases import attendance_disputes as fee_disputes
from marketplace.usecases import attendance_disputes as disputes
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import suspensions
from tenants.kernel.errors import Problem
from tenants.kernel.vocabulary import Permission
from tenants.kernel.work import Work
from tenants.usecases import onboarding

pages = page_group("conduct")


@pages.get("/conduct")
def conduct() -> Response:
    """Show the own park's suspensions, those at the own provider, or all."""
    return _page(None, None)


@pages.post("/conduct/suspensions/<suspension_id>/lift")
def lift(suspension_id: str) -> Response:
    """End a suspension early."""
    wanted = id_of(suspension_id)
    return _done(
        suspension_id,
        lambda work: suspensions.lift_suspension(work, suspension_id=wanted, reason=field("reason")),
    )


@pages.post("/conduct/fees/<fee_id>/dispute")
def dispute(fee_id: str) -> Response:
    """Dispute an own fee."""
    wanted = id_of(fee_id)
    return _done(fee_id, lambda work: disputes.ask_dispute(work, fee_id=wanted, reason=field("reason")))


@pages.post("/conduct/disputes/<dispute_id>/insistence")
def insist(dispute_id: str) -> Response:
    """Take a dispute to the operator."""
    wanted = id_of(dispute_id)
    return _done(dispute_id, lambda work: fee_disputes.insist(work, dispute_id=wanted, reason=field("reason")))


@pages.post("/conduct/disputes/<dispute_id>/decision")
def decide(dispute_id: str) -> Response:
    """Answer or decide a dispute."""
    wanted, accept = id_of(dispute_id), field("action") == "accept"
    return _done(
        dispute_id,
        lambda work: disputes.decide_dispute(work, dispute_id=wanted, accept=accept, reason=field("reason")),
    )


def _done(about: str, do: Callable[[Work], object]) -> Response:
    try:
        with page_work() as work:
            do(work)
    except Problem as problem:
        return _page(refusal_of(problem), about)
    return go(url_for("conduct.conduct"))


def _page(refusal: Refusal | None, about: str | None) -> Response:
    with page_work() as work:
        own = work.actor.tenant_id is not None
        listed = suspensions.list_own_suspensions if own else suspensions.list_suspensions
        found = listed(work, limit=50, cursor=request.args.get("cursor"))
        listed_disputes = fee_disputes.list_own_disputes if own else fee_disputes.list_disputes
        disputed = listed_disputes(work, limit=50, cursor=request.args.get("disputes"))
        parks = {each.park_id for each in found.items} | {each.park_id for each in disputed.items}
        names = onboarding.park_names(work, park_ids=parks)
        fees = fee_disputes.disputable_fees(work) if own else ()
        operates = work.actor.may(Permission.RUN_PLATFORM)
        now = work.now
    return show(
        "conduct/conduct.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        about=about,
        typed=given() if refusal else {},
        suspensions=found,
        disputes=disputed,
        fees=fees,
        turn="insisted" if operates else "open",
        names=names,
        own=own,
        now=now,
    )
