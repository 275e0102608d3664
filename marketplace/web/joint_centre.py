"""What a joint facility's centre is owed and was paid: for its parties to read, for finance to record transfers."""

from __future__ import annotations

from flask import Response, url_for

from billing.usecases import joint_centre_payments as use_cases
from marketplace.web.amounts import fen_of
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.policy_fields import parse_day
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import Problem
from tenants.kernel.vocabulary import Permission

pages = page_group("joint_centre")

_PLACES = {"amount_fen": "amount"}


@pages.get("/joint/agreements/<agreement_id>/centre")
def centre(agreement_id: str) -> Response:
    """Show what a version's centre is owed and was paid."""
    return _page(agreement_id, None)


@pages.post("/joint/agreements/<agreement_id>/centre")
def pay(agreement_id: str) -> Response:
    """Record a transfer to the centre, or take one back."""
    try:
        with page_work() as work:
            if field("payment"):
                use_cases.reverse_payment(work, payment_id=id_of(field("payment")), reason=field("reason"))
            else:
                use_cases.pay_centre(
                    work,
                    agreement_id=id_of(agreement_id),
                    amount_fen=fen_of("amount"),
                    reference=field("reference"),
                    paid_on=parse_day("paid_on"),
                )
    except Problem as problem:
        return _page(agreement_id, refusal_of(problem, lambda path: _PLACES.get(path, path)))
    return go(url_for("joint_centre.centre", agreement_id=agreement_id))


def _page(agreement_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.read_centre(work, agreement_id=id_of(agreement_id))
        may_pay = work.actor.may(Permission.DISBURSE)
    return show(
        "joint/centre.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        found=found,
        may_pay=may_pay,
        typed=given() if refusal else {},
    )
