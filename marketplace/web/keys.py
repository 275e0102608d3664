"""API keys: programs that act for the organisation."""

from __future__ import annotations

from flask import Response, request, url_for

from marketplace.web.pages import field, given, go, id_of, page_group, page_work, person
from marketplace.web.refusals import refusal_of
from marketplace.web.rendering import show
from tenants.kernel.errors import Problem
from tenants.usecases import api_keys

pages = page_group("keys")


@pages.get("/keys")
def keys() -> Response:
    """Show the organisation's keys."""
    with page_work() as work:
        page = api_keys.list_api_keys(work, limit=50, cursor=request.args.get("cursor"))
    return show("keys.html", page=page, typed={}, scopes=_scopes(), chosen=())


@pages.post("/keys")
def make() -> Response:
    """Make a key and show its secret this once."""
    new, refusal = None, None
    chosen = request.form.getlist("scopes")
    try:
        with page_work() as work:
            new = api_keys.create_api_key(work, name=field("name"), scopes=chosen)
    except Problem as problem:
        refusal = refusal_of(problem)
    with page_work() as work:
        page = api_keys.list_api_keys(work)
    return show(
        "keys.html",
        status=201 if refusal is None else refusal.status,
        page=page,
        new=new,
        refusal=refusal,
        typed=given() if refusal else {},
        scopes=_scopes(),
        chosen=chosen if refusal else (),
    )


@pages.post("/keys/<client_id>/revoke")
def revoke(client_id: str) -> Response:
    """End a key."""
    with page_work() as work:
        api_keys.revoke_api_key(work, client_id=id_of(client_id))
    return go(url_for("keys.keys"))


def _scopes() -> tuple[str, ...]:
    """Return what a key of the acting person may be given."""
    return tuple(sorted(permission.value for permission in person().permissions))
