"""Discounts: the list, the form for one, and the second person's decision."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from flask import Response, request, url_for

from billing.usecases import discounts as billing
from billing.usecases.discounts import DiscountWish
from marketplace.usecases import discounts
from marketplace.web.amounts import fen_of, share_of
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.policy_fields import parse_day
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from services.usecases import catalogue
from tenants.kernel.clock import CHINA
from tenants.kernel.errors import Problem
from tenants.kernel.identifiers import parse_id
from tenants.kernel.vocabulary import Permission, Tier
from tenants.usecases import onboarding

pages = page_group("discounts")
_FIELDS = {"park_id": "whose", "tier": "whose", "rate_bp": "rate", "amount_fen": "amount", "valid_to": "last_day"}
_DECISIONS = {
    "approve": billing.approve_discount,
    "refuse": billing.refuse_discount,
    "end": billing.end_discount,
}


@pages.get("/discounts")
def discounts_list() -> Response:
    """Show discounts, newest first, and for finance the form for the next: for a tier, or the park ``?park=``."""
    return _page(None)


@pages.post("/discounts")
def ask() -> Response:
    """Put a discount in force, or ask for it."""
    try:
        wish = DiscountWish(
            park_id=parse_id(field("whose")),
            tier=Tier(field("whose")) if field("whose") in set(Tier) else None,
            offering=field("offering"),
            rate_bp=share_of("rate") if field("rate") else None,
            amount_fen=fen_of("amount") if field("amount") else None,
            valid_from=datetime.combine(parse_day("first_day"), time(), CHINA),
            valid_to=datetime.combine(parse_day("last_day") + timedelta(days=1), time(), CHINA),
            reason=field("reason"),
        )
        with page_work() as work:
            discounts.ask_discount(work, wish=wish)
    except Problem as problem:
        return _page(refusal_of(problem, lambda path: _FIELDS.get(path, path)))
    return go(url_for("discounts.discounts_list"))


@pages.post("/discounts/<discount_id>")
def decide(discount_id: str) -> Response:
    """Put a discount in force that somebody else asked for, refuse it, or end one."""
    act = _DECISIONS.get(field("decision"), billing.refuse_discount)
    try:
        with page_work() as work:
            act(work, discount_id=id_of(discount_id))
    except Problem as problem:
        return _page(refusal_of(problem, lambda _: None))
    return go(url_for("discounts.discounts_list"))


def _page(refusal: Refusal | None) -> Response:
    with page_work() as work:
        page = billing.list_discounts(work, limit=30, cursor=request.args.get("cursor"))
        offerings = {each.slug: each for each in catalogue.list_offerings(work)}
        may_set = work.actor.may(Permission.ISSUE_INVOICE)
        chosen = parse_id(field("park") or request.args.get("park", "")) if may_set else None
        park = None if chosen is None else onboarding.read_park(work, park_id=chosen)
    return show(
        "discounts.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        typed=given() if refusal else {},
        page=page,
        offerings=offerings,
        may_set=may_set,
        park=park,
        tiers=tuple(Tier),
    )
