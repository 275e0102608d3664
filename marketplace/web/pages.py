"""What every page group stands on: who is signed in, their unit of work, and forms that only our pages can send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, NoReturn
from urllib.parse import urlsplit
from uuid import UUID

from flask import Blueprint, Flask, Response, abort, g, make_response, redirect, request, session, url_for
from flask_wtf.csrf import CSRFError, CSRFProtect

from marketplace.doors.current import current_market
from marketplace.doors.identity import person_actor
from marketplace.doors.requests import NUL
from tenants.kernel.context import Actor
from tenants.kernel.errors import FieldError, Invalid, NotAllowed, NotFound, Unauthenticated
from tenants.kernel.identifiers import parse_id
from tenants.kernel.messages import msg
from tenants.kernel.work import Work

USER = "user"
"""The session's only fact: who has signed in. Rights are looked up at every request."""

_csrf = CSRFProtect()


def guard_forms(app: Flask) -> None:
    """Prepare the tokens of forms; page groups check them, the API has none because no cookie opens it."""
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    app.config["WTF_CSRF_TIME_LIMIT"] = None  # a token lives as long as its session
    _csrf.init_app(app)


def page_group(name: str) -> Blueprint:
    """Return the blueprint of a page group. Every sending request to it must carry the token of its session."""
    group = Blueprint(name, __name__)
    group.before_request(_only_our_forms)
    return group


def _only_our_forms() -> None:
    try:
        _csrf.protect()
    except CSRFError as error:
        raise NotAllowed(
            "form.stale",
            msg("页面已失效（停留过久，或已在别处登录、退出），未做任何更改。请返回并刷新页面后重试。"),
        ) from error
    if any(NUL in value for _, value in request.form.items(multi=True)):
        raise Invalid("request.nul", msg("输入含有不可用的空字符。请删除后重试。"))


def person() -> Actor:
    """Return who is signed in; a visitor is led to the sign-in page and back."""
    known: Actor | None = g.get("actor")
    if known is not None:
        return known
    user_id = parse_id(session.get(USER, ""))
    if user_id is not None:
        try:
            return person_actor(user_id)
        except Unauthenticated:
            session.clear()
    return _lead_to_sign_in()


def _lead_to_sign_in() -> NoReturn:
    abort(to_sign_in())


@contextmanager
def page_work() -> Iterator[Work]:
    """Open a unit of work for the person who is signed in."""
    with current_market().workshop.work(person()) as work:
        yield work


def sign_in_session(user_id: UUID) -> None:
    """Begin a session for a person; nothing of a session before it stays."""
    session.clear()
    session[USER] = str(user_id)
    session.permanent = True


def to_sign_in() -> Response:
    """Return the way to the sign-in page, and back to this page when it can simply be opened again."""
    back = request.full_path.rstrip("?") if request.method == "GET" and not by_htmx() else None
    return go(url_for("account.sign_in", next=back if back not in {None, "/"} else None))


def go(address: str) -> Response:
    """Lead the browser to another page, whether it sent a form itself or htmx did."""
    if by_htmx():
        response = make_response("", 204)
        response.headers["HX-Redirect"] = address
        return response
    return make_response(redirect(address, 303))


def by_htmx() -> bool:
    """Tell whether htmx asks, which wants a part of a page."""
    return request.headers.get("HX-Request") == "true"


def own_path(address: str | None) -> str | None:
    """Return ``address`` when it leads to a page of ours, None for any that could lead elsewhere."""
    if not address or not address.startswith("/") or address.startswith("//") or not address.isprintable():
        return None
    if "\\" in address:
        return None
    parts = urlsplit(address)
    return None if parts.scheme or parts.netloc else address


def id_of(text: str | None) -> UUID:
    """Return the id in an address or a form; NotFound when it is none."""
    found = parse_id(text or "")
    if found is None:
        raise NotFound("page.not_found", msg("没有找到所请求的内容。请从列表中重新打开。"))
    return found


def field(name: str) -> str:
    """Return one field of the sent form, without the white space around it."""
    return request.form.get(name, "").strip()


def day_field(name: str) -> date:
    """Return the day in one field of the sent form. Raises Invalid that names the field."""
    try:
        return date.fromisoformat(field(name))
    except ValueError:
        wrong = msg("请填写日期，如 2026-03-31。")
        raise Invalid("form.day", wrong, errors=[FieldError(name, "form.day", wrong)]) from None


def given() -> dict[str, Any]:
    """Return what was typed into the sent form, for showing it again; secrets are left out."""
    return {name: value for name, value in request.form.items() if name not in {"password", "csrf_token"}}
