"""Refusals and faults as pages: what happened, the number to ask with, and a way on."""

from __future__ import annotations

from typing import Any

from flask import Response, g, make_response, session

from marketplace.doors.logs import logger
from marketplace.web.pages import USER, person
from marketplace.web.rendering import show

_log = logger(__name__)
_PLAIN = """<!doctype html><html lang="zh"><meta charset="utf-8"><title>{status}</title>
<h1>{status}</h1><p>{detail}</p><p>{request_id}</p><p><a href="/">首页 · Home</a></p></html>"""


def render(document: dict[str, Any]) -> Response:
    """Return the page of a problem document; a plain one when even that page cannot be made."""
    try:
        return show("fault.html", status=document["status"], problem=document)
    except Exception:  # noqa: BLE001 - the page of a fault must not fail: the plain one needs nothing
        _log.exception("fault page failed")
        return make_response(_PLAIN.format(**{name: _escaped(value) for name, value in document.items()}))


def meet(status: int) -> None:
    """Look up who is signed in, for language and menu; a page about a missing database does not ask the database."""
    if status < 500 and "actor" not in g and session.get(USER):
        try:
            person()
        except Exception:  # noqa: BLE001 - the page of a fault must not fail: a visitor's page does as well
            _log.exception("the reader of a fault page is unknown")


def _escaped(value: object) -> str:
    from markupsafe import escape

    return str(escape(str(value)))
