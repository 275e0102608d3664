"""Awards that come after the delivery: what a park can claim, claiming with evidence, confirming; for staff to read."""

from __future__ import annotations

from flask import Response, request, url_for

from billing.usecases import entitlement_claims
from billing.usecases import entitlements as use_cases
from billing.usecases.entitlement_claims import NEEDED
from billing.usecases.evidence import Upload
from marketplace.doors.requests import takes_files
from marketplace.web.pages import field, go, id_of, page_group, page_work, person
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import Conflict, Invalid, Problem
from tenants.kernel.messages import msg

pages = page_group("entitlements")

MODES = ("reimburse", "auto")
STATUSES = ("offered", "claimed", "withdrawn")
MOST_AT_ONCE = 100


@pages.get("/entitlements")
def entitlements() -> Response:
    """Show awards that come after the delivery, the latest first."""
    return _list(None)


@pages.post("/entitlements/confirmation")
def confirm_all() -> Response:
    """Accept every award that was shown with its amount, each in a transaction of its own: one that fails stops none."""
    person()
    shown = [(id_of(name.removeprefix("amount-")), value) for name, value in request.form.items() if "amount-" in name]
    refused: Problem | None = None
    for entitlement_id, amount in shown[:MOST_AT_ONCE]:
        try:
            with page_work() as work:
                entitlement_claims.confirm_entitlement(work, entitlement_id=entitlement_id, amount_fen=_fen(amount))
        except Conflict as problem:
            refused = problem
    if refused is not None:
        return _list(refusal_of(refused, lambda _: None))
    return go(url_for("entitlements.entitlements"))


@pages.get("/entitlements/<entitlement_id>")
def entitlement(entitlement_id: str) -> Response:
    """Show one award, with the form that its state asks for."""
    return _page(entitlement_id, None)


@pages.post("/entitlements/<entitlement_id>/claim")
@takes_files
def claim(entitlement_id: str) -> Response:
    """Claim an award with contract, invoice and proof of payment, or complete a claim that was sent back."""
    person()  # a visitor is led to sign in before a file is read
    try:
        documents = _files()
        with page_work() as work:
            entitlement_claims.claim_entitlement(
                work,
                entitlement_id=id_of(entitlement_id),
                amount_fen=_fen(field("amount_fen")),
                documents=documents,
            )
    except Problem as problem:
        return _page(entitlement_id, refusal_of(problem))
    return go(url_for("entitlements.entitlement", entitlement_id=entitlement_id))


@pages.post("/entitlements/<entitlement_id>/confirmation")
def confirm(entitlement_id: str) -> Response:
    """Accept an award that the platform found."""
    try:
        with page_work() as work:
            entitlement_claims.confirm_entitlement(
                work, entitlement_id=id_of(entitlement_id), amount_fen=_fen(field("amount_fen"))
            )
    except Problem as problem:
        return _page(entitlement_id, refusal_of(problem))
    return go(url_for("entitlements.entitlement", entitlement_id=entitlement_id))


@pages.post("/entitlements/<entitlement_id>/withdrawal")
def withdraw(entitlement_id: str) -> Response:
    """Give an award up for good."""
    try:
        with page_work() as work:
            entitlement_claims.withdraw_entitlement(work, entitlement_id=id_of(entitlement_id))
    except Problem as problem:
        return _page(entitlement_id, refusal_of(problem))
    return go(url_for("entitlements.entitlement", entitlement_id=entitlement_id))


def _list(refusal: Refusal | None) -> Response:
    mode, status = request.args.get("mode"), request.args.get("status")
    mode = mode if mode in MODES else None
    status = status if status in STATUSES else None
    programme = request.args.get("programme", "").strip()[:64] or None
    with page_work() as work:
        page = use_cases.list_entitlements(
            work, mode=mode, status=status, programme=programme, limit=30, cursor=request.args.get("cursor")
        )
    return show(
        "entitlements/list.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        page=page,
        chosen={"mode": mode, "status": status, "programme": programme},
        modes=MODES,
        statuses=STATUSES,
    )


def _page(entitlement_id: str, refusal: Refusal | None) -> Response:
    with page_work() as work:
        found = use_cases.read_entitlement(work, entitlement_id=id_of(entitlement_id))
    status = 200 if refusal is None else refusal.status
    return show("entitlements/entitlement.html", status=status, refusal=refusal, entitlement=found, needed=NEEDED)


def _files() -> dict[str, Upload]:
    """Return the files that were chosen; an empty choice sends a nameless file."""
    found: dict[str, Upload] = {}
    for kind in NEEDED:
        sent = request.files.get(kind)
        if sent is not None and sent.filename:
            found[kind] = Upload(sent.filename, sent.mimetype or "application/octet-stream", sent.stream.read())
    return found


def _fen(text: str) -> int:
    """Return the amount that a page of ours showed and sends back."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 16):
        raise Invalid("form.amount", msg("页面上的金额已失效。请刷新页面后重试。"))
    return int(text)
