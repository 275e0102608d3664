"""Finance and the operator: in whose name invoices are issued; finance: the virtual accounts of parks."""

from __future__ import annotations

from flask import Response, request, url_for

from billing.usecases import issuers as use_cases
from marketplace.web.pages import field, given, go, id_of, page_group, page_work
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import Problem
from tenants.kernel.vocabulary import Permission
from tenants.usecases import onboarding, people

pages = page_group("issuers")

FIELDS = ("name", "uscc", "address", "phone", "bank", "account")


@pages.get("/issuer")
def issuer() -> Response:
    """Show the particulars, proposed and confirmed, and the virtual accounts."""
    return _page(None)


@pages.post("/issuer")
def propose() -> Response:
    """Propose particulars."""
    try:
        with page_work() as work:
            use_cases.propose_issuer(work, **{name: field(name) for name in FIELDS})
    except Problem as problem:
        return _page(refusal_of(problem))
    return go(url_for("issuers.issuer"))


@pages.post("/issuer/<issuer_id>/confirmation")
def confirm(issuer_id: str) -> Response:
    """Confirm particulars that somebody else proposed."""
    try:
        with page_work() as work:
            use_cases.confirm_issuer(work, issuer_id=id_of(issuer_id))
    except Problem as problem:
        return _page(refusal_of(problem))
    return go(url_for("issuers.issuer"))


@pages.post("/issuer/accounts")
def assign() -> Response:
    """Note a park's virtual account."""
    try:
        with page_work() as work:
            use_cases.assign_account(work, park_id=id_of(field("park_id")), account=field("virtual_account"))
    except Problem as problem:
        return _page(refusal_of(problem, lambda _path: "virtual_account"))
    return go(url_for("issuers.issuer", _anchor="accounts"))


def _page(refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.list_issuers(work)
        named = {each.proposed_by for each in found} | {each.confirmed_by for each in found if each.confirmed_by}
        names = people.person_names(work, user_ids=named)
        accounts, parks = {}, None
        if work.actor.may(Permission.IMPORT_STATEMENT):
            accounts = use_cases.list_accounts(work)
            parks = onboarding.list_parks(work, limit=50, cursor=request.args.get("cursor"))
    current = next((each for each in found if each.is_current), None)
    return show(
        "issuer.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        issuers=found,
        current=current,
        names=names,
        accounts=accounts,
        parks=parks,
        typed=given() if refusal else {name: getattr(current, name) for name in FIELDS} if current else {},
    )
