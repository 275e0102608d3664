"""Signing in and out, signing a park up, and choosing a language."""

from __future__ import annotations

from flask import Response, request, session, url_for

from marketplace.demo import world
from marketplace.doors.current import current_market
from marketplace.doors.identity import platform_working, proving
from marketplace.doors.language import COOKIE, reader_language
from marketplace.doors.texts import LANGUAGES
from marketplace.web.pages import USER, field, given, go, own_path, page_group, sign_in_session
from marketplace.web.refusals import Refusal, refusal_of
from marketplace.web.rendering import again, show
from tenants.kernel.errors import Problem, TooMany, Unauthenticated
from tenants.kernel.vocabulary import ParkSize
from tenants.rules.people import normal_login
from tenants.usecases import identity, onboarding

pages = page_group("account")

LANGUAGE_LIFE = 365 * 24 * 3600
"""Seconds that a choice of language is kept."""
_FIELD_OF = {"park.already_signed_up": "uscc", "user.login_taken": "login"}


@pages.get("/sign-in")
def sign_in() -> Response:
    """Show the sign-in form; somebody who is signed in goes on."""
    if session.get(USER):
        return go(_onward())
    return show("account/sign_in.html", typed={}, demo=_demo_logins(), next=request.args.get("next", ""))


@pages.post("/sign-in")
def enter() -> Response:
    """Sign in with login and password."""
    try:
        with proving("sign-in", normal_login(field("login"))) as work:
            signed_in = identity.sign_in(work, login=field("login"), password=request.form.get("password", ""))
    except (Unauthenticated, TooMany) as problem:
        refusal = refusal_of(problem)
        return again(
            "account/sign_in.html", refusal, typed=given(), demo=_demo_logins(), next=request.form.get("next", "")
        )
    sign_in_session(signed_in.user_id)
    return go(_onward())


@pages.post("/sign-out")
def sign_out() -> Response:
    """End the session."""
    session.clear()
    return go(url_for("account.sign_in"))


@pages.get("/sign-up")
def sign_up() -> Response:
    """Show the form with which a park joins; county and size may come along from the pre-check."""
    return show("account/sign_up.html", typed=request.args, sizes=tuple(ParkSize))


@pages.post("/sign-up")
def join() -> Response:
    """Sign a park up, and its administrator in."""
    names = ("name", "uscc", "region_code", "size", "login", "contact_name")
    password = request.form.get("password", "")
    try:
        with platform_working("sign-up") as work:
            onboarding.sign_up_park(
                work, **{name: field(name) for name in names}, password=password, language=reader_language()
            )
            signed_in = identity.sign_in(work, login=field("login"), password=password)
    except Problem as problem:
        refusal = _at_its_field(refusal_of(problem))
        return again("account/sign_up.html", refusal, typed=given(), sizes=tuple(ParkSize))
    sign_in_session(signed_in.user_id)
    return go(url_for("home.home", welcome=1))


@pages.get("/language/<code>")
def language(code: str) -> Response:
    """Keep the visitor's choice of language and go back to the page they came from."""
    response = go(own_path(request.args.get("next")) or url_for("home.home"))
    if code in LANGUAGES:
        response.set_cookie(
            COOKIE,
            code,
            max_age=LANGUAGE_LIFE,
            httponly=True,
            samesite="Lax",
            secure=not current_market().settings.is_demo,
        )
    return response


def _onward() -> str:
    return own_path(request.values.get("next")) or url_for("home.home")


def _at_its_field(refusal: Refusal) -> Refusal:
    """Put a refusal that is about one field, without saying so, at that field."""
    name = _FIELD_OF.get(refusal.code)
    if name is not None:
        refusal.fields.setdefault(name, refusal.detail)
    return refusal


def _demo_logins() -> tuple[tuple[str, str], ...]:
    """Return the demo's logins and who they are; none in production."""
    if not current_market().settings.is_demo:
        return ()
    parks = tuple((park.login, park.name) for park in world.PARKS)
    return (*parks, *((person.login, person.name) for person in world.PEOPLE))
