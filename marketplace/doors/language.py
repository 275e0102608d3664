"""Which language the reader of a request gets, and Flask-Babel set up with the catalogues of ``texts``."""

from __future__ import annotations

from functools import cached_property

from babel.support import NullTranslations
from flask import Flask, g, has_request_context, request
from flask_babel import Babel, Domain, get_locale

from marketplace.doors.texts import CHINESE, LANGUAGES, catalogue

COOKIE = "lang"
"""Cookie that keeps a visitor's choice."""


def reader_language() -> str:
    """Return the language of the running request's reader; Chinese outside a request.

    ``?lang=`` comes before the cookie, the cookie before the signed-in person's language, that before the browser's.
    """
    if not has_request_context():
        return CHINESE
    actor = g.get("actor")
    asked = (
        request.args.get("lang"),
        request.cookies.get(COOKIE),
        actor.language if actor is not None and actor.user_id is not None else None,
        request.accept_languages.best_match(LANGUAGES),
    )
    return next((language for language in asked if language in LANGUAGES), CHINESE)


class _SourceDomain(Domain):  # type: ignore[misc]  # flask-babel ships no types
    """Flask-Babel's texts, from the catalogues of ``texts``."""

    def get_translations(self) -> NullTranslations:
        """Return the catalogue of the request's language."""
        locale = get_locale()
        return catalogue(CHINESE if locale is None else locale.language)


class _SourceBabel(Babel):  # type: ignore[misc]  # flask-babel ships no types
    """Flask-Babel with the catalogues of ``texts``."""

    @cached_property
    def domain_instance(self) -> _SourceDomain:
        """Return the one domain of texts."""
        return _SourceDomain()


def speak(app: Flask) -> None:
    """Give ``app`` its languages: ``_()`` in templates, and dates and numbers by the reader's habits."""
    _SourceBabel(app, default_locale=CHINESE, default_timezone="Asia/Shanghai", locale_selector=reader_language)
