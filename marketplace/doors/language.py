"""Languages: which one a reader gets, and how a Message becomes a sentence in it.

The Chinese sentence is the key of the catalogues, so a missing translation shows Chinese and nothing breaks. The
catalogues are read from their sources (``.po``) at start: there is no compiled file that could be out of date.
"""

from __future__ import annotations

from functools import cache, cached_property
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, g, has_request_context, request
from flask_babel import Babel, Domain, get_locale

from tenants.kernel.messages import Message

CHINESE = "zh"
ENGLISH = "en"
LANGUAGES = (CHINESE, ENGLISH)
"""The languages of the interface; the first is the language of the texts in the code."""
COOKIE = "lang"
"""Cookie that keeps a visitor's choice."""

_FOLDER = Path(__file__).parent.parent / "translations"


@cache
def catalogue(language: str) -> NullTranslations:
    """Return the sentences of ``language``; without a catalogue every sentence stays Chinese."""
    source = _FOLDER / language / "LC_MESSAGES" / "messages.po"
    if not source.is_file():
        return NullTranslations()
    compiled = BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(fp=compiled)


def translate(message: Message, language: str) -> str:
    """Return ``message`` as a sentence in ``language``, values that are messages included.

    A translation whose places do not fit the values is worth less than the Chinese sentence, which is shown then.
    """
    values = {
        name: translate(value, language) if isinstance(value, Message) else value
        for name, value in message.values.items()
    }
    whole = Message(message.template, values)
    translated = catalogue(language).gettext(message.template)
    try:
        return whole.render(translated)
    except (KeyError, IndexError, ValueError):
        return str(whole)


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
    """Flask-Babel's texts, from the catalogues above."""

    def get_translations(self) -> NullTranslations:
        """Return the catalogue of the request's language."""
        locale = get_locale()
        return catalogue(CHINESE if locale is None else locale.language)


class _SourceBabel(Babel):  # type: ignore[misc]  # flask-babel ships no types
    """Flask-Babel with the catalogues above."""

    @cached_property
    def domain_instance(self) -> _SourceDomain:
        """Return the one domain of texts."""
        return _SourceDomain()


def speak(app: Flask) -> None:
    """Give ``app`` its languages: ``_()`` in templates, and dates and numbers by the reader's habits."""
    _SourceBabel(app, default_locale=CHINESE, default_timezone="Asia/Shanghai", locale_selector=reader_language)
